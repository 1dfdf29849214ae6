"""Checkpoints: whole, the newest that is whole, and not too many."""

import pytest
import torch

from nlcore.train import checkpoint


def save(folder, step, keep=3):
    state = {"step": step, "random": torch.get_rng_state(), "none": None, "list": [None, torch.ones(2)], "window": {"a": 0.5}}
    return checkpoint.save(folder, step, {"w": torch.full((1000,), float(step))}, state, keep)


def newest(folder):
    said = []
    return checkpoint.newest(folder, said.append), said


def test_round_trip_and_the_last_ones_are_kept(tmp_path):
    for step in (5, 50, 500, 5000):
        save(tmp_path, step, keep=2)
    assert [path.name for path in checkpoint.steps(tmp_path)] == ["step-00000500", "step-00005000"]
    found, said = newest(tmp_path)
    assert said == [] and found.path.name == "step-00005000"
    assert torch.equal(found.weights["w"], torch.full((1000,), 5000.0))
    assert found.state["step"] == 5000 and torch.equal(found.state["list"][1], torch.ones(2))


def test_none_where_there_is_none(tmp_path):
    assert newest(tmp_path / "checkpoints") == (None, [])


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def remove(path):
    path.unlink()


@pytest.mark.parametrize("file", [checkpoint.WEIGHTS, checkpoint.STATE, checkpoint.DIGESTS])
@pytest.mark.parametrize("damage", [cut, flip, remove])
def test_a_damaged_one_is_passed_over_with_a_sentence(tmp_path, file, damage):
    save(tmp_path, 1)
    damage(save(tmp_path, 2) / file)
    found, said = newest(tmp_path)
    assert found.path.name == "step-00000001"
    assert len(said) == 1 and "step-00000002 is damaged and is passed over" in said[0]


def test_one_half_written_is_not_there_and_goes_with_the_next(tmp_path):
    half = tmp_path / ".step-00000007"
    half.mkdir()
    (half / checkpoint.WEIGHTS).write_bytes(b"half")
    assert newest(tmp_path) == (None, [])
    save(tmp_path, 8)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000008"]


def test_a_step_saved_again_takes_the_place_of_the_old_one(tmp_path):
    flip(save(tmp_path, 4) / checkpoint.STATE)
    save(tmp_path, 4)
    assert newest(tmp_path)[0].state["step"] == 4 and newest(tmp_path)[1] == []
