"""The exercises of notebook 09: its solutions pass, and each usual mistake is named."""

import pytest
import torch

from nlcore.exercises.chapter_09 import SUSPECTS, check_chunk, check_hears, check_hostile, check_suspects, growth
from nlcore.exercises.checking import RIGHT, UNKNOWN


def write_chunk(M_k, M_v, M, xs, eta, error=lambda W, start, k, v: start @ k - start @ v, erase=lambda W, start, k: W @ k, key=lambda k, v: k):
    new = []
    for start in (M_k, M_v, M):
        W = start
        for x in xs:
            k, v = key(M_k @ x, M_v @ x), M_v @ x
            W = W - eta * torch.outer(erase(W, start, k) + error(W, start, k, v), k)
        new.append(W)
    return tuple(new)


def token_by_token(M_k, M_v, M, xs, eta):
    for x in xs:
        M_k, M_v, M = write_chunk(M_k, M_v, M, x[None], eta)
    return M_k, M_v, M


def keys_of_now(M_k, M_v, M, xs, eta):
    starts = now = (M_k, M_v, M)
    for x in xs:
        k, v = now[0] @ x, now[1] @ x
        now = [W - eta * torch.outer(W @ k + start @ k - start @ v, k) for W, start in zip(now, starts)]
    return now


def transposed(M_k, M_v, M, xs, eta):
    new = []
    for start in (M_k, M_v, M):
        W = start
        for x in xs:
            k, v = M_k @ x, M_v @ x
            W = W - eta * torch.outer(k, W @ k + start @ k - start @ v)
        new.append(W)
    return new


def hears(s, C, reads):
    return {"boundary": C * -(-s // C) + 1, "before": s + 1, "after": s}[reads]


def at_the_boundary(number):
    return lambda s, C, reads: number(s, C) if reads == "boundary" else hears(s, C, reads)


def turning():
    angle = torch.linspace(0, 2, 16)
    return torch.stack([angle.cos(), angle.sin(), 0 * angle, 0 * angle], 1)


NAMED = {"A": "gradient descent", "B": "Delta GD", "C": "token by token"}


def test_the_solutions_are_right():
    assert [check_chunk(write_chunk), check_hears(hears), check_suspects(NAMED), check_hostile(turning)] == [RIGHT] * 4


@pytest.mark.parametrize("wrong, says", [
    (lambda *given: None, "nothing yet"),
    (token_by_token, "token by token"),
    (keys_of_now, "made anew"),
    (lambda *given: write_chunk(*given, error=lambda W, start, k, v: W @ k - start @ v), "errors ask the matrix"),
    (lambda *given: write_chunk(*given, error=lambda W, start, k, v: W @ k - W @ v), "Own answers and errors"),
    (lambda *given: write_chunk(*given, error=lambda W, start, k, v: start @ k - W @ v), "Own answers are those of now"),
    (lambda *given: write_chunk(*given, erase=lambda W, start, k: start @ k), "erasures are old"),
    (lambda *given: write_chunk(*given, erase=lambda W, start, k: 0 * k), "Nothing is erased"),
    (lambda *given: write_chunk(*given, error=lambda W, start, k, v: start @ k - v), "told the same value"),
    (lambda *given: write_chunk(*given, key=lambda k, v: v), "the key is k"),
    (lambda *given: write_chunk(*given[:3], given[3][-1:], given[4]), "Only the last token"),
    (lambda *given: given[:3], "as they were"),
    (transposed, "transposed"),
    (lambda *given: [2 * W for W in write_chunk(*given)], UNKNOWN),
    (lambda *given: write_chunk(*given)[:2], "Return three matrices"),
    (lambda *given: [W[:2] for W in write_chunk(*given)], "sizes"),
    (lambda *given: 1 / 0, "ZeroDivisionError"),
])  # fmt: skip
def test_a_wrong_chunk_is_named(wrong, says):
    assert says in check_chunk(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda s, C, reads: None, "nothing yet"),
    (lambda s, C, reads: {"boundary": C * ((s - 1) // C), "before": s - 1, "after": s}[reads], "the state that token s reads"),
    (at_the_boundary(lambda s, C: C * -(-s // C)), "last token of the chunk"),
    (at_the_boundary(lambda s, C: C * (s // C + 1) + 1), "closes its chunk"),
    (at_the_boundary(lambda s, C: s + 1), "only in the next chunk"),
    (at_the_boundary(lambda s, C: -(-s // C) + 1), "numbers of chunks"),
    (lambda s, C, reads: hears(s, C, {"before": "after", "after": "before"}.get(reads, reads)), "exchanged"),
    (lambda s, C, reads: s if reads == "before" else hears(s, C, reads), "cannot know"),
    (lambda s, C, reads: 0, UNKNOWN),
])  # fmt: skip
def test_a_wrong_listener_is_named(wrong, says):
    assert says in check_hears(wrong)


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
