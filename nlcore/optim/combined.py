"""Several optimizers as one, each with parameter groups of its own."""

from typing import Any

from torch.optim import Optimizer


class Combined(Optimizer):
    """Muon or M3 for the matrices and AdamW for the rest, say, seen from outside as one `torch.optim.Optimizer`.

    Its groups are those of its parts, one part behind the other, and its state is theirs: so it is saved, loaded and
    scheduled as any other. A step is one of each part. Parameters are float32 or wider: torch rounds a state that is
    loaded to its parameter's dtype.
    """

    def __init__(self, *parts: Optimizer) -> None:
        self.parts = parts
        super().__init__([group for part in parts for group in part.param_groups], {})
        self._share()

    def _share(self) -> None:
        """Groups and state are the same objects here and in the parts."""
        groups = iter(self.param_groups)
        for part in self.parts:
            part.param_groups, part.state = [next(groups) for _ in part.param_groups], self.state

    def step(self, closure: None = None) -> None:
        for part in self.parts:
            part.step()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._share()

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"parts": self.parts}
