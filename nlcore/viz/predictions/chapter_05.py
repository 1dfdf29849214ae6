"""The predictions of notebook 05."""

from nlcore.viz.prediction import Chapter, Curve, Tick

CHAPTER = Chapter(
    "Beyond gradient descent",
    (
        Tick(
            "05-drift",
            "The inputs of a stream resemble each other, and the target drifts slowly. Which follows it with the smaller error?",
            ("gradient descent, which only adds", "Delta GD, which first erases", "they are alike"),
            right="gradient descent, which only adds",
            because="Delta GD stores the correction in the place of the answer, and so stops at half of the target whatever the "
            "correlation. What erasing is good for has to be taken apart from that.",
        ),
        Tick(
            "05-step",
            "The layer answers 4 and should answer 6; x = (1, 2) and η = 0.2. What does it answer after one step?",
            ("4.4", "5", "6", "8"),
            right="6",
            because="The answer moves by η u ‖x‖² = 0.2 · 2 · 5 = 2, so that it is right at once.",
        ),
        Curve(
            "05-stable",
            "The line shows what one write of gradient descent leaves of the error, by the step size; an input has length 2. Draw "
            "the same for the exact form of Delta GD.",
            line="Delta GD, exact",
            given=("gradient descent",),
            because="It leaves (1 − η ‖x‖²) / (1 + η ‖x‖²), which goes from 1 to −1 and never beyond. So there is no step at which "
            "errors grow.",
        ),
        Tick(
            "05-outliers",
            "Every tenth value is off by 20 times its usual size. Which objective ends farthest from the clean target?",
            ("the dot product, which is gradient descent", "L2, which is Delta GD", "Huber, with a slope that is cut off"),
            right="the dot product, which is gradient descent",
            because="It writes a wrong value in proportion to its size. Huber's slope is cut off, and hardly notices; the price is "
            "that without outliers it stops at half of the target, as L2 does.",
            at={"outlier": 20},
            spoils=False,
        ),
    ),
)
