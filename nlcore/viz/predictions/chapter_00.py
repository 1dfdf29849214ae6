"""The predictions of notebook 00."""

from nlcore.viz.prediction import Chapter, Curve, Tick

CHAPTER = Chapter(
    "Start here",
    (
        Tick(
            "00-clock",
            "After the last word, which row knows most of the text?",
            (
                "attention, whose window moves on with every word",
                "momentum, which is updated after every fourth word",
                "CMS, slow, which is updated only twice",
            ),
            right="CMS, slow, which is updated only twice",
            because="Every update fades what was there before. Two updates wrote 48 of the 52 words and faded little; "
            "the last four words wait for an update that has not come.",
            spoils=False,
        ),
        Tick(
            "00-halved",
            "The first value is (4, 2), and α = 0.5. What does its key answer after the second write?",
            ("(4, 2): it is stored under its own key", "(2, 1): half of it", "(1, 0.5): a quarter of it"),
            right="(2, 1): half of it",
            because="One update came after it, and an update keeps half of all that is there. The first write itself "
            "faded an empty memory.",
        ),
        Tick(
            "00-boxes",
            "The same training once more, but the innermost box stands still: the memory is never written. What do the weights learn?",
            ("good keys, as before", "good keys, but later", "nothing: they never change"),
            right="nothing: they never change",
            because="Keys matter only through what the memory does with them. An empty memory answers nothing under any key, "
            "so that no change of the weights changes the error, and the gradient is zero. The outer boxes learn through the "
            "inner one.",
        ),
        Curve(
            "00-fading",
            "Nothing fades here, α is 1, and the memory that adds recalls all words alike. Draw the recall of the memory "
            "that corrects, from the last word to the first.",
            line="corrects",
            given=("adds",),
            because="It is exact about the last word. Each correction also disturbs a little what was there before, so "
            "that the oldest words have suffered most, although nothing fades.",
        ),
    ),
)
