"""The exercises of notebook 01: its solutions pass, and each usual mistake is named."""

import pytest
import torch
from torch import outer

from nlcore.exercises.chapter_01 import STREAMS, check_delta, check_fading, check_harm, check_rates
from nlcore.exercises.checking import RIGHT

CHOSEN = {"A": ("delta", 1.0), "B": ("delta", 0.1), "C": ("delta", 0.35)}


def delta_write(W, k, v, alpha, eta):
    return alpha * W + eta * torch.outer(v - W @ k, k)


def pairs():
    return torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor([[1.0, 0.0], [-1.0, 0.0]])


def fading_write(W, P, k, v, alpha):
    gain = P @ k / (alpha + k @ P @ k)
    return W + torch.outer(v - W @ k, gain), (P - torch.outer(gain, P @ k)) / alpha


def test_the_solutions_are_right():
    found = check_delta(delta_write), check_rates(CHOSEN), check_harm(pairs), check_fading(fading_write)
    assert found == (RIGHT,) * 4


def test_the_stubs_are_told_what_is_missing():
    assert "Nothing happened" in check_delta(lambda W, k, v, alpha, eta: W)
    assert "nothing yet" in check_rates({"A": None, "B": None, "C": None})
    assert "nothing yet" in check_harm(lambda: None)
    assert "Nothing happened" in check_fading(lambda W, P, k, v, alpha: (W, P))


@pytest.mark.parametrize("wrong, says", [
    (lambda W, k, v, a, e: a * W + e * outer(v, k), "Hebbian"),
    (lambda W, k, v, a, e: a * W - e * outer(v - W @ k, k), "sign"),
    (lambda W, k, v, a, e: a * W + e * outer(v - a * W @ k, k), "faded matrix"),
    (lambda W, k, v, a, e: W + e * outer(v - W @ k, k), "alpha is not used"),
    (lambda W, k, v, a, e: a * W + outer(v - W @ k, k), "eta is not used"),
    (lambda W, k, v, a, e: a * (W + e * outer(v - W @ k, k)), "fades as well"),
    (lambda W, k, v, a, e: W.mul_(a), "in place"),
    (lambda W, k, v, a, e: a * W + e * outer(k, v), "RuntimeError"),
    (lambda W, k, v, a, e: 3 * W, "not a mistake known here"),
])
def test_a_wrong_delta_rule_is_named(wrong, says):
    assert says in check_delta(wrong)


@pytest.mark.parametrize("wrong, says", [
    ({}, "nothing yet"),
    (None, "nothing yet"),
    ({"A": ("delta", 1.0)}, "Give B a rule"),
    (CHOSEN | {"C": 0.3}, "Give C a rule"),
    (CHOSEN | {"C": ("Oja", 0.3)}, "none of the rules"),
    (CHOSEN | {"A": ("Hebbian", 1.0)}, "A: the error is 171"),
    (CHOSEN | {"C": ("Hebbian", 0.03)}, "added up"),
    (CHOSEN | {"A": ("delta", 0.3)}, "A: the error is 0.267, and 0.000 can be had. With that, answers still hold"),
    (CHOSEN | {"A": ("delta", 1.3)}, "overshoots"),
    (CHOSEN | {"A": ("delta", 2.0)}, "below 2"),
    (CHOSEN | {"B": ("delta", 1.0)}, "B: the error is 0.256, and 0.019 can be had. With that, the answer is little more than the newest"),
    (CHOSEN | {"B": ("delta", 0.02)}, "long ago"),
    (CHOSEN | {"C": ("delta", 0.05)}, "long ago"),
    (CHOSEN | {"C": ("delta", 0.9)}, "noise"),
    (CHOSEN | {"C": ("delta", "fast")}, "ValueError"),
])
def test_a_wrong_choice_is_named(wrong, says):
    assert says in check_rates(wrong)


def test_a_stream_is_as_it_is_described():
    for kind, stream in STREAMS.items():
        k, v, keys, now = stream(3)
        assert k.shape == v.shape == (120, 4) and torch.equal(keys, torch.eye(4, dtype=k.dtype))
        assert torch.allclose(now.norm(dim=1), torch.ones(4, dtype=k.dtype))
        assert torch.equal(stream(3)[1], v) and not torch.equal(stream(4)[1], v)
        values = [v[k[:, i] == 1] for i in range(4)]
        constant = all(torch.allclose(one, one[:1].expand_as(one)) for one in values)
        newest = all(torch.allclose(one[-1], now[i]) for i, one in enumerate(values))
        assert (constant, newest) == (False, kind == "A")
        if kind == "B":  # the mean of many noisy values is the value
            assert max((one.mean(0) - now[i]).norm() for i, one in enumerate(values)) < 0.25


def test_adding_at_a_small_rate_is_taken_where_it_averages():
    """Thirty values at a thirtieth each are their mean: near to what the delta rule finds where nothing changes, and only there."""
    assert [word in check_rates({kind: ("Hebbian", 1 / 30) for kind in "ABC"}) for word in ("A:", "B:")] == [True, False]


EYE = torch.eye(2)


def cos(c):
    return torch.tensor([[1.0, 0.0], [c, (1 - c * c) ** 0.5]])


@pytest.mark.parametrize("wrong, says", [
    (None, "nothing yet"),
    (EYE, "Return two tensors"),
    ((torch.eye(3), torch.eye(3)), "[2, 2]"),
    ((2 * EYE, EYE), "length one"),
    ((EYE[[0, 0]], torch.stack([EYE[0], -EYE[0]])), "is a correction"),
    ((EYE, EYE), "right angle"),
    ((cos(0.6), cos(0.6)), "already points the right way"),
    ((cos(0.6), EYE), "Which second value makes it largest?"),
    ((cos(0.2), torch.stack([EYE[0], -EYE[0]])), "hears too little"),
])
def test_wrong_pairs_are_named(wrong, says):
    assert says in check_harm(lambda: wrong)


def test_the_harm_is_that_of_the_formula():
    """For opposite values adding is off by 2 c^2 and correcting by c^2 (1 + c)^2, so that correcting loses beyond c = 0.41."""
    opposite = torch.stack([EYE[0], -EYE[0]])
    assert check_harm(lambda: (cos(0.5), opposite)) == RIGHT and check_harm(lambda: (cos(-0.5), EYE[[0, 0]])) == RIGHT
    assert check_harm(lambda: (cos(0.4), opposite)) != RIGHT


def fading(gain_below="alpha", W_fades=False, P_fades=True):
    def write(W, P, k, v, alpha):
        seen = P @ k
        gain = seen / ((alpha if gain_below == "alpha" else 1.0) + k @ seen)
        kept = alpha * W if W_fades else W
        P = P - torch.outer(gain, seen)
        return kept + torch.outer(v - kept @ k, gain), {True: P / alpha, False: P, "times": P * alpha}[P_fades]

    return write


@pytest.mark.parametrize("wrong, says", [
    (lambda W, P, k, v, a: None, "nothing yet"),
    (lambda W, P, k, v, a: W, "Return both"),
    (lambda W, P, k, v, a: (W.add_(1), P), "in place"),
    (lambda W, P, k, v, a: fading_write(W, P, k, v, 1.0), "Nothing fades"),
    (fading(gain_below="1"), "that 1 becomes alpha"),
    (fading(P_fades=False), "P does not fade"),
    (fading(P_fades="times"), "so divide"),
    (fading(W_fades=True), "W itself"),
    (fading(W_fades=True, P_fades=False), "the other way round"),
    (lambda W, P, k, v, a: (W + outer(v - W @ k, k), P), "delta rule"),
    (lambda W, P, k, v, a: (fading_write(W, P, k, v, a)[0].T, P), "RuntimeError"),
    (lambda W, P, k, v, a: (W + 1, P), "not a mistake known here"),
])
def test_a_wrong_fading_write_is_named(wrong, says):
    assert says in check_fading(wrong)
