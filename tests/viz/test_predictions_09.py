"""The predictions of chapter 09: each answer is what is computed, never what was typed."""

import torch

from nlcore.memory import L2, AssociativeMemory, DeltaGradientDescent, GradientDescent, Linear, PullToStart, Rates
from nlcore.viz.explorers.nicknames import nicknames
from nlcore.viz.prediction import Tick
from nlcore.viz.predictions import find


def right(key: str) -> str:
    """The option that is said to be right."""
    asked = find(key)
    assert isinstance(asked, Tick)
    return asked.right


def test_09_nickname():
    explorer = nicknames()
    found = explorer.compute(**explorer.values(explorer.first) | find("09-nickname").at)
    assert found.shares["by nickname"][found.best] < 0.05 and right("09-nickname") == "none"


def answers(rule, eta, values, anchored):
    """Of a memory of one number that begins at 0, after each write."""
    memory, found = AssociativeMemory(Linear(1, 1), L2(), rule, PullToStart()), []
    start = state = memory.start((), (torch.zeros(1, 1),))
    for value in values:
        at = start if anchored else state
        state, _ = memory.write(state, torch.ones(1), torch.tensor([value]), Rates(torch.tensor(eta), torch.ones(())), at=at)
        found.append(memory.read(state, torch.ones(1)).item())
    return found


def test_09_fixed():
    for eta in (0.1, 0.5, 0.9):
        assert abs(answers(DeltaGradientDescent(), eta, [1.0] * 60, False)[-1] - 0.5) < 1e-5
    assert right("09-fixed") == "at v/2"


def test_09_anchored():
    assert answers(GradientDescent(), 1.0, [3.0, 5.0], True)[-1] == 8 and right("09-anchored") == "8"


def test_09_drag():
    """A linear memory under the dot product is the same in any chunk, for keys, values and rates that are given."""
    from nlcore.ops.delta_rule import delta_rule_chunked

    draw = torch.Generator().manual_seed(0)
    keys, values, queries = torch.nn.functional.normalize(torch.randn(3, 20, 4, generator=draw, dtype=torch.float64), dim=-1)
    eta = 2 * torch.rand(20, generator=draw, dtype=torch.float64)
    told = keys, -values, eta, torch.zeros(20, dtype=torch.float64), torch.zeros(4, 4, dtype=torch.float64)
    one, four = (delta_rule_chunked(*told, q=queries, chunk=chunk)[0] for chunk in (1, 4))
    assert torch.allclose(one, four, atol=1e-10) and right("09-drag") == "yes, nearly as well"
