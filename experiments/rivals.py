"""Hope and Hope-Attention beside a Transformer++ and an LSTM of the same size: what README and chapter 11 show."""

from experiments.experiment import Arm, Experiment, main
from experiments.language import language_model

EXPERIMENT = Experiment(
    name="rivals",
    question="At equal size on the same text, what is Hope worth beside its rivals?",
    arms=(
        Arm("Hope", dict(model="hope"), minutes=1.8),
        Arm("Hope-Attention", dict(model="hope-attention"), minutes=0.5),
        Arm("Transformer++", dict(model="transformer"), minutes=0.5),
        Arm("LSTM", dict(model="lstm"), minutes=0.5),
    ),
    rates=(2e-3, 4e-3, 8e-3),
    seeds=(0, 1, 2),
    run=language_model,
    same_time_as="Hope",
    columns={"bits_per_byte_eta_0": "eta 0"},
)

if __name__ == "__main__":
    main(EXPERIMENT)
