"""What is stored of an experiment: enough to repeat it, in one place, and read with doubt."""

import importlib
import json
from dataclasses import replace

import pytest

from experiments import plan, results
from experiments.experiment import ExperimentError, load, main
from experiments.shapes import holds_results
from tests.experiments import cheap
from tests.experiments.cheap import RATES, calls, experiment

pytestmark = pytest.mark.usefixtures("here")


def test_the_file_repeats_all_and_names_no_machine(go):
    found = go(experiment(dict(best=4e-3)))
    stored = json.loads(found.path.read_text())
    assert stored["experiment"]["question"] == "Which is best?" and stored["experiment"]["rates"] == list(RATES)
    assert stored["experiment"]["arms"] == [{"name": "a", "settings": {"best": 4e-3}, "minutes": 2}]
    run = stored["runs"][0]
    assert run["configuration"] == {"corpus": cheap.TEXT, "rate": run["rate"], "seed": 0, "best": 4e-3}
    assert run["figures"]["endless"] is None and "Infinity" not in found.path.read_text()
    assert {"python", "torch", "numpy", "commit", "cores", "processor"} < stored["sessions"][0].keys()
    assert stored["corpus"] == cheap.TEXT and stored["minutes"] >= 0
    assert str(found.path.parent) not in found.path.read_text()


def test_results_of_different_texts_are_refused_in_words(go, tmp_path):
    found = go(experiment(dict(best=4e-3)))
    asked = experiment(dict(best=4e-3), configuration=lambda *run: cheap.configuration(*run) | {"corpus": "fedcba98"})
    with pytest.raises(ExperimentError, match=r"cheap\.json are on different texts \(hashes 01234567, fedcba98\)"):
        go(asked)
    assert calls(tmp_path) == [1] * 5
    found.path.write_text(found.path.read_text().replace(cheap.TEXT, "fedcba98", 3))
    with pytest.raises(ExperimentError, match="cannot be compared: run it where the text is the one"):
        load("cheap")


def test_no_results_and_damaged_ones_get_one_sentence(tmp_path, capsys):
    with pytest.raises(ExperimentError, match="run python -m experiments.cheap first"):
        load("cheap")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "cheap.json").write_text("{")
    with pytest.raises(SystemExit, match="put back its last version"):
        main(experiment(dict(best=4e-3)), [])


DAMAGED = ["[1]", "null", "{}", '{"runs":[{}]}', '{"runs":5}', "[" * 100_000, '"text"', ""]


@pytest.mark.parametrize("content", [*DAMAGED, None], ids=lambda content: str(content)[:12])
def test_a_file_that_holds_no_results_gets_one_sentence(tmp_path, content):
    path = tmp_path / "results" / "cheap.json"
    path.parent.mkdir()
    path.mkdir() if content is None else path.write_text(content)
    for arguments in ([], ["--table"]):
        with pytest.raises(SystemExit, match="cheap.json holds no results: put back its last version, or remove it.$"):
            main(experiment(dict(best=4e-3)), arguments)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("part", ["experiment", "rows", "paces", "sessions", "runs"])
def test_a_file_that_lacks_a_part_or_a_field_of_it_holds_no_results(go, part):
    arms = dict(best=4e-3, step=0.2), dict(best=4e-3, step=0.1)
    path = go(experiment(*arms, same_time_as="a", columns={"extra": "x"})).path
    whole = json.loads(path.read_text())
    assert holds_results(whole)
    records = whole[part] if isinstance(whole[part], list) else [whole[part]]
    taken = records[0].pop("configuration" if part in ("paces", "runs") else "figures" if part == "rows" else
                           "minutes" if part == "sessions" else "question")  # fmt: skip
    assert taken is not None and not holds_results(whole) and not holds_results(whole | {part: 5})


def test_the_stored_results_hold_what_they_have_to(root):
    found = list((root / "experiments" / "results").glob("*.json"))
    assert found and all(results.read(path).text() for path in found)


@pytest.mark.parametrize("given", ["file", "file/x"])
def test_a_folder_that_cannot_be_made_gets_one_sentence(tmp_path, given):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SystemExit, match="file.*: name another.$"):
        main(experiment(dict(best=4e-3)), ["--folder", str(tmp_path / given)])
    assert (tmp_path / "file").read_text() == "mine" and not (tmp_path / "results").exists()


def test_runs_go_to_the_working_folder_and_an_installation_runs_none(tmp_path, monkeypatch, capsys):
    asked = experiment(dict(best=4e-3))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    main(asked, [])
    assert calls(tmp_path / "here") == [1] * 5
    (tmp_path / "pyproject.toml").unlink()
    with pytest.raises(SystemExit, match="are run in a clone of the course.*: --table prints"):
        main(replace(asked, seeds=(0, 1, 2, 3)), [])
    assert calls(tmp_path / "here") == [1] * 5
    capsys.readouterr()
    main(asked, ["--table"])
    assert "Which is best?" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(results.FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_every_stored_run_is_one_that_its_experiment_would_make_today(path):
    """Or its command would not repeat it: an experiment pins whatever a default could change."""
    experiment = importlib.import_module(f"experiments.{path.stem}").EXPERIMENT
    arms = {arm.name: arm for arm in experiment.arms}
    for run in results.read(path).runs:
        stored = experiment.renewed(run["configuration"])
        took = {"steps": run["figures"]["steps"]} if experiment.same_time_as else {}  # else the arm's own
        settings = arms[run["arm"]].settings | took
        asked = experiment.configuration(settings, run["rate"], run["seed"])
        if asked.get("corpus") != stored.get("corpus"):
            pytest.skip("this machine's built-in text is another than that of the stored results")
        assert plan.key(stored) == plan.key(asked)
