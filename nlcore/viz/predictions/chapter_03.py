"""The predictions of notebook 03."""

from nlcore.viz.prediction import Chapter, Tick

CHAPTER = Chapter(
    "Momentum is a memory of gradients",
    (
        Tick(
            "03-lost",
            "Four tasks that have nothing in common, 60 steps each. Which does most harm to the tasks that are over?",
            ("plain gradient descent (SGD)", "momentum", "Adam", "Muon"),
            right="Adam",
            because="Adam divides each entry by its own root mean square, and so leaves the directions of the task that is being "
            "learnt. Plain gradient descent cannot leave them, and harms nothing.",
        ),
        Tick(
            "03-settles",
            "The same gradient, with ‖g‖² = 2, is written again and again at α = 0.5 and β = 1. Which form does not settle?",
            ("the literal one", "the bounded one", "the exact one"),
            right="the literal one",
            because="It multiplies what it holds along g by α − β ‖g‖² = −1.5 at each write. In the other two a large gradient "
            "counts as β / (1 + β ‖g‖²) and no more.",
        ),
        Tick(
            "03-stop",
            "Move one slider by one stop. How does the number of steps change until a path has arrived?",
            ("a little, by a few steps", "by some ten or twenty steps", "a lot: it may double, or the path never arrives"),
            right="a lot: it may double, or the path never arrives",
            because="The valley's walls are steep, and a path that crosses them may land anywhere. That is why one lucky setting "
            "proves nothing.",
        ),
        Tick(
            "03-signal",
            "The memory has just been given a noisy gradient. Which is nearer to the signal in it?",
            ("the gradient itself", "the memory's answer to it", "neither: both are equally far"),
            right="the memory's answer to it",
            because="It has few units, and so has learnt only the directions that return. Noise does not return, and is mostly "
            "left out of the answer.",
        ),
    ),
)
