"""What is each part of Hope worth? The rows of the paper's Table 6, at size tiny on text.

    python -m experiments.ablation

The first arm is the Hope of that table: six memories, with Titans' momentum, Delta Gradient Descent, retention and a
continuum memory. Each other arm lacks one of these, as the table names it; the last lacks two, and is the Hope of this
course, which follows eq. 83 and 88: those have a plain matrix for the query, and no momentum.

A projection without inner learning is a plain matrix of the slowest level. Without weight decay nothing is forgotten, and
there is no memory of alpha. Without the continuum memory one link, as large as the three, learns at every step. All
arms have about the same number of parameters, the same text, and a rate of their own. `eta 0` is the control: bits per
byte while no memory writes.
"""

from typing import Any

from experiments.experiment import Arm, Experiment, main
from experiments.language import language_model

SIX = ("k", "v", "eta", "alpha", "q")
"""The memories beside the main one."""
PRINTED = dict(adaptive=SIX, momentum=True, rule="delta gradient descent", retention="pull to start", periods=(1, 4, 16))
"""The choices that the rows are about."""


def _without(memory: str) -> dict[str, Any]:
    return {"adaptive": tuple(name for name in SIX if name != memory)}


ROWS: dict[str, dict[str, Any]] = {
    "Hope": {},
    "w/o DGD": {"rule": "gradient descent"},
    "w/o Momentum": {"momentum": False},
    "w/o weight decay": {"retention": "keep all"},
    "w/o CMS": {"periods": (1,)},
    "w/o inner-projection k": _without("k"),
    "w/o inner-projection v": _without("v"),
    "w/o inner-projection q": _without("q"),
    "w/o Momentum and q": {"momentum": False} | _without("q"),
}
"""By the table's own names, and ours: what each changes of PRINTED."""
SIZE = dict(
    model="hope", dim=128, depth=2, heads=2, hidden=16, chunks=(64, 64), reads="boundary", narrow_rates=True,
    projections_share=0.1, links="gated", rate_power=-0.5, context=256, batch=4, steps=380, carry=15,
)  # fmt: skip
"""What all arms share, whatever `tiny` is when this is read."""

EXPERIMENT = Experiment(
    name="ablation",
    question="What is each part of Hope worth on text: the rows of Table 6?",
    arms=tuple(Arm(name, SIZE | PRINTED | change, minutes=1.6) for name, change in ROWS.items()),
    rates=(2e-3, 4e-3, 8e-3),
    seeds=(0, 1, 2),
    run=language_model,
    columns={"bits_per_byte_eta_0": "eta 0"},
)

if __name__ == "__main__":
    main(EXPERIMENT)
