"""One dial: the sizes a model can have."""

from dataclasses import dataclass, replace
from typing import Any

from nlcore.layers.continuum import LINKS, ORDERS
from nlcore.layers.family import matrix
from nlcore.layers.learning import given, own_answer, soft_answer
from nlcore.layers.fitting import MAKES, READS
from nlcore.memory import (
    L2,
    Decay,
    DeltaGradientDescent,
    DotProduct,
    GradientDescent,
    KeepAll,
    PullToStart,
    ResidualMLP,
)

FORMS = ("sequential", "nested", "head-wise")
"""Of the continuum memory: a chain (eq. 73), a chain whose levels restart (eq. 72), levels side by side (eq. 74)."""
CHOICES: dict[str, dict[str, Any]] = {
    "architecture": {"residual MLP": ResidualMLP, "matrix": matrix},
    "objective": {"L2": L2(), "dot product": DotProduct()},
    "rule": {"delta gradient descent": DeltaGradientDescent(), "gradient descent": GradientDescent()},
    "retention": {"pull to start": PullToStart(), "decay": Decay(), "keep all": KeepAll()},
    "learns": {"own answer": own_answer, "soft answer": soft_answer, "given": given},
}
"""What the names in a preset stand for: the objects that `SelfModifyingTitans` is given under the same name."""


@dataclass(frozen=True)
class Preset:
    """Sizes of a model and of its training. All models have about the same number of parameters.

    A field with a default came later than stored runs that lack it, and its default is what they were trained with:
    so it stays for ever, and `PRESETS` names what new runs take instead.
    """

    name: str
    dim: int
    depth: int
    heads: int
    hidden: int
    """Hidden width of the in-context memories."""
    chunks: tuple[int, int]
    """Tokens between writes of the main memory, and of the memories that make k, v, eta, alpha."""
    periods: tuple[int, ...]
    """Outer steps between updates of each CMS level, fastest first; (1,) is one plain MLP, Hope without CMS (Table 6)."""
    context: int
    batch: int
    """Sequences a step."""
    steps: int
    lr: float
    tokenizer: str
    """"bytes" or "bpe"."""
    vocabulary: int
    checkpoint_blocks: bool = False
    """Recompute activations block by block in the backward pass: less memory, a third more time."""
    carry: int = 0
    """Windows in a row that begin with the state the window before left, after one that begins fresh; 0: all do.

    That is truncated backpropagation through time: the state is carried on, and the gradient ends with its window.
    More than 0 takes memory for the states of 64 rows, or of a batch if it has more: see `nlcore.tasks.Batches`."""
    reads: str = "boundary"
    """Where a token reads the main memory: see `SelfModifyingTitans`."""
    narrow_rates: bool = False
    """Whether the memories of eta and alpha answer one number a head: see `SelfModifyingTitans`."""
    projections_share: float = 1.0
    """How much of eta the memories that make k, v, eta, alpha are written with: see `SelfModifyingTitans`."""
    links: str = "plain"
    """Of the continuum memory: see `ContinuumMemory`."""
    rate_power: float = 0.0
    """A level's learning rate is multiplied by its period to this power, from -1 to 1."""
    continuum: str = "sequential"
    """How the levels of the continuum memory are joined: one of FORMS."""
    order: str = "fast first"
    """In which order the levels of a chain read: see `ContinuumMemory`."""
    in_context: tuple[tuple[Any, ...], ...] = ()
    """Levels of the continuum memory that learn from the text too: ("cms-3", 16, 0.3) steps every 16 tokens with rate
    0.3; then come, if they are to be others, its clip and its warm-up, as `InnerLevel` takes them."""
    second_order: bool = False
    """Whether the outer gradient goes through those steps: see `InContext`."""
    architecture: str = "residual MLP"
    """Of Hope's in-context memories; this and the next four are names of CHOICES, and say what `SelfModifyingTitans` does."""
    objective: str = "L2"
    rule: str = "delta gradient descent"
    retention: str = "pull to start"
    learns: str = "own answer"
    momentum: bool = False
    """Whether those memories have Titans' momentum."""
    adaptive: tuple[str, ...] = ("k", "v", "eta", "alpha")
    """What memories make; what is not named here a plain matrix makes, on the level "weights"."""

    def __post_init__(self) -> None:
        if not self.periods or list(self.periods) != sorted(self.periods):
            raise ValueError(f"the CMS periods are {self.periods}: give at least one, the shortest first")
        for field, among in CHOICES.items():
            if getattr(self, field) not in among:
                raise ValueError(f"{field} is {getattr(self, field)!r}: choose one of {', '.join(map(repr, among))}")
        if self.reads not in READS:
            raise ValueError(f"reads is {self.reads!r}: choose one of {', '.join(READS)}")
        if self.links not in LINKS:
            raise ValueError(f"links is {self.links!r}: choose one of {', '.join(LINKS)}")
        if self.continuum not in FORMS:
            raise ValueError(f"continuum is {self.continuum!r}: choose one of {', '.join(FORMS)}")
        if self.order not in ORDERS:
            raise ValueError(f"order is {self.order!r}: choose one of {', '.join(map(repr, ORDERS))}")
        if self.continuum == "head-wise" and self.order != ORDERS[0]:
            raise ValueError("a head-wise continuum has its levels side by side, in no order: leave out the order")


_TINY = Preset(
    "tiny", 128, 2, 2, 16, (64, 64), (1, 4, 16), 256, 4, 380, 4e-3, "bytes", 256,
    carry=15, narrow_rates=True, rate_power=-0.5,
)  # fmt: skip
PRESETS = {
    preset.name: replace(preset, links="gated", projections_share=0.1)
    for preset in (
        _TINY,
        Preset("laptop", 256, 8, 4, 64, (32, 128), (1, 4, 16), 512, 16, 5_000, 2e-3, "bytes", 256, True),
        Preset("160m", 896, 14, 14, 64, (64, 256), (1, 4, 16, 64), 2048, 64, 20_000, 1e-3, "bpe", 32_768, True),
        Preset("760m", 1536, 24, 16, 96, (64, 256), (1, 4, 16, 64), 4096, 128, 57_000, 6e-4, "bpe", 32_768, True),
        Preset("1.3b", 2048, 24, 16, 128, (64, 256), (1, 4, 16, 64), 4096, 256, 95_000, 4e-4, "bpe", 32_768, True),
    )
}
"""By size. Only `tiny` is tuned, by the experiments `reads`, `tiny`, `lasting` and `slow_levels`; the larger are not, and
their rates are guesses. In `experiments.rates` Hope's best rate fell as width**-0.66 from 32 to 128 (AdamW, 102,400 tokens,
one seed); drawn on as far as these widths, that would give 0.0022, 0.00098, 0.00069 and 0.00057."""

KEEP_ALL = ("hope-attention", "transformer")
"""Models whose state keeps every token, so that each window that carries it on costs more than the one before."""
_ATTENTION = {"heads": 4, "lr": 2e-3}
OWN = {("tiny", "hope-attention"): _ATTENTION, ("tiny", "transformer"): _ATTENTION}
"""What a model takes at a size instead of Hope's values, since it is better so: by the experiment `rivals`."""


def preset_of(size: str, model: str) -> Preset:
    """What a model of this size is trained with: the size's preset, which is Hope's, but for what is the model's own.

    Models that keep every token begin all windows fresh.
    """
    fresh = {"carry": 0} if model in KEEP_ALL else {}
    return replace(PRESETS[size], **fresh | OWN.get((size, model), {}))
