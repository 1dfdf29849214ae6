"""An experiment from its declaration to its table: tuned, resumable, never run twice, honest about what is missing."""

import importlib
import math
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from nlcore.train.folder import held

from experiments import plan, results
from experiments.experiment import ExperimentError, introduction, load, main, perform
from tests.experiments import cheap
from tests.experiments.cheap import RATES, AtOnce, calls, experiment

pytestmark = pytest.mark.usefixtures("here")


def test_each_arm_is_tuned_on_the_first_seed_and_then_runs_with_the_others(go, tmp_path):
    found = go(experiment(dict(best=4e-3), dict(best=4.2e-3)))
    first, second = found.rows
    assert (first["rate"], second["rate"]) == (4e-3, 4e-3) and not first["at_edge"]
    assert [rate for rate, _ in first["tried"]] == list(RATES)
    assert first["scores"] == {"0": pytest.approx(3.09), "1": pytest.approx(3.1), "2": pytest.approx(3.11)}
    assert (first["mean"], first["low"], first["high"]) == tuple(map(pytest.approx, (3.1, 3.09, 3.11)))
    others = {(run["rate"], run["seed"]) for run in found.runs if run["arm"] == "b"}
    assert others == {(rate, 0) for rate in RATES} | {(4e-3, 1), (4e-3, 2)}
    assert calls(tmp_path) == [1] * 10


@pytest.mark.parametrize(("best", "grid", "chosen", "at_edge"), [
    (1.1e-3, (5e-4, 1e-3, *RATES), 1e-3, False),
    (16e-3, (*RATES, 16e-3, 32e-3), 16e-3, False),
    (1.0, (*RATES, 16e-3, 32e-3), 32e-3, True),
    (1e-5, (5e-4, 1e-3, *RATES), 5e-4, True),
])  # fmt: skip
def test_the_grid_grows_by_its_ratio_until_the_best_is_inside_or_twice(go, best, grid, chosen, at_edge):
    found = go(experiment(dict(best=best)))
    row = found.rows[0]
    assert (tuple(rate for rate, _ in row["tried"]), row["rate"], row["at_edge"]) == (grid, chosen, at_edge)
    assert len(row["scores"]) == 3 and ("no best" in found.text()) == at_edge


def test_a_rate_that_diverges_is_worse_than_any_other(go):
    arms = dict(best=4e-3, diverges=5e-3), dict(best=4e-3, diverges=1e-5)
    found = go(experiment(*arms, columns={"extra": "twice the seed"}))
    assert found.rows[0]["rate"] == 4e-3 and found.rows[0]["tried"][-1] == [8e-3, None]
    assert "0.008: diverged" in found.text()
    assert found.rows[1]["mean"] is None and "3 of 3 diverged" in found.text()


def test_what_is_done_is_not_done_again(go, tmp_path):
    asked = experiment(dict(best=4e-3), dict(best=1e-3, steps=50))
    before = go(asked)
    said = []
    after = go(asked, said=said)
    assert set(calls(tmp_path)) == {1}
    assert (after.runs, after.rows, after.minutes) == (before.runs, before.rows, before.minutes)
    assert f"{len(before.runs)} runs are stored already." in said
    more = go(replace(asked, seeds=(0, 1, 2, 5)))
    assert set(calls(tmp_path)) == {1} and len(more.runs) == len(before.runs) + 2


def test_a_changed_arm_runs_again_and_its_old_runs_are_gone(go, tmp_path):
    go(experiment(dict(best=4e-3), dict(best=4e-3, width=1)))
    said = []
    found = go(experiment(dict(best=4e-3), dict(best=4e-3, width=2)), said=said)
    assert len(calls(tmp_path)) == 15 and set(calls(tmp_path)) == {1}
    assert len(found.runs) == 10 and {run["configuration"].get("width") for run in found.runs} == {None, 2}
    assert "5 stored runs are of another configuration, and count no more." in said


@pytest.mark.parametrize("same_time_as", [None, "a"])
def test_where_no_stored_run_counts_any_more_nothing_is_forgotten_or_run(go, tmp_path, same_time_as):
    arms, more = (dict(best=4e-3, step=0.2), dict(best=5e-3, step=0.1)), dict(same_time_as=same_time_as)
    found = go(experiment(*arms, **more))
    before = found.path.read_bytes(), sorted((tmp_path / "runs").rglob("*"))

    def later(*run):
        return cheap.configuration(*run) | {"deep": {"width": 2}}

    said = f"Not one of the {len(found.runs)} runs in .*cheap.json is .*: deep was None and is .*width.*: 2.*remove"
    with pytest.raises(ExperimentError, match=said):
        go(experiment(*arms, configuration=later, **more))
    assert (found.path.read_bytes(), sorted((tmp_path / "runs").rglob("*"))) == before


def test_the_first_field_that_differs_is_named_to_its_depth():
    one, other = {"a": {"b": [1, 2], "c": 1}, "d": 1}, {"a": {"b": (1, 2), "c": 2}, "d": 2, "e": 0}
    assert list(plan.differences(one, other)) == ["a.c was 1 and is 2", "d was 1 and is 2", "e was None and is 0"]
    assert not list(plan.differences(one, one))


def test_a_renamed_arm_keeps_its_runs(go, tmp_path):
    asked = experiment(dict(best=4e-3), dict(best=5e-3))
    go(asked)
    renamed = replace(asked, arms=(replace(asked.arms[0], name="z"), asked.arms[1]), seeds=(0, 1, 2, 3))
    found = go(renamed)
    assert set(calls(tmp_path)) == {1} and {run["arm"] for run in found.runs} == {"z", "b"}


def test_a_run_without_a_figure_that_is_asked_for_counts_not(go, tmp_path):
    go(experiment(dict(best=4e-3)))
    found = go(experiment(dict(best=4e-3), columns={"extra": "twice the seed"}))
    assert found.rows[0]["figures"] == {"extra": 2} and "twice the seed" in found.text()
    path = found.path
    path.write_text(path.read_text().replace('"extra":', '"other":'))
    go(experiment(dict(best=4e-3), columns={"extra": "twice the seed"}))
    assert sorted(calls(tmp_path)) == [2] * 5


def test_a_figure_that_no_run_gives_gets_one_sentence(go):
    said = []
    go(experiment(dict(best=4e-3), columns={"absent": "nowhere"}), failed=3, said=said)
    assert sum("It gave no figure 'absent'" in line for line in said) == 3


@pytest.mark.parametrize("given", [None, 5, [1], "score"])
def test_a_run_that_gives_no_figures_gets_one_sentence(go, tmp_path, given):
    said = []
    go(experiment(dict(best=4e-3), run=lambda *run: given), failed=3, said=said)
    assert sum(f"It gave {given!r}: let `run` return its figures" in line for line in said) == 3
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("given", [object(), np.zeros(2), [math.nan]], ids=lambda given: type(given).__name__)
def test_figures_that_cannot_be_stored_get_one_sentence(go, tmp_path, given):
    said = []
    go(experiment(dict(best=4e-3), run=lambda *run: {"score": 3.0, "more": given}), failed=3, said=said)
    assert sum("It gave figures that cannot be stored" in line for line in said) == 3
    assert not (tmp_path / "results").exists()


def test_numbers_of_numpy_are_figures(go):
    found = go(experiment(dict(best=4e-3), run=lambda *run: {"score": np.float32(3.5), "n": np.int64(2)}))
    assert found.rows[0]["mean"] == 3.5 and found.runs[0]["figures"] == {"score": 3.5, "n": 2}


def test_a_score_that_is_no_number_gets_one_sentence(go):
    said = []
    go(experiment(dict(best=4e-3), run=lambda *run: {"score": "good"}), failed=3, said=said)
    assert sum("It gave no figure 'score'" in line for line in said) == 3


def test_a_failed_run_is_named_and_the_rest_goes_on(go, tmp_path):
    asked, said = experiment(dict(best=4e-3, fails=[1]), dict(best=4e-3, fails=[0]), dict(best=4e-3)), []
    found = go(asked, failed=4, said=said)
    assert any("FAILED  a, rate 0.004, seed 1" in line and "seed 1 is a bad one" in line for line in said)
    assert [len(row["scores"]) for row in found.rows] == [2, 0, 3]
    assert "(2 of 3)" in found.text() and "(0 of 3)" in found.text()
    go(asked, failed=4)  # tried again, those that are done are not
    assert sorted(calls(tmp_path)) == [1] * 9 + [2] * 4


def test_an_interrupted_experiment_goes_on(go, tmp_path, monkeypatch):
    waits = iter(range(4))

    def wait(self):
        if next(waits, None) is None:
            raise KeyboardInterrupt
        return was(self)

    was = AtOnce.wait
    monkeypatch.setattr(AtOnce, "wait", wait)
    with pytest.raises(KeyboardInterrupt):
        go(experiment(dict(best=4e-3)))
    assert len(results.read(tmp_path / "results" / "cheap.json").runs) == 4
    monkeypatch.setattr(AtOnce, "wait", was)
    found = go(experiment(dict(best=4e-3)))
    assert len(found.runs) == 5 and calls(tmp_path) == [1] * 5 and len(found.sessions) == 2


def test_equal_time_and_equal_steps(go, tmp_path):
    slow, quick = dict(best=4e-3, step=0.3), dict(best=8e-3, step=0.1)
    found = go(experiment(slow, quick, same_time_as="a"))
    assert [(row["leg"], row["arm"], row["steps"], row["rate"]) for row in found.rows] == [
        ("equal time", "a", 100, 4e-3), ("equal time", "b", 300, 8e-3),
        ("equal steps", "a", 100, 4e-3), ("equal steps", "b", 100, 8e-3),
    ]  # fmt: skip
    assert [row["step_seconds"] for row in found.rows] == [0.3, 0.1] * 2
    assert found.rows[0]["scores"] == found.rows[2]["scores"]  # one run for both
    assert calls(tmp_path) == [1] * (5 + 6 + 3)  # b's grid had to grow


def test_seconds_a_step_are_measured_once_and_again_for_a_new_arm_alone(go, tmp_path):
    measured = []

    def counted(arms):
        measured.append([arm["step"] for arm in arms])
        return [cheap.Pace(100, arm["step"] * len(measured)) for arm in arms]  # the machine gets slower

    arms = dict(best=4e-3, step=0.3), dict(best=4e-3, step=0.1), dict(best=4e-3, step=0.2)
    go(experiment(*arms[:2], same_time_as="a", pace=counted))
    go(experiment(*arms[:2], same_time_as="a", pace=counted))
    assert measured == [[0.3, 0.1]]
    found = go(experiment(*arms, same_time_as="a", pace=counted))
    assert measured[1:] == [[0.3, 0.2]]
    assert [row["steps"] for row in found.rows[:3]] == [100, 300, 150]
    assert set(calls(tmp_path)) == {1}


def test_what_is_left_is_counted_down(go):
    said = []
    go(experiment(dict(best=4e-3, step=0.2), dict(best=4e-3, step=0.1), same_time_as="a"), said=said)
    told = [line.split("still to do: ")[1].split(", ") for line in said if "still to do" in line]
    assert [int(number) for number, _ in told] == list(range(12, -1, -1))
    assert (told[0][1], told[-1][1]) == ("12.0 min", "0.0 min")


def test_a_stored_configuration_is_read_as_todays(go, tmp_path):
    go(experiment(dict(best=4e-3)))
    asked = experiment(dict(best=4e-3), configuration=lambda *run: cheap.configuration(*run) | {"newer": 1},
                       renewed=lambda stored: {"newer": 1} | stored)
    found = go(asked)
    assert calls(tmp_path) == [1] * 5 and all(run["configuration"]["newer"] == 1 for run in found.runs)


def test_a_measured_pace_is_kept_though_no_run_was_done(go, tmp_path):
    arms = dict(best=4e-3, step=0.3, fails=[0]), dict(best=4e-3, step=0.1, fails=[0])
    go(experiment(*arms, same_time_as="a"), failed=6)
    measured = []
    go(experiment(*arms, same_time_as="a", pace=lambda arms: measured.append(arms) or cheap.pace(arms)), failed=6)
    assert measured == []


def test_runs_without_results_are_pointed_out(go):
    path, said = go(experiment(dict(best=4e-3))).path, []
    path.unlink()
    go(experiment(dict(best=4e-3)), said=said)
    assert "runs of an earlier time" in said[1]


def test_no_workers_get_one_sentence(tmp_path):
    with pytest.raises(ExperimentError, match="0 runs side by side are none: give 1 or more"):
        perform(experiment(dict(best=4e-3)), results.read(tmp_path / "cheap.json"), tmp_path / "runs", 0)


def test_two_that_run_the_same_do_not_mix(go, tmp_path):
    (tmp_path / "runs").mkdir()
    with held(tmp_path / "runs" / "lock"), pytest.raises(ExperimentError, match="cheap is being run already"):
        go(experiment(dict(best=4e-3)))
    assert calls(tmp_path) == []


def test_the_command_says_what_it_takes_and_prints_the_table(tmp_path, capsys):
    asked = experiment(dict(best=4e-3, step=0.2), dict(best=4e-3, step=0.1), same_time_as="a")
    main(asked, ["--workers", "2", "--folder", str(tmp_path / "runs")])
    shown = capsys.readouterr().out
    assert "Which is best?" in shown and "13 runs in all, 26 minutes: 13 with 2 side by side" in shown
    table = shown[shown.rindex("Which is best?"):]
    main(asked, ["--table"])
    assert capsys.readouterr().out == table
    lines = table.splitlines()
    at = lines.index("equal time")
    assert lines[at + 2].split() == ["arm", "rate", "score", "range", "over", "seeds", "steps", "s", "a", "step"]
    assert lines[at + 3].split() == ["a", "0.004", "3.100", "3.090", "to", "3.110", "100", "0.2"]
    assert lines[at + 4].split() == ["b", "0.004", "3.050", "3.040", "to", "3.060", "200", "0.1"]


def test_where_all_runs_fail_the_table_is_empty_and_nothing_is_stored(tmp_path, capsys):
    with pytest.raises(SystemExit, match="3 runs failed: the same command tries them again"):
        main(experiment(dict(best=4e-3, fails=[0])), ["--folder", str(tmp_path / "runs")])
    assert "a - - - (0 of 3) - -" in " ".join(capsys.readouterr().out.split())
    assert not (tmp_path / "results").exists()


def test_the_table_as_a_page(go):
    page = load(go(experiment(dict(best=4e-3), columns={"extra": "x|y"})).path.stem)._repr_markdown_()
    assert "| arm | rate | score | range over seeds | x\\|y | steps | s a step |\n| --- | ---: |" in page
    assert "| a | 0.004 | 3.100 | 3.090 to 3.110 | 2.000 | 100 | - |" in page
    assert "Mean and range (lowest to highest) over 3 seeds" in page


@pytest.mark.parametrize(("choices", "sentence"), [
    (dict(rates=(1e-3,)), "at least two"),
    (dict(rates=(1e-3, 2e-3, 5e-3)), "the same multiple"),
    (dict(rates=(4e-3, 2e-3)), "rising"),
    (dict(seeds=()), "at least one, each once"),
    (dict(seeds=(0, 0)), "at least one, each once"),
    (dict(same_time_as="nobody"), "no arm 'nobody'"),
])  # fmt: skip
def test_what_cannot_be_compared_gets_one_sentence(choices, sentence):
    with pytest.raises(ExperimentError, match=sentence):
        experiment(dict(best=4e-3), **choices)
    two = experiment(dict(best=4e-3), dict(best=4e-3))
    with pytest.raises(ExperimentError, match="a name of its own"):
        replace(two, arms=(two.arms[0], two.arms[0]))


def test_every_experiment_is_in_the_readme_with_its_minutes(root):
    page = (root / "experiments" / "README.md").read_text()
    texts = {path.stem: path.read_text() for path in (root / "experiments").glob("*.py")}
    found = [name for name, text in texts.items() if "\nEXPERIMENT = " in text and '__name__ == "__main__"' in text]
    assert {"rivals", "mad"} <= set(found)
    assert sorted(re.findall(r"`python -m experiments\.(\w+)` \|", page)) == sorted(found), "one line each"
    for name in found:
        asked = importlib.import_module(f"experiments.{name}").EXPERIMENT
        minutes = re.search(r"(\d+) with 2 side by side", introduction(asked, 2))[1]
        assert f"| {asked.question} | `python -m experiments.{name}` | {minutes} |" in page
        assert asked.name == name


def test_the_command_of_an_experiment_runs(root):
    shown = subprocess.run([sys.executable, "-m", "experiments.rivals", "--help"], cwd=root, capture_output=True,
                           text=True)  # fmt: skip
    assert "--workers" in shown.stdout, shown.stderr
