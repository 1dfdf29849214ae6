"""Checks of the exercises of notebook 09. Each returns a sentence and never raises."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from nlcore.exercises.checking import RIGHT, compare, compare_names, never_raises

Answers = list[float]
Memory = Callable[[Sequence[float]], Answers]
CHUNK, TOKENS, WIDTH, GROWTH = 4, 16, 4, 1.8
"""Tokens between two boundaries of the suspects; a hostile chunk's tokens and width, and the growth it has to reach."""


def _chunk(starts: Sequence[Tensor], xs: Tensor, eta: float, fresh: str = "", shared: bool = False,
           erased: str = "now", under_v: bool = False, turned: bool = False) -> tuple[Tensor, ...]:  # fmt: skip
    """A chunk of three linear memories: each learns its own answer to the value, by Delta GD with the squared error.

    What goes wrong on purpose: keys, values and errors, as `fresh` names them, of the matrices as they are by now; one
    value for all; an erasure of what stood at the "start", or "no" erasure; the value in the place of the key; or writes
    that are transposed.
    """
    now = tuple(starts)
    for x in xs:
        makers = now if "keys" in fresh else starts
        k, v = makers[0] @ x, makers[1] @ x
        key, written = v if under_v else k, []
        for start, memory in zip(starts, now):
            value = v if shared else (memory if "values" in fresh else start) @ v
            error = (memory if "errors" in fresh else start) @ key - value
            erase = {"now": memory @ key, "start": start @ key, "no": 0 * key}[erased]
            write = torch.outer(error + erase, key)
            written.append(memory - eta * (write.mT if turned else write))
        now = tuple(written)
    return now


@never_raises
def check_chunk(write_chunk: Callable[[Tensor, Tensor, Tensor, Tensor, float], Sequence[Tensor]]) -> str:
    """Checks `write_chunk(M_k, M_v, M, xs, eta)`: the three matrices after a chunk of tokens (C, 4)."""
    draw = torch.Generator().manual_seed(0)
    starts, xs = torch.randn(3, 4, 4, generator=draw, dtype=torch.float64), torch.randn(3, 4, generator=draw, dtype=torch.float64)
    found = write_chunk(*(start.clone() for start in starts), xs.clone(), 0.3)
    if found is None:
        return "It returns nothing yet."
    if not isinstance(found, Sequence) or len(found) != 3 or not all(isinstance(one, Tensor) for one in found):
        return "Return three matrices: the new M_k, M_v and M."
    wrong = {
        "This is token by token: keys, values and errors come from the matrices as the chunk began.": dict(fresh="keys values errors"),
        "Keys and values are made anew of each written matrix: make them of M_k and M_v as the chunk began.": dict(fresh="keys"),
        "The errors ask the matrix as it is by now: they are those of the chunk's start.": dict(fresh="errors"),
        "Own answers and errors are those of now: both come from the matrix as the chunk began.": dict(fresh="values errors"),
        "Own answers are those of now: what a memory is to learn, it says as the chunk begins.": dict(fresh="values"),
        "The erasures are old as well: each takes out what the matrix answers by now.": dict(erased="start"),
        "Nothing is erased: Delta GD also takes out what the matrix answers by now.": dict(erased="no"),
        "All are told the same value: each has to learn its own answer to v.": dict(shared=True),
        "The memories are written under v: the key is k.": dict(under_v=True),
        "Each write is transposed: the value gives the rows, torch.outer(value, key).": dict(turned=True),
    }  # fmt: skip
    mistakes = {sentence: torch.stack(_chunk(starts, xs, 0.3, **how)) for sentence, how in wrong.items()}
    mistakes["The matrices are as they were."] = starts
    mistakes["Only the last token is written: go on from what the token before has left."] = torch.stack(_chunk(starts, xs[-1:], 0.3))
    shapes = {tuple(one.shape) for one in found}
    return compare(torch.stack(list(found)), torch.stack(_chunk(starts, xs, 0.3)), mistakes) if shapes == {(4, 4)} else (
        f"The matrices have sizes {sorted(shapes)}.")  # fmt: skip


@never_raises
def check_hears(hears: Callable[[int, int, str], int]) -> str:
    """Checks `hears(s, C, reads)`: the first token, counted from 1, whose answer can know what token s told."""
    cases = [(s, C, reads) for C in (1, 4) for s in (1, 3, 4, 5, 8, 9) for reads in ("boundary", "before", "after")]
    answers = [hears(*case) for case in cases]
    if any(answer is None for answer in answers):
        return "It returns nothing yet."

    def table(boundary: Callable[[int, int], int], before: int = 1, after: int = 0) -> Tensor:
        made = {"boundary": boundary, "before": lambda s, C: s + before, "after": lambda s, C: s + after}
        return torch.tensor([float(made[reads](s, C)) for s, C, reads in cases])

    def next_chunk(s: int, C: int) -> int:
        return -(-s // C) * C + 1

    mistakes = {
        "This is the state that token s reads: asked is which token reads a state that holds what s told.":
            table(lambda s, C: (s - 1) // C * C, before=-1),
        "At the boundary this is the last token of the chunk of s: it still reads the state from before its chunk.":
            table(lambda s, C: -(-s // C) * C),
        "Where s closes its chunk, the very next token hears it: count from s - 1, or round s / C up.":
            table(lambda s, C: s // C * C + C + 1),
        "At the boundary one hears of a token only in the next chunk, whenever that begins.": table(lambda s, C: s + 1),
        "These are numbers of chunks: a token is counted from the beginning of the text.": table(lambda s, C: -(-s // C) + 1),
        "Before and after are exchanged.": table(next_chunk, before=0, after=1),
        "Before its own write a token cannot know what it tells itself.": table(next_chunk, before=0),
    }  # fmt: skip
    return compare(torch.tensor([float(answer) for answer in answers]), table(next_chunk), mistakes)


def _one_key(values: Sequence[float], eta: float, chunk: int, erases: bool) -> Answers:
    """The answer after each token of one key, errors taken at the start of the chunk."""
    answer, start, answers = 0.0, 0.0, []
    for t, value in enumerate(values, 1):
        answer = answer - eta * (start - value) - (eta * answer if erases else 0.0)
        answers.append(answer)
        start = answer if t % chunk == 0 else start
    return answers


SUSPECTS: dict[str, Memory] = {
    "A": partial(_one_key, eta=0.4, chunk=CHUNK, erases=False),
    "B": partial(_one_key, eta=0.4, chunk=CHUNK, erases=True),
    "C": partial(_one_key, eta=0.4, chunk=1, erases=True),
}
"""Three memories of one number: values under one key in, answers after each token out."""


@never_raises
def check_suspects(answer: Mapping[str, str]) -> str:
    """Checks which of `SUSPECTS` is "gradient descent", "Delta GD" (both in chunks) or "token by token"."""
    right = {"A": "gradient descent", "B": "Delta GD", "C": "token by token"}
    hints = {
        "A": "Under a steady value its answer climbs by the same amount at each token of a chunk: does anything erase?",
        "B": "Its steps get smaller within a chunk, and jump at the fifth token: something erases, and errors are old.",
        "C": "Under a steady value of 1 it comes to rest at a half and no border shows: when are its errors taken?",
    }
    return compare_names(answer, right, hints)


def growth(keys: Tensor) -> float:
    """What a chunk under these keys (n, d), made of length one, makes of a difference: Delta GD at rates 1/2, no budget."""
    keys = torch.nn.functional.normalize(keys.double(), dim=-1)
    start = left = torch.eye(keys.shape[1], dtype=torch.float64)
    for key in keys:
        left = left - (torch.outer(left @ key, key) + torch.outer(start @ key, key)) / 2
    return torch.linalg.matrix_norm(left, 2).item()


@never_raises
def check_hostile(hostile: Callable[[], Tensor]) -> str:
    """Checks `hostile()`: TOKENS keys of WIDTH numbers, whose chunk makes a difference at least GROWTH times larger."""
    keys = hostile()
    if keys is None:
        return "It returns nothing yet."
    keys = torch.as_tensor(keys).double()
    if keys.shape != (TOKENS, WIDTH):
        return f"The keys have size {list(keys.shape)}: give {TOKENS} keys of {WIDTH} numbers."
    if not keys.isfinite().all() or (keys.norm(dim=-1) < 1e-6).any():
        return "A key is zero or no number: it has no direction."
    found, unit = growth(keys), torch.nn.functional.normalize(keys, dim=-1)
    if found >= GROWTH:
        return RIGHT
    if (unit @ unit[0]).abs().min() > 1 - 1e-9:
        return f"The factor is {found:.2f}. One key is harmless: the erasures after an old error wear it off, under the same key."
    return f"The factor is {found:.2f}. An old error stays if the erasures after it look elsewhere: where should the next key point?"
