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


def test_all_who_listen_hear_a_report_and_nobody_else():
    probe.report("nobody", {})
    with probe.listen() as outer:
        with probe.listen() as inner:
            probe.report("both", {})
        probe.report("outer", {})
    assert [heard.source for heard in outer] == ["both", "outer"]
    assert [heard.source for heard in inner] == ["both"]
