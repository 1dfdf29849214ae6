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


def _modify(M_k: Tensor, M_v: Tensor, M: Tensor, x: Tensor, eta: float, shared: bool = False, late: bool = False,
            erase: float = 2.0, under_v: bool = False) -> tuple[Tensor, ...]:  # fmt: skip
    """One token of three linear memories: each learns its own answer to the value, by Delta GD with the squared error.

    What goes wrong on purpose: one value for all, values of memories already written, an erasure once or three times,
    or the value in the place of the key.
    """
    k, v = M_k @ x, M_v @ x
    new = []
    for memory in (M_k, M_v, M):
        maker = new[-1] if late and new else memory
        value, key = v if shared else maker @ v, v if under_v else k
        new.append(memory - eta * torch.outer(erase * memory @ key - value, key))
    return tuple(new)


@never_raises
def check_modify(modify: Callable[[Tensor, Tensor, Tensor, Tensor, float], Sequence[Tensor]]) -> str:
    """Checks `modify(M_k, M_v, M, x, eta)`: the three matrices after one token."""
    draw = torch.Generator().manual_seed(0)
    matrices, x = torch.randn(3, 4, 4, generator=draw, dtype=torch.float64), torch.randn(4, generator=draw, dtype=torch.float64)
    found = modify(*(matrix.clone() for matrix in matrices), x.clone(), 0.3)
    if found is None:
        return "It returns nothing yet."
    if not isinstance(found, Sequence) or len(found) != 3 or not all(isinstance(one, Tensor) for one in found):
        return "Return three matrices: the new M_k, M_v and M."
    wrong = {
        "All are told the same value: each has to learn its own answer to v.": dict(shared=True),
        "A memory that is written already makes the next one's value: each makes its own, from its state before the token.": dict(late=True),
        "The old answer is taken out once: Delta GD erases it, and the error takes it out again.": dict(erase=1.0),
        "The old answer is taken out three times: once by the rule and once by the error.": dict(erase=3.0),
        "Nothing of the old answer is taken out: the gradient is (M k - value) k^T.": dict(erase=0.0),
        "The memories are written under v: the key is k.": dict(under_v=True),
    }  # fmt: skip
    mistakes = {sentence: torch.stack(_modify(*matrices, x, 0.3, **how)) for sentence, how in wrong.items()}
    right = torch.stack(_modify(*matrices, x, 0.3))
    mistakes["The matrices are as they were."] = matrices
    if all(one.shape == (4, 4) for one in found) and torch.allclose(torch.stack(list(found)), right.mT):
        return "Each write is transposed: the value gives the rows, torch.outer(value, key)."
    shapes = {tuple(one.shape) for one in found}
    return compare(torch.stack(list(found)), right, mistakes) if shapes == {(4, 4)} else f"The matrices have sizes {sorted(shapes)}."


@never_raises
def check_index(index: Callable[[int, int, str], int]) -> str:
    """Checks `index(t, C, reads)`: which state token t reads, the first token being 1 and the start state 0."""
    cases = [(t, C, reads) for C in (1, 4) for t in (1, 3, 4, 5, 8, 9) for reads in ("boundary", "before", "after")]
    answers = [index(*case) for case in cases]
    if any(answer is None for answer in answers):
        return "It returns nothing yet."

    def table(boundary: Callable[[int, int], int], before: int = 1, after: int = 0) -> Tensor:
        made = {"boundary": boundary, "before": lambda t, C: t - before, "after": lambda t, C: t - after}
        return torch.tensor([float(made[reads](t, C)) for t, C, reads in cases])

    right = table(lambda t, C: (t - 1) // C * C)
    mistakes = {
        "At the boundary this is 90 as printed: the end of the token's own chunk.": table(lambda t, C: -(-t // C) * C),
        "Token C reads the state that its own chunk leaves: count from the token before, C * ((t - 1) // C).":
            table(lambda t, C: t // C * C),
        "These are numbers of chunks: a state is numbered by the tokens that were read.": table(lambda t, C: (t - 1) // C),
        "Before and after are exchanged.": table(lambda t, C: (t - 1) // C * C, before=0, after=1),
    }  # fmt: skip
    return compare(torch.tensor([float(answer) for answer in answers]), right, mistakes)


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
