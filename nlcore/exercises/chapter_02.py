"""Checks of the exercises of notebook 02. Each returns a sentence and never raises."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nlcore.exercises.checking import RIGHT, compare, never_raises

ETA = 0.25


def _drawn(*shapes: tuple[int, ...]) -> list[Tensor]:
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=draw, dtype=torch.float64) for shape in shapes]


@never_raises
def check_write(write: Callable[[Tensor, Tensor, Tensor, float], Tensor]) -> str:
    """Checks `write(W, x, delta, eta)`: one layer's gradient step (eq. 7-8, 29-30)."""
    W, x, delta = _drawn((3, 3), (3,), (3,))
    before, new = W.clone(), torch.outer(delta, x)
    answer = write(W, x, delta, ETA)
    if not torch.equal(W, before):
        return "W itself was changed in place: return a new matrix and leave the old one alone."
    return compare(answer, W - ETA * new, {
        "Nothing happened: W came back as it was.": W,
        "The sign is wrong: surprise is a gradient, and this climbs.": W + ETA * new,
        "Key and surprise are exchanged: a layer reads W @ x, so x belongs on the right.": W - ETA * new.T,
        "eta is not used: the step has full length.": W - new,
        "This is the change alone: add it to W.": -ETA * new,
        "Every column got the same: outer product, not a product entry by entry.": W - ETA * delta[:, None] * x[:, None],
    })


@never_raises
def check_hidden(hidden_surprise: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """Checks `hidden_surprise(W_above, delta_above, z)`: a surprise carried back through a layer and a tanh."""
    W, delta, z = _drawn((4, 4), (4,), (4,))
    slope = 1 - torch.tanh(z) ** 2
    back = W.T @ delta
    return compare(hidden_surprise(W, delta, z), back * slope, {
        "The tanh is missing: multiply by its slope at z.": back,
        "W_above is not transposed: W carries answers up, its transpose carries surprise down.": (W @ delta) * slope,
        "Not transposed, and the slope of tanh is missing.": W @ delta,
        "That multiplies by tanh itself; back goes its slope, 1 - tanh(z)^2.": back * torch.tanh(z),
        "The slope is taken at the wrong place: 1 - z^2 wants tanh(z), not z.": back * (1 - z**2),
        "W_above is missing: the surprise above must first come through it.": delta * slope,
        "The order is reversed: first back through W_above, then times the slope at z.": W.T @ (delta * slope),
        "The sign is turned: a surprise is the gradient; the value is minus it.": -back * slope,
    })


@never_raises
def check_batch(batch_write: Callable[[Tensor, Tensor, float], Tensor]) -> str:
    """Checks `batch_write(X, Delta, eta)`: the change of a layer by a batch's mean loss."""
    X, Delta = _drawn((5, 3), (5, 3))
    total = Delta.T @ X
    return compare(batch_write(X, Delta, ETA), -ETA * total / 5, {
        "It is the sum: for a mean loss divide by the number of points.": -ETA * total,
        "The sign is wrong: this climbs.": ETA * total / 5,
        "The result is transposed: its rows belong to surprises, its columns to keys.": -ETA * total.T / 5,
        "Keys and surprises were averaged before the product; each pair must be written by itself.":
            -ETA * torch.outer(Delta.mean(0), X.mean(0)),
        "Only the first point wrote.": -ETA * torch.outer(Delta[0], X[0]),
        "Divided by the width instead of the number of points.": -ETA * total / 3,
        "eta is not used.": -total / 5,
    })


@never_raises
def check_proximal(implicit_step: Callable[[Tensor, Tensor, Tensor, float], Tensor]) -> str:
    """Checks `implicit_step(W, x, v, eta)`: the proximal step on one squared error (eq. 98-99)."""
    W, x, v = _drawn((3, 4), (4,), (3,))
    error = torch.outer(W @ x - v, x)
    square = x @ x
    return compare(implicit_step(W, x, v, ETA), W - ETA / (1 + ETA * square) * error, {
        "Nothing happened: W came back as it was.": W,
        "That is the gradient step: it takes the gradient at W, not where it arrives.": W - ETA * error,
        "This jumps to the exact answer: the price for distance is missing.": W - error / square,
        "The norm is not squared: the new error is the old one over 1 + eta ||x||^2.":
            W - ETA / (1 + ETA * square.sqrt()) * error,
        "eta is missing below: it is 1 + eta ||x||^2.": W - ETA / (1 + square) * error,
        "The rate is 1 / (1 + eta ||x||^2) here; eta is missing above.": W - error / (1 + ETA * square),
        "The sign is wrong: this climbs.": W + ETA / (1 + ETA * square) * error,
    })


def _models() -> list[tuple[nn.Sequential, Tensor, Tensor]]:
    """Three networks: in each another layer is most surprised, and no usual mistake has the same three answers."""
    found = []
    for *scales, size in ((0.1, 10.0, 1.0, 0.2), (1.0, 1.0, 10.0, 4.0), (10.0, 0.1, 0.1, 4.0)):
        first, second, last = (nn.Linear(4, n, bias=False, dtype=torch.float64) for n in (4, 4, 2))
        for layer, scale, drawn in zip((first, second, last), scales, _drawn((4, 4), (4, 4), (2, 4))):
            layer.weight.data = drawn * scale / 2
        x, v = _drawn((3, 4), (3, 2))
        found.append((nn.Sequential(first, nn.Tanh(), second, nn.Tanh(), last), size * x, v))
    return found


def _sizes(model: nn.Sequential, x: Tensor, v: Tensor) -> dict[str, list[float]]:
    """Of each linear layer: the norms of its surprise, of its weights' gradient and of its output."""
    model.zero_grad()
    outputs = []
    for module in model:
        x = module(x)
        x.retain_grad()
        outputs.append(x)
    ((x - v) ** 2).sum().div(2).backward()
    linear = [i for i, module in enumerate(model) if isinstance(module, nn.Linear)]
    return {
        "surprise": [outputs[i].grad.norm().item() for i in linear],
        "gradient": [model[i].weight.grad.norm().item() for i in linear],
        "output": [outputs[i].norm().item() for i in linear],
    }


@never_raises
def check_most(most_surprised: Callable[[nn.Sequential, Tensor, Tensor], int]) -> str:
    """Checks `most_surprised(model, x, v)`: the index of the linear layer with the largest surprise."""
    answers, sizes = [], []
    for model, x, v in _models():
        sizes.append(_sizes(model, x, v))
        model.zero_grad()
        answers.append(most_surprised(model, x, v))
    if any(answer is None for answer in answers):
        return "It returns nothing yet."
    if any(not isinstance(answer, int) for answer in answers):
        return f"The answer is a {type(answers[0]).__name__}: return the index in model, a whole number."
    right = _largest(sizes, "surprise")
    if answers == right:
        return RIGHT
    if answers == [i // 2 for i in right]:
        return "That counts linear layers only: return the index in model, where activations count too."
    if any(answer % 2 for answer in answers):
        return "The index is that of an activation: only nn.Linear layers are asked for."
    mistakes = {
        "That is the largest gradient of the weights: it is the surprise times the key. Take the gradient at the output.":
            _largest(sizes, "gradient"),
        "That is the largest output: take the gradient there, not the output itself.": _largest(sizes, "output"),
        "That is the least surprised layer: take the largest norm.":
            [2 * min(range(3), key=size["surprise"].__getitem__) for size in sizes],
        "It is always the last layer: surprise grows or shrinks on its way down, so compare all.": [4, 4, 4],
        "It is always the first layer: compare all.": [0, 0, 0],
    }
    return next(
        (say for say, wrong in mistakes.items() if answers == wrong),
        f"For the first model it says {answers[0]}, and the surprises there are "
        + ", ".join(f"{size:.2f} at {2 * i}" for i, size in enumerate(sizes[0]["surprise"])) + ".",
    )


def _largest(sizes: list[dict[str, list[float]]], what: str) -> list[int]:
    return [2 * max(range(3), key=size[what].__getitem__) for size in sizes]
