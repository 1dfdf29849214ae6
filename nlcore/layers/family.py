"""The fast-weight family: what tells linear attention, the delta rule and their relatives apart, as data."""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from nlcore.layers.fast_weight_forms import AT
from nlcore.layers.memory_group import unit
from nlcore.memory import (
    L2,
    Architecture,
    Decay,
    DotProduct,
    GradientDescent,
    Linear,
    Objective,
    Oja,
    Omega,
    ResidualMLP,
    Retention,
    Rule,
)

RETENTIONS = ("all", "head", "token")
PERSISTENT = ("nothing", "gate", "start")


def positive(x: Tensor) -> Tensor:
    """`elu(x) + 1`, above 0: the feature map of linear attention."""
    return F.elu(x) + 1


def as_it_is(x: Tensor) -> Tensor:
    """No feature map."""
    return x


def matrix(width: int, hidden: int) -> Linear:
    """The architecture of a memory that is one matrix; it has no hidden width."""
    return Linear(width, width)


@dataclass(frozen=True)
class FastWeightSetting:
    """One member of the family: the four choices of its memory (eq. 64-68), and what its layer feeds it.

    Raises ValueError for a choice of another name, or a mean over a memory that is not one matrix.
    """

    objective: Objective
    architecture: Callable[[int, int], Architecture] = matrix
    """Makes it from the width of a head and the hidden width."""
    rule: Rule = GradientDescent()
    retention: Retention = Decay()
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
    what it answers. It is the normaliser of linear attention, which eq. 15 leaves out and says so, while eq. 64 calls
    what it leaves out the original. Without it a norm stands behind the memory."""
    eta_max: float | None = 1.0
    """eta is made of each token, between 0 and this; None: it is 1."""
    alpha: str = "all"
    """What is retained: "all"; "head": RetNet's fixed shares, 1 - 2^-5, 1 - 2^-6, ...; "token": made of each token."""
    momentum: bool = False
    """Titans' momentum; theta is made of each token, and eta scaled by 1 - theta."""
    persistent: str = "gate"
    """Where what training taught stands beside what the context writes (5, on gating): in a "gate", `silu(W x)` on what
    is read, in a learnt "start" of the memory, or in "nothing" of the kind. The first two are said to do one work."""

    def __post_init__(self) -> None:
        for name, among in (("at", AT), ("alpha", RETENTIONS), ("persistent", PERSISTENT)):
            if getattr(self, name) not in among:
                raise ValueError(f"{name} is {getattr(self, name)!r}: choose one of {', '.join(among)}")
        if self.mean and self.architecture is not matrix:
            raise ValueError("a mean needs a memory that is one matrix: leave the architecture out, or mean")


FAMILY = {
    "linear-attention": FastWeightSetting(DotProduct(), feature=positive, mean=True, eta_max=None),
    "retnet": FastWeightSetting(DotProduct(), feature=as_it_is, eta_max=None, alpha="head"),
    "deltanet": FastWeightSetting(L2()),
    "gated-deltanet": FastWeightSetting(L2(), at="retained", alpha="token"),
    "gated-deltanet-negative": FastWeightSetting(L2(), at="retained", alpha="token", eta_max=2.0),
    "oja": FastWeightSetting(DotProduct(), rule=Oja(), value=unit, alpha="token"),
    "omega": FastWeightSetting(L2(), rule=Omega((0.25,) * 4), alpha="token"),
    "titans": FastWeightSetting(
        L2(), ResidualMLP, at="chunk", value=unit, alpha="token", momentum=True, persistent="start"
    ),
}
"""What is published under these names, in one frame, so that they differ in the memory alone: RetNet without its rotary
positions, DeltaNet without its SiLU, Omega (Atlas) with fixed weights that sum to 1 and no polynomial features."""
