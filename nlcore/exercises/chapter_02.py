"""Checks of the exercises of notebook 02. Each returns a sentence and never raises."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from nlcore.exercises.checking import RIGHT, compare, compare_names, never_raises

ETA = 0.25
Pairs = tuple[Tensor, Tensor]
Network = tuple[Tensor, Tensor, Tensor, Tensor]


def _drawn(*shapes: tuple[int, ...]) -> list[Tensor]:
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=draw, dtype=torch.float64) for shape in shapes]


def _written(W: Tensor, X: Tensor, V: Tensor, frozen: bool) -> tuple[Tensor, list[float]]:
    """A layer after each pair was written in turn, and the norm of each write; frozen: at the values of the first state."""
    now, norms = W, []
    for x, v in zip(X, V):
        write = ETA * torch.outer(v - (W if frozen else now) @ x, x)
        now, norms = now + write, [*norms, write.norm().item()]
    return now, norms


@never_raises
def check_harmless(harmless: Callable[[], Pairs]) -> str:
    """Checks `harmless()`: three pairs after which a layer with frozen values is the live one, whatever its start."""
    answer = harmless()
    if answer is None:
        return "It returns nothing yet."
    X, V = (part.to(torch.float64) for part in answer)
    if X.shape != (3, 3) or V.shape != (3, 2):
        return f"The keys have size {list(X.shape)} and the values {list(V.shape)}: they should have [3, 3] and [3, 2]."
    (W,) = _drawn((2, 3))
    (live, norms), (frozen, _) = _written(W, X, V, False), _written(W, X, V, True)
    lazy = [t + 1 for t, norm in enumerate(norms) if norm < 0.05]
    if lazy:
        return f"Pair {lazy[0]} writes nothing to speak of, so that it can do no harm either: let its key and its error be larger."
    if (live - frozen).norm() < 1e-9:
        return RIGHT
    products = {(s, t): (X[s] @ X[t]).item() for t in range(3) for s in range(t)}
    (s, t), product = max(products.items(), key=lambda one: abs(one[1]))
    return (
        f"They part by {(live - frozen).norm():.2g}: at key {t + 1} the live layer hears {product:.2g} times what was written "
        f"under key {s + 1}, asks for something else, and the frozen one does not know."
    )


def _live(X: Tensor, V: Tensor, eta: float) -> Tensor:
    W = X.new_zeros(V.shape[1], X.shape[1])
    for x, v in zip(X, V):
        W = W - eta * torch.outer(W @ x - v, x)
    return W


def _exact(X: Tensor, V: Tensor, eta: float) -> Tensor:
    W = X.new_zeros(V.shape[1], X.shape[1])
    for x, v in zip(X, V):
        W = W - eta / (1 + eta * x @ x) * torch.outer(W @ x - v, x)
    return W


def _frozen(X: Tensor, V: Tensor, eta: float) -> Tensor:
    return eta * V.T @ X


def _batch(X: Tensor, V: Tensor, eta: float) -> Tensor:
    return eta * V.T @ X / len(X)


SUSPECTS: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {"A": _batch, "B": _exact, "C": _live, "D": _frozen}
"""Each gives the weights (out, in) of a layer that began at zero, after pairs X (n, in), V (n, out) at rate eta."""
_NAMES = {"A": "batch", "B": "exact", "C": "live", "D": "frozen"}


@never_raises
def check_suspects(named: Mapping[str, str]) -> str:
    """Checks which of `SUSPECTS` is live, frozen, a batch, or takes exact steps."""
    return compare_names(named, _NAMES, {
        "A": "Write one pair, then the same pair three times over: what does it do with a crowd?",
        "B": "Write a single pair, at a huge rate: where does it arrive, and where do the others?",
        "C": "Write the same pair many times at a rate of a half: does it come to rest?",
        "D": "Write the same pair many times at a rate of a half: does it ever stop?",
    })


@never_raises
def check_still(still: Callable[[], Network]) -> str:
    """Checks `still()`: W_1 (3, 2), W_2 (2, 3), x (2,), v (2,), wrong at the output, and layer 1 writes nothing."""
    answer = still()
    if answer is None:
        return "It returns nothing yet."
    W_1, W_2, x, v = (part.to(torch.float64) for part in answer)
    sizes = [list(part.shape) for part in (W_1, W_2, x, v)]
    if sizes != [[3, 2], [2, 3], [2], [2]]:
        return f"The sizes are {sizes}: they should be [3, 2], [2, 3], [2] and [2]."
    z = W_1 @ x
    if x.norm() < 1e-6:
        return "The key of layer 1 is zero, so that nothing can be written under it: let x say something."
    if (z <= 0).any():
        return "That closes relu: a hidden number at or below 0 lets no surprise through. Let all three be above 0."
    if W_2.norm(dim=0).min() < 0.1:
        return "A column of W_2 is empty, and carries no surprise because it carries no answer: fill every column."
    delta_2 = W_2 @ z - v
    if delta_2.norm() < 1:
        return f"The output is off by {delta_2.norm():.2g} only: a network that is right stands still for a good reason."
    delta_1 = W_2.T @ delta_2
    if delta_1.norm() < 1e-9:
        return RIGHT
    loudest = delta_1.abs().argmax().item()
    return (
        f"Layer 1 is still surprised, by {delta_1[loudest]:.2g} at hidden number {loudest + 1}: that is column {loudest + 1} of "
        "W_2 times the output's surprise."
    )


@never_raises
def check_exact(exact_step: Callable[[Tensor, Tensor, Tensor, float], Tensor]) -> str:
    """Checks `exact_step(W, X, V, eta)`: the proximal step on the sum of several squared errors (eq. 98-99)."""
    W, X, V = _drawn((3, 4), (2, 4), (2, 3))
    error, gram, one = X @ W.T - V, X @ X.T, torch.eye(2, dtype=torch.float64)

    def step(errors: Tensor) -> Tensor:
        return W - ETA * errors.T @ X

    def solved(matrix: Tensor) -> Tensor:
        return torch.linalg.solve(matrix, error)

    in_turn = W
    for x, v in zip(X, V):
        in_turn = in_turn - ETA / (1 + ETA * x @ x) * torch.outer(in_turn @ x - v, x)
    return compare(exact_step(W, X, V, ETA), step(solved(one + ETA * gram)), {
        "Nothing happened: W came back as it was.": W,
        "That is the gradient step: it takes both errors at W, not where it arrives.": step(error),
        "That is the gradient step on the mean: the errors are added here, and taken where the step arrives.": step(error / 2),
        "Each pair took its own exact step from W, as if the other were not there: but each hears the other, by their keys' product.":
            step(error / (1 + ETA * gram.diagonal())[:, None]),
        "The second pair took its exact step after the first: that is two problems, one after the other, and not one for both.":
            in_turn,
        "This jumps to where both errors are 0: the price for distance is missing.": W - solved(gram).T @ X,
        "eta is missing before the keys' products: it is I + eta X X^T.": step(solved(one + gram)),
        "eta is missing before the new errors.": W - solved(one + ETA * gram).T @ X,
        "The sign is wrong: this climbs.": step(-solved(one + ETA * gram)),
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
