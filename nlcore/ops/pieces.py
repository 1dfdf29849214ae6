"""Where a sequence is cut into chunks."""


def pieces(position: int, tokens: int, size: int) -> list[int]:
    """How many of `tokens` new ones, after `position` others, fall into each chunk of `size`: the first may be under way.

    For `torch.split`, whose gradient is one `cat`. That of a slice is as long as the whole sequence, so that a loop over
    slices costs the sequence's square.
    """
    first = min(tokens, size - position % size)
    return [first, *(min(size, tokens - done) for done in range(first, tokens, size))]
