"""The predictions of notebook 06."""

from nlcore.viz.prediction import Chapter, Tick

CHAPTER = Chapter(
    "Attention is a memory too",
    (
        Tick(
            "06-corrected",
            "The text says that Ann is in Rome, and later that she is in Accra. Asked for Ann at the end, which of the three "
            "answers with both places in equal parts: the sum, the delta rule, attention?",
            ("the sum alone", "attention alone", "the sum and attention", "all three"),
            right="the sum and attention",
            because="The sum has added both; attention keeps both pairs under the same key, and gives their mean. The delta rule "
            "took the old place out in the same write that put the new one in.",
        ),
        Tick(
            "06-wide",
            "What does attention answer, to any query, if its bandwidth is very large?",
            ("the value whose key is nearest", "the mean of all values", "nothing: the zero vector"),
            right="the mean of all values",
            because="All weights become equal then, and they add up to 1. With a very small bandwidth it is the other way round: "
            "the nearest key has all of the weight.",
            at={"bandwidth": 10.0},
            spoils=False,
        ),
        Tick(
            "06-bytes",
            "64 pairs are read. A matrix of 16 by 16 and a window of 8 pairs have the same bytes. Which of them recalls more pairs, "
            "if it is enough that the right value is the nearest of the 64?",
            ("the window: what it holds it holds exactly", "the matrix, about twice as many", "they are alike"),
            right="the matrix, about twice as many",
            because="An answer may be far from its value and still nearer to it than to any other, so a blurred trace of many pairs is "
            "worth more than eight exact ones. If the answer itself has to be right, the window wins.",
        ),
        Tick(
            "06-parity",
            "Whenever a 1 arrives, a state is multiplied by μ, and then 1 is added. With which μ can one threshold on the state tell, "
            "for every number of ones up to 24, whether it is odd?",
            ("0.9", "1", "−1", "any of the three"),
            right="−1",
            because="With −1 the state goes 1, 0, 1, 0 for ever. With 1 it counts, so that odd and even numbers alternate on a line "
            "without end; with 0.9 it climbs as well, and comes to rest where odd and even are alike.",
            at={"rule": "Delta GD", "eta": 1.0},
            spoils=False,
        ),
    ),
)
