"""The exercises of notebook 02: its solutions pass, and each usual mistake is named."""

import pytest
import torch
from torch import nn

from nlcore.exercises.chapter_02 import check_batch, check_hidden, check_most, check_proximal, check_write
from nlcore.exercises.checking import RIGHT

outer, tanh = torch.outer, torch.tanh


def write(W, x, delta, eta):
    return W - eta * outer(delta, x)


def hidden_surprise(W_above, delta_above, z):
    return (W_above.T @ delta_above) * (1 - tanh(z) ** 2)


def batch_write(X, Delta, eta):
    return -eta * Delta.T @ X / len(X)


def implicit_step(W, x, v, eta):
    return W - eta / (1 + eta * x @ x) * outer(W @ x - v, x)


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
    found = [check_write(write), check_hidden(hidden_surprise), check_batch(batch_write),
             check_proximal(implicit_step), check_most(most_surprised)]
    assert found == [RIGHT] * 5


@pytest.mark.parametrize("wrong, says", [
    (lambda W, x, d, e: W, "Nothing happened"),
    (lambda W, x, d, e: W + e * outer(d, x), "climbs"),
    (lambda W, x, d, e: W - e * outer(x, d), "exchanged"),
    (lambda W, x, d, e: W - outer(d, x), "eta is not used"),
    (lambda W, x, d, e: -e * outer(d, x), "change alone"),
    (lambda W, x, d, e: W - e * (d * x)[:, None], "outer product"),
    (lambda W, x, d, e: W.sub_(e * outer(d, x)), "in place"),
    (lambda W, x, d, e: None, "returns nothing"),
    (lambda W, x, d, e: x @ d, "has size"),
    (lambda W, x, d, e: 2 * W, "not a mistake known here"),
    (lambda W, x, d, e: 1 / 0, "ZeroDivisionError"),
])
def test_a_wrong_write_is_named(wrong, says):
    assert says in check_write(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda W, d, z: W.T @ d, "tanh is missing"),
    (lambda W, d, z: (W @ d) * (1 - tanh(z) ** 2), "W_above is not transposed"),
    (lambda W, d, z: W @ d, "Not transposed, and"),
    (lambda W, d, z: (W.T @ d) * tanh(z), "tanh itself"),
    (lambda W, d, z: (W.T @ d) * (1 - z**2), "wants tanh(z)"),
    (lambda W, d, z: d * (1 - tanh(z) ** 2), "W_above is missing"),
    (lambda W, d, z: W.T @ (d * (1 - tanh(z) ** 2)), "order is reversed"),
    (lambda W, d, z: -(W.T @ d) * (1 - tanh(z) ** 2), "sign is turned"),
    (lambda W, d, z: None, "returns nothing"),
])
def test_a_wrong_hidden_surprise_is_named(wrong, says):
    assert says in check_hidden(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda X, D, e: -e * D.T @ X, "It is the sum"),
    (lambda X, D, e: e * D.T @ X / len(X), "climbs"),
    (lambda X, D, e: -e * X.T @ D / len(X), "transposed"),
    (lambda X, D, e: -e * outer(D.mean(0), X.mean(0)), "averaged before"),
    (lambda X, D, e: -e * outer(D[0], X[0]), "first point"),
    (lambda X, D, e: -e * D.T @ X / X.shape[1], "width instead"),
    (lambda X, D, e: -D.T @ X / len(X), "eta is not used"),
    (lambda X, D, e: -e * D @ X.T / len(X), "has size [5, 5]"),
])
def test_a_wrong_batch_is_named(wrong, says):
    assert says in check_batch(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda W, x, v, e: W, "Nothing happened"),
    (lambda W, x, v, e: W - e * outer(W @ x - v, x), "gradient step"),
    (lambda W, x, v, e: W - outer(W @ x - v, x) / (x @ x), "price for distance"),
    (lambda W, x, v, e: W - e / (1 + e * x.norm()) * outer(W @ x - v, x), "not squared"),
    (lambda W, x, v, e: W - e / (1 + x @ x) * outer(W @ x - v, x), "missing below"),
    (lambda W, x, v, e: W - 1 / (1 + e * x @ x) * outer(W @ x - v, x), "missing above"),
    (lambda W, x, v, e: W + e / (1 + e * x @ x) * outer(W @ x - v, x), "climbs"),
])
def test_a_wrong_implicit_step_is_named(wrong, says):
    assert says in check_proximal(wrong)


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
