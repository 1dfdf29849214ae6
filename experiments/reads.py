"""Where should a token read the main memory, and how long may a chunk then be?

    python -m experiments.reads

Three readings stand in print (see `SelfModifyingTitans`). Reading inside the chunk costs one more product of
C x C, and hands the newest tokens to the memory; so the chunk may be longer, which costs fewer writes.
"""

from experiments.experiment import Arm, Experiment, main
from experiments.language import language_model

SIZE = dict(
    dim=128, depth=2, heads=4, hidden=32, narrow_rates=True, projections_share=0.1, periods=(1, 4, 16), links="gated",
    rate_power=-0.5, context=256, batch=4, steps=380, carry=0,
)  # fmt: skip
"""What all arms share, whatever `tiny` is when this is read."""


def arm(name: str, reads: str, chunks: tuple[int, int]) -> Arm:
    return Arm(name, SIZE | dict(reads=reads, chunks=chunks), minutes=1.6)


EXPERIMENT = Experiment(
    name="reads",
    question="Where should a token read the main memory, and how long may a chunk then be?",
    arms=(
        arm("boundary, chunks 16 and 64", "boundary", (16, 64)),
        arm("boundary, chunks of 64", "boundary", (64, 64)),
        arm("before, chunks of 64", "before", (64, 64)),
        arm("after, chunks of 64", "after", (64, 64)),
        arm("after, chunks of 32", "after", (32, 32)),
    ),
    rates=(2e-3, 4e-3, 8e-3),
    seeds=(0, 1, 2),
    run=language_model,
    score="bits_per_byte",
    same_time_as="boundary, chunks 16 and 64",
    columns={"bits_per_byte_eta_0": "eta 0"},
)

if __name__ == "__main__":
    main(EXPERIMENT)
