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


@pytest.mark.parametrize("links, factors", [("plain", 2), ("gated", 3)])
def test_links_are_what_was_asked_for(links, factors):
    chain = ContinuumMemory(8, 12, 2, links=links)
    assert sum(p.numel() for p in chain.parameters()) == 2 * (factors * 8 * 12 + 8)
    x, link = torch.randn(1, 3, 8), chain.levels["cms-1"]
    h = link.w_in(link.norm(x))
    inner = torch.nn.functional.silu(h[..., :12]) * (h[..., 12:] if links == "gated" else 1)
    assert torch.allclose(link(x), x + inner @ link.w_out.weight.mT, atol=1e-6)


def test_unknown_names_get_one_sentence():
    with pytest.raises(ValueError, match="choose one of 'fast first', 'slow first'"):
        ContinuumMemory(8, 12, 3, order="up")
    with pytest.raises(ValueError, match="links is 'open': choose one of plain, gated"):
        ContinuumMemory(8, 12, 3, links="open")
