"""The predictions of notebook 11."""

from nlcore.viz.prediction import Chapter, Tick

CHAPTER = Chapter(
    "Train Hope at full scale",
    (
        Tick(
            "11-rows",
            "Draw a piano roll: a row for each of these, a column for each step of training, a dot where it changes. Which "
            "rows have a dot in every column?",
            (
                "memory alone",
                "memory and projections",
                "memory, projections, weights and cms-3",
                "all but cms-1",
            ),
            right="memory, projections, weights and cms-3",
            because="A step reads texts of 256 bytes, so that memory and projections are written four times in it, and "
            "weights and cms-3 change with every step. The row of cms-2 has a dot in every fourth column, that of cms-1 "
            "in every sixteenth, so 6 in the first 100.",
        ),
        Tick(
            "11-letters",
            "The trained model reads text that it has not seen. Which of these bytes cost it the most bits, on average?",
            ("the first letter of a word", "the letters inside a word", "spaces and line ends"),
            right="the first letter of a word",
            because="Each letter of a word narrows down what can follow, while a new word may be almost any. Spaces cost "
            "least, since many of them stand at the beginning of a line of code, one after the other.",
        ),
        Tick(
            "11-rival",
            "Hope or the Transformer, each at its own best rate: which is better at size tiny, on a CPU, after as many steps, "
            "and which after as many minutes?",
            (
                "Hope after as many steps, and after as many minutes too",
                "Hope after as many steps, the Transformer after as many minutes",
                "the Transformer after as many steps, Hope after as many minutes",
                "the Transformer after both",
            ),
            right="Hope after as many steps, the Transformer after as many minutes",
            because="In all three seeds. Hope takes more from each step, and its memories, which are written as they read, "
            "make a step almost three times as slow.",
        ),
        Tick(
            "11-worth",
            "Which level is worth clearly more on a text if the model has just read the same text?",
            (
                "memory, which writes while it reads",
                "cms-3, the fastest level of the continuum memory",
                "cms-1, the slowest level of the continuum memory",
            ),
            right="memory, which writes while it reads",
            because="Only what changes inside the sequence can know what was read a moment ago. The continuum memory changes "
            "in training alone: it holds what texts have in common, and is worth about as much after any text.",
        ),
    ),
)
