"""Nested levels: each restarts, again and again, from a start that the next slower level learns (eq. 72)."""

from typing import Any

import torch
from torch import Tensor, nn

from nlcore.clock import Clock
from nlcore.optim.leveled import LevelOptimizer, Make, adamw


class NestedLevelOptimizer(LevelOptimizer):
    """A `LevelOptimizer` in which some levels have a parent, the level that holds the start that they restart from.

    What print says (7.1, eq. 72): the start of level s + 1 is learnt in level s, over that level's context of C(s)
    steps; at the end of it, "after ceil(C(s) / C(s + 1)) steps" of level s + 1, that level's value is its start again;
    between restarts every level is updated as ever, by eq. 71.

    What print leaves open, and how it is done here:

    - Eq. 72 asks for the best start, an argmin. The parent takes one step towards it whenever it fires, with the
      gradients that its child met since: that is the gradient of the losses with respect to the start, if the child's
      own steps are taken not to depend on it (first order, as in first-order MAML).
    - A start is part of its parent: the same optimizer, rate, clip and report. It learns, and never restarts.
    - When a parent fires, its child takes the step that it has gathered for, which is the last of the printed count
      where one period does not divide the other, and restarts after it. So do the child's moments, which
      are memories of the same context, and so, in turn, do its own child and that one's.

    With period 1 everywhere a level restarts after each step from a start that took this step, which is ordinary
    training.

    Args:
        parents: the parent of each level that has one, by name; the others as in `LevelOptimizer`.

    Raises ValueError for a parent that is no level or is its own ancestor, and as `LevelOptimizer` does.
    """

    def __init__(
        self,
        levels: dict[str, list[dict[str, Any]]],
        clock: Clock,
        lr: float,
        clip: float = 1.0,
        power: float = 0.0,
        make: Make = adamw,
        *,
        parents: dict[str, str],
    ) -> None:
        _check_parents(parents, levels)
        self.parents = parents
        self.own = {name: [p for group in levels[name] for p in group["params"]] for name in parents}
        """The weights of each level that restarts."""
        self.starts = {name: [nn.Parameter(p.detach().clone()) for p in own] for name, own in self.own.items()}
        """What they restart from, in the same order."""
        groups = {name: list(given) for name, given in levels.items()}
        for child, parent in parents.items():
            start_of = dict(zip(self.own[child], self.starts[child]))
            groups[parent] += [group | {"params": [start_of[p] for p in group["params"]]} for group in levels[child]]
        super().__init__(groups, clock, lr, clip, power, make)

    def _update(self, due: tuple[str, ...], step: int) -> tuple[Tensor, dict[str, float]]:
        ending = self._children(due)
        due = tuple(name for name in self.optimizers if name in {*due, *ending})
        for name in self.parents:
            if name in due:
                self._hand_over(name)
        found = super()._update(due, step)
        for name in ending:
            self._restart(name)
        return found

    def _children(self, due: tuple[str, ...]) -> tuple[str, ...]:
        """Levels whose parent fires, and theirs: all whose context ends now."""
        found: tuple[str, ...] = ()
        while new := tuple(c for c, parent in self.parents.items() if c not in found and parent in {*due, *found}):
            found += new
        return found

    def _hand_over(self, name: str) -> None:
        """Adds the gradients that a level has gathered, and is about to use, to those of its start."""
        for start, own in zip(self.starts[name], self.own[name]):
            if own.grad is not None:
                start.grad = own.grad.clone() if start.grad is None else start.grad + own.grad

    @torch.no_grad()
    def _restart(self, name: str) -> None:
        for start, own in zip(self.starts[name], self.own[name]):
            own.copy_(start)
            self.optimizers[name].state.pop(own, None)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "starts": {name: [start.detach() for start in starts] for name, starts in self.starts.items()}
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state`, which stays as it is. Raises ValueError for one that holds no starts."""
        if state.get("starts", {}).keys() != self.starts.keys():
            raise ValueError("this state holds no starts to restart from: use that of a nested system of these levels")
        super().load_state_dict(state)
        for name, starts in self.starts.items():
            for start, given in zip(starts, state["starts"][name], strict=True):
                start.copy_(given)


def _check_parents(parents: dict[str, str], levels: dict[str, list[dict[str, Any]]]) -> None:
    for name in (*parents, *parents.values()):
        if name not in levels:
            raise ValueError(f"there is no level {name!r} to be nested: choose among {', '.join(levels)}")
    for name in parents:
        above, seen = parents.get(name), {name}
        while above is not None and above not in seen:
            seen.add(above)
            above = parents.get(above)
        if above is not None:
            raise ValueError(f"level {name} is nested in itself: let each level's parent be a slower one")
