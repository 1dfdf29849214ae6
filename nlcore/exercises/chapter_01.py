"""Checks of the exercises of notebook 01. Each returns a sentence and never raises."""

from collections.abc import Callable

import torch
from torch import Tensor

from nlcore.exercises.checking import compare, never_raises


def _draw(*shapes: tuple[int, ...]) -> tuple[Tensor, ...]:
    draw = torch.Generator().manual_seed(0)
    return tuple(torch.randn(*shape, generator=draw, dtype=torch.float64) for shape in shapes)


@never_raises
def check_attend(attend: Callable[[Tensor, Tensor, Tensor, float], Tensor]) -> str:
    """Checks `attend(q, k, v, alpha)`: the decayed Hebbian memory's answer to q, without a matrix (eq. 5)."""
    q, k, v = _draw((4,), (6, 4), (6, 3))
    alpha, age = 0.7, torch.arange(6).flip(0)
    alike = k @ q
    mistakes = {
        "Nothing fades: alpha is not used.": alike @ v,
        "The oldest pair counts most: the newest has age 0, and stands last.": (alpha ** age.flip(0) * alike) @ v,
        "The newest pair is one too old: its age is 0, so alpha to the power 0.": (alpha ** (age + 1) * alike) @ v,
        "The weights pass through a softmax: a linear memory does not normalise.":
            torch.softmax(age * torch.tensor(alpha).log() + alike, 0) @ v,
        "Keys are not compared with q: every pair answers as loudly.": (alpha**age.double()) @ v,
        "Alpha multiplies the age: it is a power, one factor for each later write.": (alpha * age * alike) @ v,
    }  # fmt: skip
    return compare(attend(q, k, v, alpha), (alpha**age * alike) @ v, mistakes)


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


@never_raises
def check_step(exact_step: Callable[[Tensor], float | Tensor]) -> str:
    """Checks `exact_step(k)`: the rate with which one delta rule write makes recall exact."""
    (k,) = _draw((5,))
    square, one = k @ k, torch.ones((), dtype=torch.float64)
    mistakes = {
        "That is right only for keys of length one: this key is longer.": one,
        "That is one over the length: the key comes in twice, in the write and in the read.": 1 / square.sqrt(),
        "That is the inverse: a longer key needs a smaller step.": square,
        "That is the largest step that does not make the error grow: it overshoots to the other side.": 2 / square,
        "That is half of the way: one write leaves half of the error.": 0.5 / square,
        "That divides by the number of entries, not by the squared length.": one / len(k),
    }
    return compare(exact_step(k), 1 / square, mistakes)


@never_raises
def check_ridge(ridge_memory: Callable[[Tensor, Tensor, float], Tensor]) -> str:
    """Checks `ridge_memory(K, V, lam)`, the closed form of eq. 6 with a penalty."""
    K, V = _draw((7, 4), (7, 3))
    lam = 0.5
    gram, cross, eye = K.T @ K, K.T @ V, torch.eye(4, dtype=K.dtype)
    right = torch.linalg.solve(gram + lam * eye, cross).T
    answer = ridge_memory(K, V, lam)
    if isinstance(answer, Tensor) and answer.shape == right.T.shape and torch.allclose(answer, right.T):
        return "Keys and values are exchanged in the result: it answers k @ W, and a read is W @ k."
    mistakes = {
        "The penalty is missing: lam is not used.": torch.linalg.solve(gram, cross).T,
        "The penalty is squared.": torch.linalg.solve(gram + lam**2 * eye, cross).T,
        "The penalty is doubled: both terms have the same half.": torch.linalg.solve(gram + 2 * lam * eye, cross).T,
        "The sign of the penalty is wrong: it makes the matrix larger.": torch.linalg.solve(gram - lam * eye, cross).T,
        "The penalty counts once a pair: the loss is a sum here, not a mean.":
            torch.linalg.solve(gram + len(K) * lam * eye, cross).T,
        "That is the Hebbian matrix: the keys' crosstalk is not taken out.": cross.T,
    }  # fmt: skip
    return compare(answer, right, mistakes)


@never_raises
def check_omega(write: Callable[[Tensor, Tensor, Tensor, float, float], Tensor]) -> str:
    """Checks `omega_write(W, k, v, eta, gamma)`: eq. 68 with a window of two pairs, the older first."""
    W, k, v = _draw((3, 4), (2, 4), (2, 3))
    eta, gamma = 0.25, 0.5
    before = W.clone()
    old, new = (torch.outer(v[i] - W @ k[i], k[i]) for i in (0, 1))
    answer = write(W, k, v, eta, gamma)
    if not torch.equal(W, before):
        return "W itself was changed in place: return a new matrix and leave the old one alone."
    between = W + eta * gamma * old
    first = W + eta * new
    mistakes = {
        "Nothing happened: W came back as it was.": W,
        "Only the newer pair is written: that is c = 1.": first,
        "Only the older pair is written.": between,
        "The weight is on the wrong pair: gamma belongs to the older one.": W + eta * (old + gamma * new),
        "Gamma is not used: both pairs count the same.": W + eta * (old + new),
        "The newer pair's error was taken after the older pair was written: both belong to the same W.":
            between + eta * torch.outer(v[1] - between @ k[1], k[1]),
        "The older pair's error was taken after the newer pair was written: both belong to the same W.":
            first + eta * gamma * torch.outer(v[0] - first @ k[0], k[0]),
        "The sign is wrong: the write goes up the loss, and the errors grow.": W - eta * (gamma * old + new),
        "The old matrix is gone: what is written is added to W.": eta * (gamma * old + new),
    }  # fmt: skip
    return compare(answer, W + eta * (gamma * old + new), mistakes)
