"""The exercises of notebook 08: its solutions pass, and each usual mistake is named."""

import pytest

from nlcore.exercises.chapter_08 import SUSPECTS, check_left, check_nest, check_stream, check_suspects, rivals
from nlcore.exercises.checking import RIGHT, UNKNOWN


def nest(targets, periods, rates, put_back=lambda levels, n: [0.0] * n, late=False, clear=True, share=lambda p: 1, turn=1, first=1):
    levels, gathered, answers = [0.0] * len(periods), [0.0] * len(periods), []
    for i, target in enumerate(targets, first):
        answers.append(sum(levels))
        for n in range(len(periods))[::turn]:
            gathered[n] += (sum(levels) if late else answers[-1]) - target
            if i % periods[n] == 0:
                levels[n] -= rates[n] * gathered[n] / share(periods[n])
                gathered[n] = 0.0 if clear else gathered[n]
                levels[:n] = put_back(levels, n)
    return answers


def left(eta, rho, C, n):
    return (1 - rho * (1 - (1 - eta) ** C)) ** n


def test_the_solutions_are_right():
    named = {"A": "side by side", "B": "one frequency", "C": "nested"}
    for stream in ([1.0] * 64, [0.5] * 64):
        assert check_stream(lambda stream=stream: stream) == RIGHT
    assert check_suspects({thing.lower(): name.upper() for thing, name in named.items()}) == RIGHT
    assert (check_nest(nest), check_suspects(named), check_left(left)) == (RIGHT,) * 3


@pytest.mark.parametrize("wrong, says", [
    (lambda t, p, r: None, "nothing yet"),
    (lambda t, p, r: nest(t, p, r, put_back=lambda levels, n: levels[:n]), "Nobody restarts"),
    (lambda t, p, r: nest(t, p, r, turn=-1), "slowest level goes first"),
    (lambda t, p, r: nest(t, p, r, share=lambda period: period), "mean is taken"),
    (lambda t, p, r: nest(t, p, r, clear=False), "to be cleared"),
    (lambda t, p, r: nest(t, p, r, late=True), "before the step"),
    (lambda t, p, r: nest([*t, 0.0], p, r)[1:], "after each step"),
    (lambda t, p, r: nest(t, p, r, first=0), "counted from 0"),
    (lambda t, p, r: nest(t, (1, 2, 6), r), "not for 1, 3, 6, 12"),
    (lambda t, p, r: nest(t, p, (0.5, 0.3, 0.2, 0.1)[: len(p)]), "not for 1, 3, 6, 12"),
    (lambda t, p, r: nest(t, p[:3], r), "how many levels there are"),
    (lambda t, p, r: [0.0] * len(t), UNKNOWN),
    (lambda t, p, r: [0.0], "size"),
    (lambda t, p, r: t[100], "IndexError"),
])  # fmt: skip
def test_a_wrong_nest_is_named(wrong, says):
    assert says in check_nest(wrong)


@pytest.mark.parametrize("wrong, says", [
    ({}, "nothing yet"),
    ({"A": "nested", "B": "one frequency", "C": "side by side"}, "leaps beyond 1"),
    ({"A": "side by side", "B": "nested", "C": "one frequency"}, "never leaps"),
    ({"A": "side by side", "B": "one frequency", "C": "side by side"}, "falls back"),
    ({"a": "side by side", "b": "one frequency", "c": "side by side"}, "falls back"),
    ({"A": "", "B": "", "C": ""}, "nothing yet"),
    ({"A": "both"}, "'both' is none of the names"),
    (["side by side", "one frequency", "nested"], "Give a dict with A, B, C."),
    ("nested", "Give a dict with A, B, C."),
    ({"first": "nested"}, "Give a dict with A, B, C."),
])  # fmt: skip
def test_a_wrong_suspicion_is_named(wrong, says):
    assert says in check_suspects(wrong)


def test_the_suspects_do_under_a_steady_target_what_the_hints_say():
    answers = {name: memory([1.0] * 17) for name, memory in SUSPECTS.items()}
    rises = {name: [b > a for a, b in zip(own, own[1:])] for name, own in answers.items()}
    assert max(answers["A"]) > 1.3 and max(answers["C"]) < 1 and max(answers["B"]) < 1
    assert all(rises["B"]) and [i + 1 for i, rise in enumerate(rises["C"]) if not rise] == [4, 8, 12, 16]


@pytest.mark.parametrize("wrong, says", [
    (lambda: None, "nothing yet"),
    (lambda: [1.0] * 63, "63 targets"),
    (lambda: [2.0] * 64, "outside"),
    (lambda: [float("nan")] * 64, "not a number"),
    (lambda: ["1.0"] * 64, "list of numbers"),
    (lambda: 1.0, "list of numbers"),
    (lambda: [[1.0]] * 64, "list of numbers"),
    (lambda: [0.0] * 63 + [1.0], "Both err alike"),
    (lambda: [0.0] * 64, "Neither ever errs"),
    (lambda: ([1.0] * 8 + [-1.0] * 8) * 4, "the nest is better"),
    (lambda: [1.0] * 32 + [-1.0] * 32, "have fewer"),
    (lambda: 1 / 0, "ZeroDivisionError"),
])  # fmt: skip
def test_a_stream_that_does_not_do_is_told_why(wrong, says):
    assert says in check_stream(wrong)


@pytest.mark.parametrize("wrong", [None, [], "abc", ["1"], 3, [None], [float("nan")], [1e300], [10**400], {"A": 1}, {1.0}])
def test_rivals_answer_what_are_no_targets_in_a_sentence(wrong):
    said = rivals(wrong)
    assert isinstance(said, str) and said.endswith(".") and check_stream(lambda: wrong) == said


def test_the_notebooks_stream_is_one_on_which_the_nest_is_better():
    nested, alone = rivals(([1.0] * 8 + [-1.0] * 8) * 4)
    assert nested < 0.5 * alone


@pytest.mark.parametrize("wrong, says", [
    (lambda e, r, C, n: None, "nothing yet"),
    (lambda e, r, C, n: (1 - e) ** (C * n), "one fast memory"),
    (lambda e, r, C, n: (1 - r * e) ** (C * n), "slow level alone"),
    (lambda e, r, C, n: left(e, r, C, n - 1) * (1 - e) ** C, "just before the restart"),
    (lambda e, r, C, n: 1 - r, "takes its share again"),
    (lambda e, r, C, n: (1 - r) ** n, "not of the whole error."),
    (lambda e, r, C, n: left(e, r, C, n) ** 2, "square"),
    (lambda e, r, C, n: 1 - n * r * (1 - (1 - e) ** C), "the same share, of what"),
    (lambda e, r, C, n: left(e, r, C - 1, n), "not C - 1"),
    (lambda e, r, C, n: left(e, r, C, 1), "one period"),
    (lambda e, r, C, n: (1 - r * e * C) ** n, "less than C times"),
    (lambda e, r, C, n: 0.0, UNKNOWN),
])  # fmt: skip
def test_a_wrong_rest_is_named(wrong, says):
    assert says in check_left(wrong)


def test_what_is_left_is_what_a_nest_leaves():
    answers = nest([1.0] * 25, (1, 8), (0.1, 0.05))
    assert 1 - answers[24] == pytest.approx(left(0.1, 0.5, 8, 3))
