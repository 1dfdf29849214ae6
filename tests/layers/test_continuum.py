"""Continuum memory: a chain whose links keep their own names, in either order."""

import pytest
import torch

from nlcore.layers import ContinuumMemory


def test_a_chain_of_levels_fastest_first():
    torch.manual_seed(0)
    chain, x = ContinuumMemory(8, 12, 3), torch.randn(2, 5, 8)
    assert list(chain.levels) == ["cms-3", "cms-2", "cms-1"]
    expected = x
    for name in ("cms-3", "cms-2", "cms-1"):
        expected = chain.levels[name](expected)
    assert torch.equal(chain(x), expected)


def test_both_readings_of_the_order_run_and_differ():
    torch.manual_seed(0)
    fast = ContinuumMemory(8, 12, 3)
    slow = ContinuumMemory(8, 12, 3, order="slow first")
    slow.load_state_dict(fast.state_dict())
    x = torch.randn(2, 5, 8)
    assert not torch.allclose(fast(x), slow(x))


def test_unknown_order_gets_one_sentence():
    with pytest.raises(ValueError, match="choose one of 'fast first', 'slow first'"):
        ContinuumMemory(8, 12, 3, order="up")
