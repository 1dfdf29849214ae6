"""The predictions of notebook 10."""

from nlcore.viz.prediction import Chapter, Tick

CHAPTER = Chapter(
    "Hope",
    (
        Tick(
            "10-hears",
            "Chunks are 8 tokens long, and the memory is read as the chunk began. Token 11 is changed. Besides its own, which "
            "is the first output that changes with it?",
            ("output 12", "output 16", "output 17", "none before output 25"),
            right="output 17",
            because="Token 11 stands in the second chunk, 9 to 16. What that chunk writes is read from output 17 on.",
        ),
        Tick(
            "10-short",
            "A model whose memories are written once in 64 bytes is given 40 bytes. How do its answers differ from those of the "
            "same model with memories that never write?",
            ("not at all", "a little, from the first bytes on", "more and more towards the end"),
            right="not at all",
            because="The first chunk is still open, so that nothing has been written, and whatever is not written cannot be read.",
        ),
        Tick(
            "10-swap",
            "A Python file is being read, and its main memory is exchanged for that of an English text. How many bits does "
            "what follows cost, compared with a memory that has read nothing?",
            ("fewer", "about as many", "more"),
            right="more",
            because="What the memory says of the text goes straight into the prediction. Said of another kind of text it is "
            "not just useless, but wrong.",
        ),
        Tick(
            "10-names",
            "A name is told three times, and 64 bytes later it is due. How many bits cheaper is a letter of it than if another "
            "name had been told?",
            ("by several: it only has to be copied", "by about one", "by nothing that could be measured"),
            right="by nothing that could be measured",
            because="A letter costs about seven bits either way. What this memory holds of a text are no names.",
        ),
    ),
)
