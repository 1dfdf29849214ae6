"""The fast-weight family: what tells linear attention, the delta rule and their relatives apart, as data."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor

from nlcore import memory
from nlcore.layers.fast_weight_forms import AT
from nlcore.layers.memory_group import unit

NAMES = {"at": AT, "alpha": ("all", "head", "token"), "persistent": ("nothing", "gate", "start")}


def positive(x: Tensor) -> Tensor:
    """`elu(x) + 1`, above 0: the feature map of linear attention."""
    return F.elu(x) + 1


def as_it_is(x: Tensor) -> Tensor:
    """No feature map."""
    return x


def matrix(width: int, hidden: int) -> memory.Linear:
    """The architecture of a memory that is one matrix; it has no hidden width."""
    return memory.Linear(width, width)


@dataclass(frozen=True)
class FastWeightSetting:
    """One member of the family: the four choices of its memory (eq. 64-68), and what its layer feeds it.

    Raises ValueError for a choice of another name, or a mean over a memory that is not one matrix.
    """

    objective: memory.Objective
    architecture: Callable[[int, int], memory.Architecture] = matrix
    """Makes it from the width of a head and the hidden width."""
    rule: memory.Rule = memory.GradientDescent()
    retention: memory.Retention = memory.Decay()
    at: str = "token"
    """Where gradients are taken, one of AT. It tells two published orders apart: "token" takes the error before decay,
    `alpha W - eta (W k - v) k^T`, as Titans prints it; "retained" after decay, `alpha W (I - eta k k^T) + eta v k^T`,
    as gated DeltaNet does, whose transition on a key, alpha (1 - eta), is stable for eta up to 2 at every alpha."""
    feature: Callable[[Tensor], Tensor] = unit
    """phi, of keys and queries."""
    value: Callable[[Tensor], Tensor] = as_it_is
    """What is made of the values."""
    mean: bool = False
    """Answers are means: values carry a 1, so that one more row of the matrix sums phi(k), and answers are divided by
    what it answers. It is the normaliser of linear attention: eq. 15 says that it leaves it out, while eq. 64 "recovers
    the original" without it. Where there is none, a norm stands behind the memory."""
    eta_max: float | None = 1.0
    """eta is made of each token, between 0 and this; None: it is 1."""
    alpha: str = "all"
    """What is retained: "all"; "head": RetNet's fixed shares, 1 - 2^-5, 1 - 2^-6, ...; "token": made of each token."""
    momentum: bool = False
    """Titans' momentum; theta is made of each token, and eta scaled by 1 - theta."""
    persistent: str = "gate"
    """Where what training taught stands beside what the context writes (5, on gating): in a "gate", `silu(W x)` on what
    is read, in a learnt "start" of the memory, or in "nothing" of the kind."""

    def __post_init__(self) -> None:
        for name, among in NAMES.items():
            if getattr(self, name) not in among:
                raise ValueError(f"{name} is {getattr(self, name)!r}: choose one of {', '.join(among)}")
        if self.mean and self.architecture is not matrix:
            raise ValueError("a mean needs a memory that is one matrix: leave the architecture out, or mean")


HEBBIAN, DELTA = FastWeightSetting(memory.DotProduct(), eta_max=None), FastWeightSetting(memory.L2())
FAMILY = {
    "linear-attention": replace(HEBBIAN, feature=positive, mean=True),
    "retnet": replace(HEBBIAN, feature=as_it_is, alpha="head"),
    "deltanet": DELTA,
    "gated-deltanet": replace(DELTA, at="retained", alpha="token"),
    "gated-deltanet-negative": replace(DELTA, at="retained", alpha="token", eta_max=2.0),
    "oja": replace(HEBBIAN, rule=memory.Oja(), value=unit, alpha="token", eta_max=1.0),
    "omega": replace(DELTA, rule=memory.Omega((0.25,) * 4), alpha="token"),
    "titans": replace(
        DELTA, architecture=memory.ResidualMLP, at="chunk", value=unit, alpha="token", momentum=True, persistent="start"
    ),
}
"""What is published under these names, in one frame, so that they differ in the memory alone: RetNet without its rotary
positions, DeltaNet without its SiLU, Omega (Atlas) with fixed weights that sum to 1 and no polynomial features."""
