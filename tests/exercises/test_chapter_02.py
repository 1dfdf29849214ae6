"""The exercises of notebook 02: its solutions pass, and each usual mistake is named."""

import pytest
import torch
from torch import nn

from nlcore.exercises.chapter_02 import SUSPECTS, check_exact, check_harmless, check_most, check_still, check_suspects
from nlcore.exercises.checking import RIGHT
from nlcore.memory import proximal_step

double = torch.float64


def harmless():
    return torch.eye(3), torch.tensor([[4.0, 1.0], [-3.0, 2.0], [1.0, 5.0]])


def still():
    return torch.ones(3, 2), torch.ones(2, 3), torch.ones(2), torch.tensor([5.0, 7.0])


def exact_step(W, X, V, eta):
    error = X @ W.T - V
    return W - eta * torch.linalg.solve(torch.eye(len(X), dtype=X.dtype) + eta * X @ X.T, error).T @ X


def surprises(model, x, v, of=lambda module, output: output.grad):
    """What `of` finds of each linear layer, by its index in the model: its norm."""
    outputs = []
    for module in model:
        x = module(x)
        x.retain_grad()
        outputs.append(x)
    ((x - v) ** 2).sum().div(2).backward()
    linear = [i for i, m in enumerate(model) if isinstance(m, nn.Linear)]
    return {i: of(model[i], outputs[i]).norm() for i in linear}


def most_surprised(model, x, v):
    found = surprises(model, x, v)
    return max(found, key=found.get)


def test_the_solutions_are_right():
    named = {"A": "batch", "B": "exact", "C": "live", "D": "frozen"}
    found = [check_harmless(harmless), check_suspects(named), check_still(still), check_most(most_surprised), check_exact(exact_step)]
    assert found == [RIGHT] * 5


def test_the_exact_step_is_the_problem_solved():
    draw = torch.Generator().manual_seed(7)
    W, X, V = (torch.randn(*size, generator=draw, dtype=double) for size in ((3, 4), (5, 4), (5, 3)))
    solved = proximal_step(lambda w: (X @ w.T - V).square().sum() / 2, W, 0.3)
    assert (exact_step(W, X, V, 0.3) - solved).abs().max() < 1e-12


def test_the_suspects_part_by_what_the_hints_say():
    x, v = torch.tensor([[1.0, 0.0]], dtype=double), torch.tensor([[1.0]], dtype=double)
    once = {name: (box(x, v, 100.0) @ x[0]).item() for name, box in SUSPECTS.items()}
    assert once["A"] == once["C"] == once["D"] == 100 and 0.98 < once["B"] < 1
    many = {name: (box(x.expand(40, -1), v.expand(40, -1), 0.5) @ x[0]).item() for name, box in SUSPECTS.items()}
    assert many["A"] == pytest.approx(0.5) and many["D"] == pytest.approx(20)
    assert many["B"] == pytest.approx(1) and many["C"] == pytest.approx(1)


def pairs(X, V=None):
    return lambda: (torch.tensor(X), harmless()[1] if V is None else torch.tensor(V))


@pytest.mark.parametrize("wrong, says", [
    (lambda: None, "returns nothing"),
    (lambda: (torch.eye(3), torch.eye(3)), "the values [3, 3]"),
    (pairs([[1.0, 0, 0], [0.6, 0.8, 0], [0, 0, 1]]), "at key 2 the live layer hears 0.6 times what was written under key 1"),
    (pairs([[1.0, 0, 0], [0, 1, 0], [0, -2, 1]]), "at key 3 the live layer hears -2 times what was written under key 2"),
    (pairs([[1.0, 0, 0], [1, 0, 0], [1, 0, 0]]), "asks for something else"),
    (pairs([[1.0, 0, 0], [0, 0, 0], [0, 0, 1]]), "Pair 2 writes nothing"),
    (lambda: (torch.eye(3) * 0.01, harmless()[1]), "Pair 1 writes nothing"),
    (lambda: torch.eye(3), "ValueError"),
])
def test_harm_is_named(wrong, says):
    assert says in check_harmless(wrong)


@pytest.mark.parametrize("named, says", [
    ({}, "names nothing"),
    ({"A": "", "B": "", "C": "", "D": ""}, "names nothing"),
    ({"A": "batch", "B": "implicit", "C": "live", "D": "frozen"}, "'implicit' is none of the names"),
    ({"A": "live", "B": "exact", "C": "batch", "D": "frozen"}, "Look again at A"),
    ({"A": "batch", "B": "live", "C": "exact", "D": "frozen"}, "Look again at B. Write a single pair"),
    ({"A": "batch", "B": "exact", "C": "frozen", "D": "live"}, "Look again at C"),
])
def test_a_wrong_suspect_is_named(named, says):
    assert says in check_suspects(named)


def net(W_1=((1.0, 1), (1, 1), (1, 1)), W_2=((1.0, 1, 1), (1, 1, 1)), x=(1.0, 1), v=(5.0, 7)):
    return lambda: tuple(torch.tensor(part) for part in (W_1, W_2, x, v))


@pytest.mark.parametrize("wrong, says", [
    (lambda: None, "returns nothing"),
    (net(W_1=((1.0, 1), (1, 1))), "The sizes are"),
    (net(x=(0.0, 0)), "key of layer 1 is zero"),
    (net(W_1=((-1.0, -1), (-1, -1), (-1, -1))), "closes relu"),
    (net(W_1=((1.0, 1), (1, 1), (0, 0))), "closes relu"),
    (net(W_2=((0.0, 0, 0), (0, 0, 0))), "A column of W_2 is empty"),
    (net(v=(6.0, 6)), "off by 0 only"),
    (net(v=(5.9, 6.1)), "off by 0.14 only"),
    (net(v=(5.0, 5)), "still surprised, by 2 at hidden number 1"),
    (net(W_2=((1.0, 1, 2), (1, 1, 1)), v=(7.0, 7)), "column 3 of W_2"),
])
def test_noise_of_layer_1_is_named(wrong, says):
    assert says in check_still(wrong)


def alone(W, X, V, eta):
    error = X @ W.T - V
    return W - eta * (error / (1 + eta * X.square().sum(1))[:, None]).T @ X


def in_turn(W, X, V, eta):
    for x, v in zip(X, V):
        W = exact_step(W, x[None], v[None], eta)
    return W


def with_matrix(matrix, outer=lambda eta: eta):
    return lambda W, X, V, e: W - outer(e) * torch.linalg.solve(matrix(e, X @ X.T), X @ W.T - V).T @ X


one = torch.eye(2, dtype=double)


@pytest.mark.parametrize("wrong, says", [
    (lambda W, X, V, e: None, "returns nothing"),
    (lambda W, X, V, e: W, "Nothing happened"),
    (lambda W, X, V, e: W - e * (X @ W.T - V).T @ X, "That is the gradient step:"),
    (lambda W, X, V, e: W - e * (X @ W.T - V).T @ X / 2, "on the mean"),
    (alone, "as if the other were not there"),
    (in_turn, "two problems, one after the other"),
    (with_matrix(lambda e, gram: gram, lambda e: 1), "price for distance"),
    (with_matrix(lambda e, gram: one + gram), "before the keys' products"),
    (with_matrix(lambda e, gram: one + e * gram, lambda e: 1), "before the new errors"),
    (with_matrix(lambda e, gram: one + e * gram, lambda e: -e), "climbs"),
    (lambda W, X, V, e: exact_step(W, X, V, e).T, "has size [4, 3]"),
    (lambda W, X, V, e: exact_step(W, X, V, 2 * e), "not a mistake known here"),
])
def test_a_wrong_exact_step_is_named(wrong, says):
    assert says in check_exact(wrong)


def largest(of):
    def answer(model, x, v):
        found = surprises(model, x, v, of)
        return max(found, key=found.get)
    return answer


def least(model, x, v):
    found = surprises(model, x, v)
    return min(found, key=found.get)


@pytest.mark.parametrize("wrong, says", [
    (lambda model, x, v: None, "returns nothing"),
    (lambda model, x, v: torch.tensor(2), "a Tensor"),
    (lambda model, x, v: most_surprised(model, x, v) // 2, "linear layers only"),
    (lambda model, x, v: 1, "that of an activation"),
    (largest(lambda module, output: module.weight.grad), "gradient of the weights"),
    (largest(lambda module, output: output), "largest output"),
    (least, "least surprised"),
    (lambda model, x, v: 4, "always the last layer"),
    (lambda model, x, v: 0, "always the first layer"),
    (lambda model, x, v: 2, "the surprises there are"),
    (lambda model, x, v: model[0].weight.grad.norm(), "AttributeError"),
])
def test_a_wrong_layer_is_named(wrong, says):
    assert says in check_most(wrong)
