"""Checks of the exercises of notebook 01. Each returns a sentence and never raises."""

from collections.abc import Callable, Mapping
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import normalize

from nlcore.exercises.checking import RIGHT, compare, never_raises

DOUBLE = torch.float64


def _draw(*shapes: tuple[int, ...]) -> tuple[Tensor, ...]:
    draw = torch.Generator().manual_seed(0)
    return tuple(torch.randn(*shape, generator=draw, dtype=DOUBLE) for shape in shapes)


@never_raises
def check_delta(write: Callable[[Tensor, Tensor, Tensor, float, float], Tensor]) -> str:
    """Checks `delta_write(W, k, v, alpha, eta)`, the delta rule (eq. 65) with a retention of its own."""
    W, k, v = _draw((3, 4), (4,), (3,))
    alpha, eta, error = 0.5, 0.25, v - W @ k
    before = W.clone()
    answer = write(W, k, v, alpha, eta)
    if not torch.equal(W, before):
        return "W itself was changed in place: return a new matrix and leave the old one alone."
    mistakes = {
        "Nothing happened: W came back as it was.": W,
        "This is the Hebbian rule: v is written in full, not what is wrong about the answer.":
            alpha * W + eta * torch.outer(v, k),
        "The sign is wrong: the error grows with each write.": alpha * W - eta * torch.outer(error, k),
        "The error is that of the faded matrix: the delta rule asks the matrix as it was.":
            alpha * W + eta * torch.outer(v - alpha * W @ k, k),
        "Nothing fades: alpha is not used.": W + eta * torch.outer(error, k),
        "The error is written in full: eta is not used.": alpha * W + torch.outer(error, k),
        "The new pair fades as well: alpha belongs to the old matrix only.": alpha * (W + eta * torch.outer(error, k)),
    }  # fmt: skip
    return compare(answer, alpha * W + eta * torch.outer(error, k), mistakes)


# ---- exercise 2: streams whose values change, or carry noise, or both ----

_KEYS, _WIDTH, _TOKENS = 4, 4, 120
_KINDS = {"A": (0.25, 0.0), "B": (0.0, 0.5), "C": (0.03, 0.5)}
"""How likely a key's value is replaced before its pair comes, and the length of the noise on each value."""
_RATES = torch.tensor((0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 0.9, 1.0), dtype=DOUBLE)
_FRESH = range(1000, 1024)
_SLACK = 1.2, 0.01
"""An error may be larger than the least one by this factor, and by this much: the least lies in a wide valley."""


def _stream(kind: str, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    changes, noise = _KINDS[kind]
    draw = torch.Generator().manual_seed(seed)
    now = normalize(torch.randn(_KEYS, _WIDTH, generator=draw, dtype=DOUBLE), dim=-1)
    keys, pairs = torch.eye(_KEYS, _WIDTH, dtype=DOUBLE), []
    for i in torch.randint(_KEYS, (_TOKENS,), generator=draw).tolist():
        if torch.rand((), generator=draw) < changes:
            now[i] = normalize(torch.randn(_WIDTH, generator=draw, dtype=DOUBLE), dim=-1)
        told = now[i] + noise * torch.randn(_WIDTH, generator=draw, dtype=DOUBLE) / _WIDTH**0.5
        pairs.append((keys[i], told))
    k, v = map(torch.stack, zip(*pairs))
    return k, v, keys, now


STREAMS: dict[str, Callable[[int], tuple[Tensor, Tensor, Tensor, Tensor]]] = {
    kind: lambda seed, kind=kind: _stream(kind, seed) for kind in _KINDS
}
"""Three sources of pairs. `STREAMS["A"](seed)` gives keys and values (T, 4), and last the keys (4, 4) with their true values now."""


@cache
def _fresh(kind: str) -> tuple[Tensor, ...]:
    return tuple(torch.stack(parts) for parts in zip(*(_stream(kind, seed) for seed in _FRESH)))


def _errors(kind: str, rule: str, rates: Tensor) -> Tensor:
    """(rates,) squared error of the answers at the end, mean over keys and streams that no reader has seen."""
    k, v, keys, now = _fresh(kind)
    W = torch.zeros(len(rates), len(k), _WIDTH, _WIDTH, dtype=DOUBLE)
    for t in range(_TOKENS):
        key, value = k[:, t, None, :], v[:, t, :, None]
        wrong = value - W @ key.mT if rule == "delta" else value.expand(*W.shape[:-1], 1)
        W = W + rates[:, None, None, None] * wrong @ key
    return (keys @ W.mT - now).square().sum(-1).mean((1, 2))


@never_raises
def check_rates(answer: Mapping[str, tuple[str, float]]) -> str:
    """Checks a rule and a rate for each of `STREAMS`, by its error on fresh streams against the best of a fine grid."""
    if not isinstance(answer, Mapping) or not any(answer.get(kind) for kind in _KINDS):
        return "It chooses nothing yet."
    for kind in _KINDS:
        chosen = answer.get(kind)
        if not isinstance(chosen, tuple | list) or len(chosen) != 2:
            return f'Give {kind} a rule and a rate, as in ("delta", 0.3).'
        rule, eta = str(chosen[0]).lower(), float(chosen[1])
        if rule not in ("hebbian", "delta"):
            return f'{chosen[0]!r} is none of the rules: they are "Hebbian" and "delta".'
        if not 0 < eta < 2:
            return f"{kind}: at a rate of {eta:g} a write leaves the error as large as it was, or larger. Stay above 0 and below 2."
        least, best = _errors(kind, "delta", _RATES).min(0)
        error = _errors(kind, rule, torch.tensor([eta], dtype=DOUBLE)).item()
        if error <= least * _SLACK[0] + _SLACK[1]:
            continue
        if rule == "hebbian":
            why = "a key that has come thirty times is answered with thirty values, added up: which rule lets go of the old ones"
        elif eta > _RATES[best]:
            why = "the answer is little more than the newest value, with all of its noise: let a write count for less"
            if kind == "A":
                why = "each write overshoots its value"
        else:
            why = "answers still hold much of what the memory said long ago: let a write count for more"
        return f"{kind}: the error is {error:.3f}, and {least:.3f} can be had. With that, {why}."
    return RIGHT


# ---- exercise 3: where adding beats correcting ----


def _once(k: Tensor, v: Tensor) -> tuple[float, float]:
    """Squared error over all pairs, each written once at rate 1: added, and corrected."""
    added, corrected = v.T @ k, torch.zeros(v.shape[1], k.shape[1], dtype=DOUBLE)
    for key, value in zip(k, v):
        corrected = corrected + torch.outer(value - corrected @ key, key)
    return tuple((k @ W.T - v).square().sum().item() for W in (added, corrected))


@never_raises
def check_harm(pairs: Callable[[], tuple[Tensor, Tensor]]) -> str:
    """Checks `pairs()`: two keys and values (2, 2) of length one that the delta rule recalls worse than the Hebbian rule."""
    found = pairs()
    if found is None or isinstance(found, tuple) and any(part is None for part in found):
        return "It returns nothing yet."
    if not isinstance(found, tuple | list) or len(found) != 2:
        return "Return two tensors, the keys and then the values: `return k, v`."
    k, v = (torch.as_tensor(part, dtype=DOUBLE) for part in found)
    if k.shape != (2, 2) or v.shape != (2, 2):
        return f"Keys have size {list(k.shape)} and values {list(v.shape)}: both should have [2, 2], a pair per row."
    if (torch.cat([k, v]).norm(dim=1) - 1).abs().max() > 1e-2:
        return "Not all have length one: divide each key and each value by its norm."
    overlap, same = (k[0] @ k[1]).item(), (v[0] @ v[1]).item()
    if abs(overlap) > 0.95:
        return "The keys lie on one line: a second value for the same key is a correction, and there the newest should win."
    added, corrected = _once(k, v)
    if corrected > 1.1 * added:
        return RIGHT
    if abs(overlap) < 1e-2:
        return "The keys are at a right angle: neither hears the other, and both rules are exact."
    said = f"All in all adding is off by {added:.2f}, correcting by {corrected:.2f}."
    if overlap * same > 0:
        return f"{said} What the second key hears already points the right way, so that little is wrong: when is the most wrong?"
    if abs(same) > 0.9:
        return f"{said} The values are as they should be; the first key hears too little of the second write. How alike must keys be?"
    return f"{said} The second write is the larger, the more the second key hears of what it should not say. Which second value makes it largest?"


# ---- exercise 4: recursive least squares that forgets ----


def _fading(k: Tensor, v: Tensor, alpha: float, mistake: str = "") -> Tensor:
    W, P = torch.zeros(v.shape[1], k.shape[1], dtype=DOUBLE), 2 * torch.eye(k.shape[1], dtype=DOUBLE)
    fades = 1.0 if mistake == "never" else alpha
    for key, value in zip(k, v):
        seen = P @ key
        gain = seen / ((1.0 if mistake == "gain" else fades) + key @ seen)
        kept = fades * W if mistake in ("W", "W alone") else W
        W = kept + torch.outer(value - (W if mistake == "late" else kept) @ key, gain)
        P = P - torch.outer(gain, seen)
        P = P * alpha if mistake == "times" else P if mistake in ("P", "W alone") else P / fades
    return W


@never_raises
def check_fading(write: Callable[[Tensor, Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor]]) -> str:
    """Checks `write(W, P, k, v, alpha)`: recursive least squares whose old pairs count for alpha less with each write."""
    k, v = _draw((6, 3), (6, 2))
    alpha = 0.7
    W, P = torch.zeros(2, 3, dtype=DOUBLE), 2 * torch.eye(3, dtype=DOUBLE)
    for key, value in zip(k, v):
        before = W.clone(), P.clone()
        answer = write(W, P, key, value, alpha)
        if answer is None:
            return "It returns nothing yet."
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            return "Return both matrices: `return W, P`."
        if not (torch.equal(W, before[0]) and torch.equal(P, before[1])):
            return "W or P was changed in place: return new matrices and leave the old ones alone."
        W, P = answer
    age = torch.arange(len(k)).flip(0)
    weight = alpha**age.double()
    right = torch.linalg.solve((k * weight[:, None]).T @ k + alpha ** len(k) / 2 * torch.eye(3, dtype=DOUBLE), (k * weight[:, None]).T @ v).T
    mistakes = {
        "Nothing happened: W came back as it was.": torch.zeros(2, 3, dtype=DOUBLE),
        "Nothing fades: all pairs count the same, as in the text.": _fading(k, v, alpha, "never"),
        "The gain still has a 1 below: when the old pairs count for alpha, that 1 becomes alpha.": _fading(k, v, alpha, "gain"),
        "P does not fade: it is the inverse of the sum of k k^T, and that sum is multiplied by alpha.": _fading(k, v, alpha, "P"),
        "P is multiplied by alpha: it is an inverse, so divide.": _fading(k, v, alpha, "times"),
        "W itself is multiplied by alpha: fewer pairs count, but those that do are still to be answered in full.":
            _fading(k, v, alpha, "W"),
        "Only W fades, and P does not: it is the other way round.": _fading(k, v, alpha, "W alone"),
        "The delta rule: the write stands under k, and not under the gain.": _delta(k, v),
    }  # fmt: skip
    return compare(W, right, mistakes)


def _delta(k: Tensor, v: Tensor) -> Tensor:
    W = torch.zeros(v.shape[1], k.shape[1], dtype=DOUBLE)
    for key, value in zip(k, v):
        W = W + torch.outer(value - W @ key, key)
    return W
