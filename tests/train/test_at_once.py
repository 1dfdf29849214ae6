"""As many sequences at once as fit: estimated on the CPU, tried on a GPU, the same on all processes."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
import torch

from nlcore import sizing
from nlcore.train import at_once, new, parts, train
from nlcore.train.at_once import find, halved, holds
from nlcore.train.device import Choice, choose
from nlcore.train.folder import RunFolder
from nlcore.train.loop import Trainer
from nlcore.train.parallel import ALONE, Team
from nlcore.train.records import read_json
from tests.train.small import equal_runs, small

CPU = choose("cpu", "auto")
CUDA = Choice(torch.device("cuda"), torch.bfloat16, "a stand-in")
CONFIG = small(batch=12)
MODEL = torch.nn.Linear(1, 1)


def room_for(monkeypatch, rows, processes=1):
    """The machine has memory for so many rows in each of its processes, and no more."""
    free = processes * (sizing.bytes_needed(CONFIG.preset, rows) + 1)
    monkeypatch.setattr(sizing, "free_memory", lambda where: free)


@dataclass(frozen=True)
class Two(Team):
    """Two processes, of which the other one answers `other` where this one answers otherwise."""

    size: int = 2
    other: object = None

    def gather(self, value):
        return [value, self.other]


def test_the_largest_part_that_fits(monkeypatch):
    for room, rows in ((12, 12), (11, 6), (5, 4), (1, 1)):
        room_for(monkeypatch, room)
        assert find(CONFIG, MODEL, CPU, ALONE).rows == rows
    monkeypatch.setattr(sizing, "free_memory", lambda where: 1)
    assert find(CONFIG, MODEL, CPU, ALONE).rows == 1  # an estimate forbids nothing
    assert find(replace(CONFIG, micro_batch=3), MODEL, CPU, ALONE) == at_once.AtOnce(3, "as was asked")


def test_processes_share_it_and_agree_on_the_least(monkeypatch):
    room_for(monkeypatch, 3, processes=2)
    free = sizing.free_memory(CPU.device)
    assert find(CONFIG, MODEL, CPU, Two(other=free)).rows == 6
    assert find(CONFIG, MODEL, CPU, Two(other=2 * (sizing.bytes_needed(CONFIG.preset, 1) + 1))).rows == 2
    assert find(CONFIG, MODEL, CPU, Two(other=1)).rows == 2
    assert sizing.parts_of(12, 4) == [12, 4] and sizing.parts_of(12, 5) == []


def test_what_a_run_computed_before_is_kept_on_the_cpu_if_it_fits(monkeypatch):
    room_for(monkeypatch, 12)
    assert [find(CONFIG, MODEL, CPU, ALONE, before).rows for before in (2, 5, 24)] == [2, 12, 12]
    room_for(monkeypatch, 4)
    assert find(CONFIG, MODEL, CPU, ALONE, before=6).rows == 4


@pytest.mark.parametrize("room, rows, tried", [(12, 12, [12]), (7, 6, [12, 6]), (3, 3, [12, 6, 3]), (0, 1, [12, 6, 3, 1])])
def test_each_trial_halves_the_one_before(room, rows, tried):
    seen = []
    found, why = halved([12, 6, 4, 3, 2, 1], lambda n: seen.append(n) or n <= room)
    assert (found, seen) == (rows, tried)
    assert ("trial of it fits" in why) == (room == 12) and ("fewest" in why) == (room == 0)


class Full(torch.nn.Module):
    """A model on a device that has memory for three rows."""

    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Embedding(1, 5)

    def forward(self, tokens):
        if len(tokens) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return SimpleNamespace(logits=self.inner(tokens))


def test_a_trial_leaves_nothing_behind():
    model, random = Full(), torch.get_rng_state()
    assert [holds(model, CPU, rows, context=4, later=8) for rows in (4, 3)] == [False, True]
    assert model.inner.weight.grad is None and torch.equal(torch.get_rng_state(), random)
    with pytest.raises(IndexError):  # which is no want of memory
        holds(Broken(), CPU, 1, context=4, later=8)


class Broken(Full):
    def forward(self, tokens):
        return [][0]


def test_a_gpu_tries_what_the_estimate_says_and_leaves_room(monkeypatch):
    room_for(monkeypatch, 6)
    total = 80 * 10**9
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda where: SimpleNamespace(total_memory=total))
    asked = []
    monkeypatch.setattr(at_once, "holds", lambda *given: asked.append(given[2:]) or given[2] <= 4)
    found = find(CONFIG, MODEL, CUDA, ALONE, before=2)
    later = int(total * at_once.MARGIN) + 4 * 3 * 2  # three floats for each of two parameters
    assert found.rows == 3 and asked == [(6, 32, later), (3, 32, later)]
    assert "a trial of more ran out of memory" in found.reason


def test_a_run_short_of_memory_is_the_run_that_was_told_so(tmp_path, monkeypatch):
    config = small(batch=4, steps=4, validate_every=4)
    told = new(replace(config, micro_batch=1), tmp_path / "told")
    train(told)
    found = new(config, tmp_path / "found")
    free = sizing.bytes_needed(config.preset, 1) + 1
    monkeypatch.setattr(sizing, "free_memory", lambda where: free)
    assert parts.make(config, RunFolder(tmp_path), CPU).held_out.batch == 1  # nor does a validation take more
    advance = Trainer.advance

    def advance_and_stop(trainer):
        advance(trainer)
        trainer.leave = trainer.step == 2

    with monkeypatch.context() as stopped:
        stopped.setattr(Trainer, "advance", advance_and_stop)
        assert train(found)["state"] == "stopped"
    assert read_json(found.config)["facts"]["micro_batch"] == 1 and read_json(found.config)["config"]["micro_batch"] is None
    assert "At once  1 of 4 sequences, by the estimate of" in found.log.read_text()
    monkeypatch.undo()  # other programs have ended, and the run stays the same
    assert train(found)["state"] == "done" and equal_runs(told, found)
