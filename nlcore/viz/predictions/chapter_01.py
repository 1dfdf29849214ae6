"""The predictions of notebook 01."""

from nlcore.viz.prediction import Chapter, Curve, Point, Tick, last_below

CHAPTER = Chapter(
    "Associative memory",
    (
        Point(
            "01-hold",
            "A key has 32 numbers, so that a matrix has 32 × 32. The line shows a matrix to which each pair is simply added. "
            "Move the point to where the best matrix there is ends being exact: so many pairs, at an error of 0.",
            line="ridge",
            where=last_below(0.05),
            given=("Hebbian",),
            because="Up to 32 pairs, as many as a key has numbers, there is a matrix that answers all of them exactly; beyond "
            "that none does. How one writes decides how near one comes to it.",
        ),
        Tick(
            "01-exact",
            "With η = 1, which of the two keys gets an exact answer after both writes?",
            ("the first, which was written when nothing stood in its way", "the second, which was written last", "both", "neither"),
            right="the second, which was written last",
            because="A write with η = 1 removes the whole error of the newest pair. It goes under a key that is not at a right "
            "angle to the first one, which therefore hears 0.6 of it.",
        ),
        Tick(
            "01-window",
            "64 pairs are written to a matrix that can hold 32. What does it do for recall if each write looks back at 8 pairs?",
            (
                "it helps the last 8 pairs and the first ones",
                "it helps the last 8 pairs, and the first ones pay for it",
                "it helps the first pairs, and the last 8 pay for it",
            ),
            right="it helps the last 8 pairs, and the first ones pay for it",
            because="The matrix is full, so that the room in which the newest pairs come to agree is taken from the old ones.",
        ),
        Curve(
            "01-noise",
            "The values of 32 pairs come from a hidden matrix, and carry noise. The line shows the error on the stored pairs, from "
            "a matrix that recalls them exactly, on the left, to one that is held back so strongly that it says nothing. Draw the "
            "error on keys that it has not seen.",
            line="unseen",
            given=("pairs stored",),
            within=0.45,  # the line is steep, and only its course is asked for
            because="Exact recall stores the noise as well, and with as many pairs as numbers in a key it does so at any price: "
            "unseen keys are answered far worse than by silence, which is 1. In between the hidden matrix is learnt.",
        ),
    ),
)
