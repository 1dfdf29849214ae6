"""The predictions of notebook 05."""

from nlcore.viz.prediction import Chapter, Curve, Tick

CHAPTER = Chapter(
    "Beyond gradient descent",
    (
        Tick(
            "05-drift",
            "At a step size of 2 gradient descent explodes; the exact step and Delta GD do not. Inputs resemble each other, and the "
            "target drifts slowly. Which of these two follows it with the smaller error?",
            ("Delta GD, which first erases", "the exact step, which does not", "they are alike"),
            right="the exact step, which does not",
            because="Both take a step whose size answers to the input, and that is what keeps them from exploding. But Delta GD also "
            "erases first, and so it stops at half of the target, whatever the correlation.",
        ),
        Tick(
            "05-write",
            "The layer answers 4 and should answer 6, so that u = 2. Delta GD first erases half of the answer, and then adds half of "
            "u. What does the layer answer after this one write?",
            ("3", "5", "6", "7"),
            right="3",
            because="Erasing leaves 2 of the 4, and half of u is 1. So the answer has moved away from the 6 that it should be.",
        ),
        Curve(
            "05-stable",
            "The line shows what one write of gradient descent leaves of the error, by the step size; an input has length 2. Draw "
            "the same for Delta GD, at its rate η′ = η / (1 + η ‖x‖²).",
            line="Delta GD:",  # whose name goes on otherwise for the printed one
            given=("gradient descent",),
            because="It leaves (1 − η ‖x‖²) / (1 + η ‖x‖²), which goes from 1 to −1 and never beyond. So there is no step at which "
            "errors grow.",
        ),
        Tick(
            "05-outliers",
            "The picture is of values of which every tenth is off by 10. If none were off, which objective would end nearest to the "
            "target?",
            ("the dot product, which is gradient descent", "L2, which is Delta GD", "Huber, with a slope that is cut off"),
            right="the dot product, which is gradient descent",
            because="It goes to the target itself, while all others ask the layer to answer its own correction and stop at half of "
            "the way. With outliers it is the other way about, since it writes a wrong value in proportion to its size.",
            at={"outlier": 0},
            spoils=False,
        ),
    ),
)
