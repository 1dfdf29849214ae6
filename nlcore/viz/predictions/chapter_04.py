"""The predictions of notebook 04."""

from nlcore.viz.prediction import Chapter, Tick

CHAPTER = Chapter(
    "Adam, AdaGrad, Muon, M3",
    (
        Tick(
            "04-turn",
            "After 40 gradients around 1 they turn to around −1. When does Adam's step change its sign?",
            ("at once", "after about five gradients", "after ten gradients and more"),
            right="after ten gradients and more",
            because="m keeps 0.9 of itself, and so needs some ten gradients to forget the old ones. The root of h does not notice "
            "the turn, because squares have no sign.",
        ),
        Tick(
            "04-first",
            "The largest singular value is 300 times the smallest. Which form brings the smallest above 0.5 first?",
            ("the cubic one (eq. 43)", "Muon's quintic", "the one as printed (eq. 44)"),
            right="Muon's quintic",
            because="It grows small values 3.4 times per step, the cubic 1.5 times. The price is that it never ends exactly at 1.",
            at={"condition": 300},
        ),
        Tick(
            "04-tenfold",
            "You multiply the loss by 10. Whose first step changes?",
            ("AdamW's", "Muon's", "M3's", "nobody's"),
            right="M3's",
            because="AdamW divides the gradient by its own root, and Newton-Schulz takes its size away: both steps stay. M3 divides "
            "what has lost its size by a root that has not, so that its step becomes ten times smaller.",
        ),
        Tick(
            "04-order",
            "Which of the four ends with the lowest training loss on the digits?",
            ("AdamW", "Muon", "M3", "M3 without its slow memory (“fast only”)"),
            right="M3 without its slow memory (“fast only”)",
            because="Orthogonal steps matter most here. M3's slow memory does not help: without it the loss is lower in all five "
            "seeds. These digits ask for nothing to be remembered for long.",
        ),
    ),
)
