"""The predictions of chapter 07: each answer is what is computed, never what was typed."""

from itertools import permutations

import pytest
import torch

from nlcore.viz.explorers import order_of_levels
from nlcore.viz.prediction import Tick
from nlcore.viz.predictions import find
from tests.test_transfers import DELTA, normal, written


def right(key: str) -> str:
    """The option that is said to be right."""
    asked = find(key)
    assert isinstance(asked, Tick)
    return asked.right


def test_07_levels():
    explorer = order_of_levels.order_of_levels()
    found = explorer.compute(**explorer.values(explorer.first) | find("07-levels").at)
    assert right("07-levels") == ["one", "two", "three", "four"][len(set(found.levels.values())) - 1]


def test_07_orders():
    """Of AdamW's parts and an average; that only orders by needs compute them is proved in tests/test_levels.py."""
    needs = (("weights", "momentum"), ("weights", "squares"), ("average", "weights"))
    orders = permutations(("momentum", "squares", "weights", "average"))
    assert right("07-orders") == str(sum(all(s.index(a) < s.index(b) for b, a in needs) for s in orders))


def test_07_start():
    pull, goal, loss = torch.tensor([1.0, 2.0]), torch.tensor([2.0, 6.0]), {}
    for option in find("07-start").options:
        start = float(option.split(",")[0])
        theta = start - 0.5 * pull * (start - goal)
        loss[option] = (pull * (theta - goal) ** 2).mean().item()
    assert right("07-start") == min(loss, key=loss.get)
    without = (pull @ goal / pull.sum()).item()
    assert f"{without:.2f}, the mean by strength" in loss


@pytest.mark.parametrize("whose, grows", [("start", True), ("context", True), ("query", False), ("weights", False)])
def test_07_graph(whose, grows):
    def operations(T):
        W, k, v, q = normal(4, 4).requires_grad_(), normal(T, 4, seed=1), normal(T, 4, seed=2), normal(4, seed=3)
        if whose == "weights":  # made once, and used for all T tokens
            answer = k @ (W * q).T
        else:
            state = written(DELTA, k @ W.T if whose == "context" else k, v, 0.5, W if whose == "start" else None)
            answer = DELTA.read(state, W @ q if whose == "query" else q)
        waiting, seen = [answer.sum().grad_fn], set()
        while waiting:
            if (node := waiting.pop()) is not None and node not in seen:
                seen.add(node)
                waiting += [after for after, _ in node.next_functions]
        return len(seen)

    assert (operations(9) > operations(3)) == grows
    assert right("07-graph") == "for the learnt start, and for a context that is made"
