"""Where should a token read the main memory, and how long may a chunk then be?

    python -m experiments.reads

Three readings stand in print (see `SelfModifyingTitans`). Reading inside the chunk costs one more product of
C x C, and hands the newest tokens to the memory; so the chunk may be longer, which costs fewer writes.
"""

from experiments.experiment import Arm, Experiment, main
from experiments.language import language_model

EXPERIMENT = Experiment(
    name="reads",
    question="Where should a token read the main memory, and how long may a chunk then be?",
    arms=(
        Arm("boundary, chunks 16 and 64", dict(reads="boundary", chunks=(16, 64)), minutes=1.6),
        Arm("boundary, chunks of 64", dict(reads="boundary", chunks=(64, 64)), minutes=1.4),
        Arm("before, chunks of 64", dict(reads="before", chunks=(64, 64)), minutes=1.5),
        Arm("after, chunks of 64", dict(reads="after", chunks=(64, 64)), minutes=1.5),
        Arm("after, chunks of 32", dict(reads="after", chunks=(32, 32)), minutes=1.4),
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
