"""Continuum memory: levels that keep their own names, in a chain of either order or side by side."""

import pytest
import torch

from nlcore.layers import ContinuumMemory, HeadwiseContinuumMemory
from nlcore.layers.continuum import LINKS, per_row


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


def test_levels_side_by_side_are_a_weighted_sum_of_what_each_adds():
    torch.manual_seed(0)
    heads, x = HeadwiseContinuumMemory(8, 12, 3).double(), torch.randn(2, 5, 8, dtype=torch.double)
    with torch.no_grad():
        heads.shares.copy_(torch.tensor([0.5, -1.0, 2.0]))
    expected = torch.empty_like(x)
    for row in range(2):  # eq. 74, token by token
        for t in range(5):
            token = x[row, t]
            expected[row, t] = token + sum(
                share * (heads.levels[name](token) - token)
                for name, share in (("cms-3", 0.5), ("cms-2", -1.0), ("cms-1", 2.0))
            )
    torch.testing.assert_close(heads(x), expected, rtol=0, atol=1e-12)


def test_one_level_side_by_side_is_a_chain_of_one():
    torch.manual_seed(0)
    heads, chain = HeadwiseContinuumMemory(8, 12, 1).double(), ContinuumMemory(8, 12, 1).double()
    chain.load_state_dict({name: w for name, w in heads.state_dict().items() if name != "shares"})
    x = torch.randn(2, 5, 8, dtype=torch.double)
    torch.testing.assert_close(heads(x), chain(x), rtol=0, atol=1e-14)


def test_levels_side_by_side_do_not_read_each_other():
    """What one adds is the same whatever another computes; in a chain it is not."""
    torch.manual_seed(0)
    x = torch.randn(2, 5, 8, dtype=torch.double)

    def added(memory):
        """By cms-1, with the others as they are and with cms-2 changed."""
        found = []
        for factor in (1.0, 3.0):
            memory.levels["cms-2"].w_out.weight.data.mul_(factor)
            whole = memory(x)
            kept = memory.levels["cms-1"].w_out.weight.data.clone()
            memory.levels["cms-1"].w_out.weight.data.zero_()
            found.append(whole - memory(x))
            memory.levels["cms-1"].w_out.weight.data.copy_(kept)
        return found

    for kind, apart in ((HeadwiseContinuumMemory, True), (ContinuumMemory, False)):
        before, after = added(kind(8, 12, 2).double())
        assert torch.allclose(before, after, atol=1e-12) == apart


def rows_own(module, rows):
    """Weights that differ from row to row, each parameter (rows, ...)."""
    return {
        name: p.detach() + 0.3 * torch.randn(rows, *p.shape, dtype=p.dtype) for name, p in module.named_parameters()
    }


@pytest.mark.parametrize("links", LINKS)
@pytest.mark.parametrize("kind", [ContinuumMemory, HeadwiseContinuumMemory])
def test_rows_with_weights_of_their_own_are_read_as_one_by_one(kind, links):
    torch.manual_seed(0)
    memory, x = kind(8, 12, 3, links=links).double(), torch.randn(4, 5, 8, dtype=torch.double)
    weights = {name: rows_own(memory.levels[name], 4) for name in ("cms-3", "cms-1")}  # cms-2 keeps the learnt ones
    together, one = memory(x, weights), kind(8, 12, 3, links=links).double()
    for row in range(4):
        one.load_state_dict(memory.state_dict())
        for name, own in weights.items():
            one.levels[name].load_state_dict({key: w[row] for key, w in own.items()})
        torch.testing.assert_close(together[row], one(x[row : row + 1])[0], rtol=0, atol=1e-12)


def test_gradients_go_to_each_rows_own_weights_and_not_to_the_levels():
    torch.manual_seed(0)
    link, x = LINKS["gated"](8, 12).double(), torch.randn(3, 5, 8, dtype=torch.double)
    own = {name: w.requires_grad_() for name, w in rows_own(link, 3).items()}
    per_row(link, own, x)[1].square().sum().backward()
    assert all(w.grad[1].abs().max() > 0 and not w.grad[[0, 2]].any() for w in own.values())
    assert all(p.grad is None for p in link.parameters())
