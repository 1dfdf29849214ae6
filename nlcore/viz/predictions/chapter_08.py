"""The predictions of notebook 08."""

from nlcore.viz.prediction import Chapter, Tick

CHAPTER = Chapter(
    "Continuum memory",
    (
        Tick(
            "08-who",
            "A level holds 1 of a place if its own answer contains that place's map wholly, and less than 0 if it answers "
            "against it. A stay abroad has just ended. The slow level still holds most of home. What do the fast and the "
            "middle level together hold of home at that moment?",
            ("the rest of it", "nothing", "less than nothing"),
            right="less than nothing",
            because="The sum of all three has to answer as one does abroad. As the slow level goes on speaking of "
            "home, the faster ones hold its negative, and cancel it.",
        ),
        Tick(
            "08-overshoot",
            "After two steps of the fast link the answer is 1.75, and 2 is right. Now the slow link takes its first step, "
            "along the two errors that it has gathered. Where is the answer then?",
            ("still below 2", "very near 2", "well beyond 2"),
            right="well beyond 2",
            because="The two errors, 1 and 1/2, were those of answers 1 and 1.5. The fast link has mended most of them "
            "since; the slow one mends them once more.",
        ),
        Tick(
            "08-restart",
            "The fast link has gone from 1 to 1.75. Its start, at the same rate, learns from the same two gradients. "
            "Where does the link begin again?",
            ("at 1", "halfway, at 1.375", "at 1.75, where it is"),
            right="at 1.75, where it is",
            because="The same gradients at the same rate make the same way. A restart forgets something only if the "
            "slower level learns more slowly.",
        ),
        Tick(
            "08-abroad",
            "In bits per byte, 8 is no idea at all and 0 certainty. The model needs 1.8 for English, and 8.2 for English in a "
            "code that it never saw. How many will it need after 3,000 bytes of the code, with its levels learning?",
            ("8, as before", "about 6", "about 3", "1.8, as at home"),
            right="about 3",
            because="After every chunk a level takes a step on what it guessed badly, and so the code becomes familiar; in "
            "3,000 bytes it becomes by no means as familiar as English, of which the model has read millions.",
        ),
    ),
)
