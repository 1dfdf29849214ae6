"""The predictions of notebook 07."""

from nlcore.viz.prediction import Chapter, Tick

CHAPTER = Chapter(
    "Levels, frequencies, knowledge transfer",
    (
        Tick(
            "07-levels",
            "A memory is updated at every token. Momentum, weights and average are updated once in 16 tokens; the "
            "new weights are computed from the new momentum, and the new average from the new weights. On how many"
            " levels do the four stand?",
            ("one", "two", "three", "four"),
            right="four",
            because="The memory is the fastest by frequency. The other three are equally often updated, but each "
            "of them needs the one before it at the same instant, so each has a level of its own.",
            at={"needs": "and the average needs the weights"},
            spoils=False,
        ),
        Tick(
            "07-orders",
            "In how many of the 24 orders do the numbers come out as those of torch's AdamW with an average?",
            ("1", "2", "6", "24"),
            right="2",
            because="Both moments have to be new before the weights, and the weights before the average. Only the "
            "two moments may change places, because neither needs the other.",
        ),
        Tick(
            "07-start",
            "From which start do the two contexts do best on average, if each takes its one step before it is "
            "judged?",
            ("2, what the first wants", "4, the middle", "4.67, the mean by strength", "6, what the second wants"),
            right="2, what the first wants",
            because="At its strength, one step takes the second context all the way to 6 from anywhere. Only the "
            "first still depends on where it starts.",
        ),
        Tick(
            "07-graph",
            "For which of the five ways does the number of operations to go back through grow with the number of "
            "writes?",
            (
                "for all of them: the fast level is always written",
                "for the learnt start, and for a context that is made",
                "for the answer that is solved, as it keeps all tokens",
            ),
            right="for the learnt start, and for a context that is made",
            because="Only there does the gradient pass through the writes on its way to the slow level. A state "
            "that is read, a weight that is made and one flow of gradient lie after them; the answer that "
            "is solved has no writes, only a large context.",
        ),
    ),
)
