"""Which folders a new run may have: nothing of anybody's is written over, and a refusal leaves nothing behind."""

import json
import threading
import time
from contextlib import nullcontext

import pytest
import torch

from nlcore.tasks import DataError
from nlcore.train import TrainError, change, new, start, train
from nlcore.train.__main__ import main
from nlcore.train.compare import compare
from nlcore.train.folder import RunFolder, free, locked, write_json
from nlcore.train.records import read_json
from nlcore.train.run import check
from tests.train.small import small


def content(path):
    return {str(file): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    "files",
    [
        {"config.json": '{"architectures": ["Llama"]}', "tokenizer.json": '{"precious": 1}'},
        {"config.json": "", "checkpoints": None},
        {"config.json": '{"config": 3}'},
        {"config.json": None},
        {"status.json": '{"state": "mine"}'},
        {"log.txt": "my log"},
        {"lock": "not a lock"},
        {".status.json.mine": ""},
        {"metrics.jsonl": "{}\n"},
        {"notes": None},
    ],
    ids=str,
)
def test_a_folder_that_holds_anything_but_a_run_is_refused_before_a_byte_is_written(tmp_path, files):
    for name, text in files.items():
        (tmp_path / name).mkdir() if text is None else (tmp_path / name).write_text(text)
    before = content(tmp_path), sorted(tmp_path.rglob("*"))
    for begin in (new, start):
        with pytest.raises(TrainError, match=rf"holds files that are not a run's \({min(files)}\): name a new folder"):
            begin(small(), tmp_path)
    assert (content(tmp_path), sorted(tmp_path.rglob("*"))) == before


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("text")
    with pytest.raises(TrainError, match="file cannot be read as a folder"):
        new(small(), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "text"


def test_an_empty_folder_and_what_a_trainer_killed_at_once_leaves_are_free(tmp_path):
    (tmp_path / "lock").write_text("\nprocess 12 on there\n")
    (tmp_path / ".config.json.12").write_text('{"conf')
    assert new(small(), tmp_path).is_ours()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "lock"]


def test_a_new_run_is_its_makers_before_it_has_begun(tmp_path):
    """Two trainers on one new folder: the second is refused, and the first trains what it asked for."""
    folder = new(small(steps=3), tmp_path)
    with pytest.raises(TrainError, match="holds a run already"):
        new(small(steps=2), tmp_path)
    assert train(folder)["result"]["steps"] == 3


def test_of_many_at_once_one_gets_the_folder(tmp_path):
    made, refused = [], []

    def make(seed):
        try:
            made.append((seed, new(small(seed=seed), tmp_path / "run")))
        except TrainError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=make, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (seed, folder), = made
    assert len(refused) == 7 and all("holds a run already" in said or "is being trained" in said for said in refused)
    assert read_json(folder.config)["config"]["seed"] == seed


@pytest.mark.parametrize("state", ["starting", "training", "stopped", "failed"])
def test_only_a_run_that_has_ended_before_its_first_report_can_be_replaced(tmp_path, state):
    folder = new(small(), tmp_path)
    write_json(folder.status, {"state": state, "heartbeat": time.time()})
    with locked(folder) if state == "training" else nullcontext():
        if state in ("starting", "training"):
            with pytest.raises(TrainError, match="holds a run already"):
                new(small(seed=1), tmp_path)
        else:
            new(small(seed=1), tmp_path)
    assert read_json(folder.config)["config"]["seed"] == (state in ("stopped", "failed"))


def test_the_folder_of_a_failed_start_can_be_had_but_not_while_another_holds_it(tmp_path):
    folder = new(small(), tmp_path)
    write_json(folder.status, {"state": "failed", "sentence": "The text went away."})
    before = content(tmp_path)
    with locked(folder), pytest.raises(TrainError, match="is being trained by"):
        new(small(seed=1), tmp_path)
    assert {name: text for name, text in content(tmp_path).items() if not name.endswith("lock")} == {
        name: text for name, text in before.items() if not name.endswith("lock")
    }
    new(small(seed=1), tmp_path)
    assert json.loads(folder.config.read_text())["config"]["seed"] == 1 and not folder.status.exists()


@pytest.mark.parametrize(
    "choices",
    [["--data", "nowhere"], ["--context", "100000000"], ["--device", "cuda"], ["--data", "builtin:klingon"]],
)
@pytest.mark.parametrize("compares", [False, True])
def test_a_refusal_leaves_no_folder_behind(tmp_path, monkeypatch, choices, compares):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises((TrainError, DataError)):
        main([*choices, *(["--compare"] if compares else [])])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        (dict(dim=16, heads=3), "These sizes do not make a model: 3 heads do not divide a width of 16"),
        (dict(chunks=(8, 12)), r"These sizes do not make a model: chunks \(8, 12\) do not fit"),
        (dict(model="transformer", dim=512, heads=1), "These sizes do not make a model: a head of width 512 is"),
    ],
)
def test_what_only_a_layer_refuses_is_refused_before_anything_is_made(tmp_path, choices, said):
    for begin in (new, start):
        with pytest.raises(TrainError, match=said) as caught:
            begin(change(small(), **choices), tmp_path / "run")
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_looking_at_the_sizes_costs_no_memory_and_no_random_number(tmp_path):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    check(change(small(), dim=8192, heads=64, depth=64, hidden=64), 1)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_comparison_looks_at_both_folders_before_it_trains(tmp_path):
    (tmp_path / "transformer").mkdir()
    (tmp_path / "transformer/config.json").write_text("{}")
    with pytest.raises(TrainError, match="transformer holds files that are not a run's"):
        compare(small(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["transformer"]


def test_what_does_not_fit_the_processes_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(TrainError, match="2 processes cannot share a batch of 3"):
        new(change(small(), batch=3), tmp_path / "run", processes=2)
    assert not (tmp_path / "run").exists()


def test_a_root_that_cannot_be_is_said_and_not_tried_for_ever(tmp_path):
    (tmp_path / "runs").symlink_to(tmp_path / "nowhere")
    with pytest.raises(TrainError, match="runs cannot be made"):
        free("tiny", tmp_path / "runs")
    assert not RunFolder(tmp_path / "nowhere").path.exists()
