"""The exercises of notebook 09: its solutions pass, and each usual mistake is named."""

import pytest
import torch

from nlcore.exercises.chapter_09 import SUSPECTS, check_hostile, check_index, check_modify, check_suspects, growth
from nlcore.exercises.checking import RIGHT, UNKNOWN


def modify(M_k, M_v, M, x, eta, value=lambda W, v: W @ v, erase=2, key=lambda k, v: k):
    k, v = M_k @ x, M_v @ x
    return tuple(W - eta * torch.outer(erase * W @ key(k, v) - value(W, v), key(k, v)) for W in (M_k, M_v, M))


def late(M_k, M_v, M, x, eta):
    k, v = M_k @ x, M_v @ x
    new = []
    for W in (M_k, M_v, M):
        new.append(W - eta * torch.outer(2 * W @ k - (new or [W])[-1] @ v, k))
    return new


def index(t, C, reads):
    return {"boundary": C * ((t - 1) // C), "before": t - 1, "after": t}[reads]


def turning():
    angle = torch.linspace(0, 2, 16)
    return torch.stack([angle.cos(), angle.sin(), 0 * angle, 0 * angle], 1)


NAMED = {"A": "gradient descent", "B": "Delta GD", "C": "token by token"}


def test_the_solutions_are_right():
    assert [check_modify(modify), check_index(index), check_suspects(NAMED), check_hostile(turning)] == [RIGHT] * 4


@pytest.mark.parametrize("wrong, says", [
    (lambda *given: None, "nothing yet"),
    (lambda *given: modify(*given, value=lambda W, v: v), "told the same value"),
    (late, "written already"),
    (lambda *given: modify(*given, erase=1), "taken out once"),
    (lambda *given: modify(*given, erase=3), "three times"),
    (lambda *given: modify(*given, erase=0), "Nothing of the old answer"),
    (lambda *given: modify(*given, key=lambda k, v: v), "the key is k"),
    (lambda *given: [W - given[4] * torch.outer(given[0] @ given[3], 2 * W @ (given[0] @ given[3]) - W @ (given[1] @ given[3]))
                     for W in given[:3]], UNKNOWN),
    (lambda *given: given[:3], "as they were"),
    (lambda *given: [W.mT for W in modify(*(W for W in given))], "transposed"),
    (lambda *given: modify(*given)[:2], "Return three matrices"),
    (lambda *given: [W[:2] for W in modify(*given)], "sizes"),
    (lambda *given: 1 / 0, "ZeroDivisionError"),
])  # fmt: skip
def test_a_wrong_token_is_named(wrong, says):
    assert says in check_modify(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda t, C, reads: None, "nothing yet"),
    (lambda t, C, reads: -(-t // C) * C if reads == "boundary" else index(t, C, reads), "90 as printed"),
    (lambda t, C, reads: t // C * C if reads == "boundary" else index(t, C, reads), "Token C reads"),
    (lambda t, C, reads: (t - 1) // C if reads == "boundary" else index(t, C, reads), "numbers of chunks"),
    (lambda t, C, reads: index(t, C, {"before": "after", "after": "before"}.get(reads, reads)), "exchanged"),
    (lambda t, C, reads: 0, UNKNOWN),
])  # fmt: skip
def test_a_wrong_state_is_named(wrong, says):
    assert says in check_index(wrong)


@pytest.mark.parametrize("wrong, says", [
    ({}, "nothing yet"),
    ({"A": "Delta GD", "B": "gradient descent", "C": "token by token"}, "does anything erase"),
    ({"A": "gradient descent", "B": "token by token", "C": "Delta GD"}, "jump at the fifth"),
    ({"A": "gradient descent", "B": "Delta GD", "C": "Delta GD"}, "no border shows"),
    ({"A": "fast"}, "none of the names"),
])  # fmt: skip
def test_a_wrong_suspicion_is_named(wrong, says):
    assert says in check_suspects(wrong)


def test_the_suspects_do_under_a_steady_value_what_the_hints_say():
    steps = {name: [b - a for a, b in zip([0.0] + own, own)] for name, own in ((n, m([1.0] * 12)) for n, m in SUSPECTS.items())}
    assert steps["A"][:4] == pytest.approx([0.4] * 4) and steps["A"][4] < 0
    assert sorted(steps["B"][:4], reverse=True) == steps["B"][:4] and steps["B"][4] < -0.2
    assert all(abs(later) <= abs(step) for step, later in zip(steps["C"], steps["C"][1:]))
    assert SUSPECTS["C"]([1.0] * 40)[-1] == pytest.approx(0.5)


@pytest.mark.parametrize("wrong, says", [
    (lambda: None, "nothing yet"),
    (lambda: torch.ones(16, 4), "One key is harmless"),
    (lambda: torch.eye(4).repeat(4, 1), "look elsewhere"),
    (lambda: torch.ones(4, 4), "16 keys"),
    (lambda: torch.zeros(16, 4), "no direction"),
    (lambda: "keys", "Error"),
])  # fmt: skip
def test_a_harmless_chunk_is_told_why(wrong, says):
    assert says in check_hostile(wrong)


def test_random_keys_do_not_reach_it_and_one_key_does_not_grow():
    draw = torch.Generator().manual_seed(0)
    assert max(growth(torch.randn(16, 4, generator=draw)) for _ in range(50)) < 1.6
    assert growth(torch.ones(16, 4)) == pytest.approx(1) and growth(turning()) == pytest.approx(2, abs=0.01)
