"""Hope and Hope-Attention beside a Transformer++ and an LSTM of the same size: what README and chapter 11 show.

    python -m experiments.rivals

A model that keeps every token begins each window fresh; one with a state of fixed size carries it on. Hope is best with
two heads (`experiments.tiny`) and attention with four, as the arm with two shows.
"""

from typing import Any

from experiments.experiment import Arm, Experiment, main
from experiments.language import language_model

SIZE = dict(
    dim=128, depth=2, hidden=16, chunks=(64, 64), reads="boundary", narrow_rates=True, projections_share=0.1,
    periods=(1, 4, 16), links="gated", rate_power=-0.5, context=256, batch=4, steps=380,
)  # fmt: skip
"""What all arms share, whatever `tiny` is when this is read."""


def arm(name: str, minutes: float, **choices: Any) -> Arm:
    return Arm(name, SIZE | choices, minutes)


EXPERIMENT = Experiment(
    name="rivals",
    question="At equal size on the same text, what is Hope worth beside its rivals?",
    arms=(
        arm("Hope", 1.2, model="hope", heads=2, carry=15),
        arm("Hope-Attention", 0.5, model="hope-attention", heads=4, carry=0),
        arm("Transformer++", 0.5, model="transformer", heads=4, carry=0),
        arm("Transformer++, 2 heads", 0.5, model="transformer", heads=2, carry=0),
        arm("LSTM", 0.5, model="lstm", heads=2, carry=15),
    ),
    rates=(2e-3, 4e-3, 8e-3),
    seeds=(0, 1, 2),
    run=language_model,
    same_time_as="Hope",
    columns={"bits_per_byte_eta_0": "eta 0"},
)

if __name__ == "__main__":
    main(EXPERIMENT)
