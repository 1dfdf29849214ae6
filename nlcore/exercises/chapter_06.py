"""Checks of the exercises of notebook 06. Each returns a sentence and never raises."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from nlcore.exercises.checking import RIGHT, compare, compare_names, never_raises
from nlcore.memory import L2, AssociativeMemory, Decay, DotProduct, GradientDescent, Linear, Oja, Rates

Box = Callable[[Tensor, Tensor, Tensor], Tensor]


def _draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@never_raises
def check_window(attend: Callable[[Tensor, Tensor, Tensor, float, int], Tensor]) -> str:
    """Checks `attend(q, k, v, tau, c)`: softmax attention of every token over itself and the c - 1 before it (eq. 63)."""
    T, tau, c = 7, 0.3, 3
    q, k, v = _draw(T, 4), _draw(T, 4, seed=1), _draw(T, 2, seed=2)
    scores, age = q @ k.T, torch.arange(T)[:, None] - torch.arange(T)

    def answers(seen: Tensor, bandwidth: float = tau) -> Tensor:
        return torch.softmax((scores / bandwidth).masked_fill(~seen, -torch.inf), -1) @ v

    causal, near = age >= 0, age < c
    weights = scores.exp() ** (1 / tau) * (causal & near)
    mistakes = {
        "It looks ahead: a token sees those that come after it.": answers(near),
        "It looks ahead, and back without end: nothing is masked.": answers(age == age),
        "It looks back without end: c is not used.": answers(causal),
        "The window is one too long: c counts the token itself.": answers(causal & (age <= c)),
        "The window is one too short: c counts the token itself.": answers(causal & (age < c - 1)),
        "Scores are multiplied by tau: divide, so that a small one is narrow.": answers(causal & near, 1 / tau),
        "The bandwidth is not used.": answers(causal & near, 1.0),
        "Scores are divided by the square root of the width: divide by tau instead.": answers(causal & near, 2.0),
        "Scores are divided by the square root of the width as well: tau alone is enough.": answers(causal & near, 2 * tau),
        "The weights do not add up to 1: divide by their sum.": weights @ v,
        "Masked scores are 0, and so count as exp(0) = 1: make them minus infinity.":
            torch.softmax(scores / tau * (causal & near), -1) @ v,
        "The mask comes after the softmax: what is left does not add up to 1.":
            (torch.softmax(scores / tau, -1) * (causal & near)) @ v,
    }  # fmt: skip
    return compare(attend(q, k, v, tau, c), answers(causal & near), mistakes)


def _box(memory: AssociativeMemory, alpha: float) -> Box:
    """A memory behind a curtain: writes pairs (T, d) in turn, at rate 1, and answers queries (Q, d)."""

    def answers(k: Tensor, v: Tensor, q: Tensor) -> Tensor:
        state = memory.start()
        for key, value in zip(k, v):
            state, _ = memory.write(state, key, value, Rates(torch.ones(()), torch.tensor(alpha)))
        return q @ state.memory[0].mT

    return answers


SUSPECTS: dict[str, Box] = {
    name: _box(AssociativeMemory(Linear(4, 4), objective, rule, Decay()), alpha)
    for name, objective, rule, alpha in (
        ("A", L2(), GradientDescent(), 1.0),
        ("B", DotProduct(), Oja(), 1.0),
        ("C", DotProduct(), GradientDescent(), 1.0),
        ("D", DotProduct(), GradientDescent(), 0.7),
    )
}
"""Four memories `box(k, v, q)` of width 4, which are "sum", "decay", "delta" and "Oja" in some order."""


@never_raises
def check_suspects(answer: Mapping[str, str]) -> str:
    """Checks which of `SUSPECTS` is which: a dict from "A" to "D" to "sum", "decay", "delta" or "Oja"."""
    right = {"A": "delta", "B": "Oja", "C": "sum", "D": "decay"}
    hints = {
        "A": "Write one key twice, with two values: what does A say of the first value?",
        "B": "Write one value under two keys at a right angle: what does B still answer to the first key?",
        "C": "Write the same pair three times: how large is C's answer?",
        "D": "Write two pairs whose keys are at a right angle, and ask for the older one: how large is D's answer?",
    }
    return compare_names(answer, right, hints)


@never_raises
def check_stream(stream: Callable[[], tuple[Tensor, Tensor]]) -> str:
    """Checks `stream()`: keys and values (2, 4) of length one, whose first pair delta keeps and Oja loses."""
    found = stream()
    if found is None or isinstance(found, tuple) and any(part is None for part in found):
        return "It returns nothing yet."
    if not isinstance(found, tuple | list) or len(found) != 2:
        return "Return two tensors, the keys and then the values: `return k, v`."
    k, v = (torch.as_tensor(part, dtype=torch.get_default_dtype()) for part in found)
    if k.shape != (2, 4) or v.shape != (2, 4):
        return f"Keys have size {list(k.shape)} and values {list(v.shape)}: both should have [2, 4], a pair per row."
    if (torch.cat([k, v]).norm(dim=1) - 1).abs().max() > 1e-4:
        return "Not all have length one: divide each key and each value by its norm."
    overlap, same = (k[0] @ k[1]).item(), (v[0] @ v[1]).item()
    if abs(overlap) > 0.99:
        return "Both pairs have the same key: the delta rule overwrites the first value as well."
    if abs(overlap) > 1e-3:
        return f"The keys overlap by {overlap:.2f}: delta's second write is heard by the first key. Which angle is safe?"
    if abs(same) < 0.99:
        return f"The values overlap by {same:.2f}: Oja takes only that much from the first key. When does it take all?"
    delta, oja = (SUSPECTS[name](k, v, k)[0] @ v[0] for name in "AB")
    return RIGHT if delta > 0.99 and oja.abs() < 0.01 else f"Delta answers with {delta:.2f} of the first value, Oja with {oja:.2f}."


@never_raises
def check_turn(keys: Callable[[], Tensor]) -> str:
    """Checks `keys()`: two keys (2, 2) of length one, whose writes at rate 2 turn a state by a third of a circle."""
    found = keys()
    if found is None:
        return "It returns nothing yet."
    k = torch.as_tensor(found, dtype=torch.float64)
    if k.shape != (2, 2):
        return f"The keys have size {list(k.shape)}: give two of two numbers, a key per row."
    if (k.norm(dim=1) - 1).abs().max() > 1e-2:
        return "Not both have length one: at rate 2 the write then is no reflection, and the state shrinks or grows."
    k = k / k.norm(dim=1, keepdim=True)  # numbers may have been rounded
    eye = torch.eye(2, dtype=torch.float64)
    turn = (eye - 2 * torch.outer(k[0], k[0])) @ (eye - 2 * torch.outer(k[1], k[1]))
    if torch.allclose(turn, eye, atol=1e-3):
        return "Both keys lie on one line: the second reflection undoes the first, and nothing is counted."
    if torch.allclose(turn, -eye, atol=1e-3):
        return "They are at a right angle: that is half a circle, which counts to two."
    if not torch.allclose(torch.linalg.matrix_power(turn, 3), eye, atol=1e-2):
        angle = torch.rad2deg(torch.acos((k[0] @ k[1]).abs().clamp(max=1)))
        return f"After three tokens the state is not back. Two reflections turn by twice the angle between them, now {angle:.0f} degrees."
    return RIGHT
