"""Somebody listens, or nobody does."""

import pytest

from nlcore import probe


def test_listening_nests_and_ends_with_errors():
    assert not probe.listening()
    with probe.listen():
        with probe.listen():
            assert probe.listening()
        assert probe.listening()
    with pytest.raises(RuntimeError), probe.listen():
        raise RuntimeError
    assert not probe.listening()
