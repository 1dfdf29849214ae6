"""The predictions of notebook 09."""

from nlcore.viz.prediction import Chapter, Tick

CHAPTER = Chapter(
    "A memory that modifies itself",
    (
        Tick(
            "09-nickname",
            "A memory's keys are made by a fixed matrix. It reads who is called what, and then where each one is, of half of "
            "them under their nickname. How many of those does it find, asked for the name, at its best rate?",
            ("nearly all", "about half", "none"),
            right="none",
            because="The place was written under the nickname's key, and the question asks with the name's. That the two are "
            "one person is stored, but under a key as well, and nobody asks for that one on the way.",
        ),
        Tick(
            "09-fixed",
            "One pair comes again and again, and nothing is forgotten. The memory learns by Delta GD with the squared error. "
            "Where does its answer come to rest?",
            ("at the value v", "at v/2", "at 0"),
            right="at v/2",
            because="A write takes the old answer out twice and puts the value in once, so that two halves balance one whole.",
        ),
        Tick(
            "09-anchored",
            "Two tokens with the same key, first the value 3, then 5; the memory starts at 0. Gradient descent with rate 1, and "
            "both errors are taken at the start. What does it answer then?",
            ("5", "4", "8"),
            right="8",
            because="Seen from the start, where the answer is 0, the errors are 3 and 5. The second write does not know of the "
            "first, so both are added.",
        ),
        Tick(
            "09-drag",
            "The model was trained with chunks of 16. Its chunk size is now set to 4, and then to 1. Does it still count?",
            ("yes, nearly as well", "only at 4", "no, it guesses"),
            right="yes, nearly as well",
            because="With the dot product no gradient asks what the memory answers. So where a chunk begins changes no erasure and "
            "no error, but only when keys, values and rates are made anew.",
        ),
    ),
)
