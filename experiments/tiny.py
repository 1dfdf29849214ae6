"""Which sizes and memories serve `tiny` best in the time it has?

    python -m experiments.tiny

Each arm changes one thing of the first: the hidden width of the memories, the number of heads, or whether the memories
of eta and alpha answer one number or a vector. One arm joins the two that came out best alone. Larger presets are not
tuned.
"""

from typing import Any

from experiments.experiment import Arm, Experiment, main
from experiments.language import language_model

SIZE = dict(
    dim=128, depth=2, heads=4, hidden=32, chunks=(64, 64), reads="boundary", narrow_rates=True, projections_share=0.1,
    periods=(1, 4, 16), links="gated", rate_power=-0.5, context=256, batch=4, steps=380, carry=15,
)  # fmt: skip
"""What all arms share but for one choice, whatever `tiny` is when this is read."""
FIRST = "4 heads, hidden width 32, narrow rates"


def arm(name: str, **choice: Any) -> Arm:
    return Arm(name, SIZE | choice, minutes=1.4)


EXPERIMENT = Experiment(
    name="tiny",
    question="Which sizes and memories serve tiny best in the time it has?",
    arms=(
        arm(FIRST),
        arm("hidden width 16", hidden=16),
        arm("hidden width 8", hidden=8),
        arm("hidden width 64", hidden=64),
        arm("2 heads, hidden width 16", heads=2, hidden=16),
        arm("2 heads", heads=2),
        arm("8 heads", heads=8),
        arm("rates as wide as the head", narrow_rates=False),
    ),
    rates=(2e-3, 4e-3, 8e-3),
    seeds=(0, 1, 2),
    run=language_model,
    same_time_as=FIRST,
    columns={"bits_per_byte_eta_0": "eta 0"},
)

if __name__ == "__main__":
    main(EXPERIMENT)
