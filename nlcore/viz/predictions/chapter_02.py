"""The predictions of notebook 02."""

from nlcore.viz.prediction import Chapter, Curve, Tick

CHAPTER = Chapter(
    "Backpropagation is a memory",
    (
        Tick(
            "02-small",
            "When the loss has become small, what of layer 2's step has shrunk with it?",
            ("the keys most of all", "the surprises of single points most of all", "what is written most of all", "all three alike"),
            right="what is written most of all",
            because="Keys are what the layer sees, and stay large. Single points go on surprising it, but different points want "
            "opposite changes, and in the sum that is written these cancel.",
        ),
        Tick(
            "02-orthogonal",
            "The step has written under the key x = (1, 2). How does the answer change at the key q = (2, −1)?",
            ("as much as at x itself", "as much as at x, the other way", "half as much as at x", "not at all"),
            right="not at all",
            because="x · q is 1 · 2 − 2 · 1 = 0: the two keys are at a right angle, so that q hears nothing of what was written "
            "under x.",
        ),
        Tick(
            "02-spiral",
            "Which points go on surprising the network to the end?",
            ("those at the centre of the spiral", "those at its ends", "all alike"),
            right="those at the centre of the spiral",
            because="At the centre the two arms lie close together and want opposite answers, which a network that answers smoothly "
            "can hardly give.",
        ),
        Curve(
            "02-frozen",
            "The line is the loss of a network that learns by backpropagation, point by point. Draw the loss of the same network "
            "if every value is taken from its first state, which is linear attention on gradients.",
            line="frozen",
            given=("backpropagation",),
            because="For some seven writes both learn alike. Then the frozen network overshoots, since its values do not know what has "
            "been written by now.",
        ),
    ),
)
