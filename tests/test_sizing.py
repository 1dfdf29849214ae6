"""Estimates of memory and time are of the right size, and say no where a size does not fit."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from nlcore import sizing, train
from nlcore.models import PRESETS, build
from tests.train.small import last, small


def kept_bytes(preset) -> int:
    """Bytes that a forward pass of one sequence keeps for the backward pass, counted."""
    model = build("hope", preset, preset.vocabulary)
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    storages = {}

    def keep(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    tokens = torch.randint(preset.vocabulary, (1, preset.context))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = cross_entropy(model(tokens).logits.flatten(0, 1), tokens.flatten())
    assert loss.isfinite()
    return sum(s.nbytes() for address, s in storages.items() if address not in own)


@pytest.mark.parametrize("name", ["tiny", "laptop"])
def test_estimated_activations_are_those_a_forward_pass_keeps(name):
    preset = replace(PRESETS[name], depth=2, checkpoint_blocks=False, carry=0)
    estimate = sizing.bytes_needed(preset) - sizing.TRAINED_BYTES * sizing.parameters(preset)
    assert 0.4 * estimate < kept_bytes(preset) < 1.1 * estimate  # too much is safe, too little is not


PEAK = """
import re
from dataclasses import replace
import torch
from nlcore.models import PRESETS, build

def resident(which):
    return int(re.search(which + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024

def learn(rows, length):
    tokens = torch.randint(preset.vocabulary, (rows, length))
    torch.nn.functional.cross_entropy(model(tokens).logits.flatten(0, 1), tokens.flatten()).backward()

preset = replace(PRESETS["laptop"], depth={depth}, checkpoint_blocks={checkpointed}, carry=0)
model = build("hope", preset, preset.vocabulary)
learn(1, 128)  # what is made once, gradients among it
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
before = resident("VmRSS")
learn(2, preset.context)
print(resident("VmHWM") - before)
"""
"""Prints how far memory rose in a training step of two sequences."""


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="only Linux says what a process's peak was")
@pytest.mark.parametrize(("checkpointed", "depth"), [(False, 2), (True, 2), (True, 4)])
def test_a_step_needs_as_much_memory_as_was_estimated(checkpointed, depth):
    # Blocks that are freed go back to the system at once, so that its count is that of the allocator.
    exact = os.environ | {"MALLOC_MMAP_THRESHOLD_": "16384", "MALLOC_TRIM_THRESHOLD_": "0", "OMP_NUM_THREADS": "1"}
    script = PEAK.format(checkpointed=checkpointed, depth=depth)
    found = subprocess.run([sys.executable, "-c", script], env=exact, capture_output=True, text=True, check=True)
    preset = replace(PRESETS["laptop"], depth=depth, checkpoint_blocks=checkpointed, carry=0)
    estimate = sizing.bytes_needed(preset, 2) - sizing.TRAINED_BYTES * sizing.parameters(preset)
    assert 0.6 * estimate < int(found.stdout) < 1.1 * estimate


def test_every_size_is_listed_and_only_what_has_room_fits(monkeypatch):
    monkeypatch.setattr(sizing, "_step_seconds", lambda trial, where: 1.0)
    monkeypatch.setattr(sizing, "free_memory", lambda where: 16 * sizing.GIB)
    found = sizing.sizes(torch.device("cpu"))
    assert [size.preset.name for size in found] == list(PRESETS)
    fits = {size.preset.name: size.fits for size in found}
    assert fits["tiny"] and fits["laptop"] and not fits["1.3b"]
    assert all(size.needs < 16 * sizing.GIB for size in found if size.fits)
    table = sizing.table(found)
    assert "needs a larger device" in table and all(name in table for name in PRESETS)


def test_a_trial_that_would_take_long_is_not_run(monkeypatch):
    tried = []

    def slow(trial, where):
        tried.append(trial.name)
        return 100.0

    monkeypatch.setattr(sizing, "_step_seconds", slow)
    found = sizing.sizes(torch.device("cpu"))
    assert tried == ["tiny"]
    assert found[-1].hours > found[1].hours > found[0].hours > 0


def test_as_many_sequences_at_once_as_fit():
    preset = PRESETS["laptop"]
    free = sizing.bytes_needed(preset, 4) + 1
    assert sizing.most_at_once(preset, free) == 4
    assert sizing.most_at_once(preset, 10**15) == preset.batch
    assert sizing.most_at_once(preset, 10**6) == 0


def test_a_step_is_timed_and_threads_are_as_before():
    threads = torch.get_num_threads()
    trial = replace(PRESETS["tiny"], depth=1, batch=1, context=32)
    assert 0 < sizing._step_seconds(trial, torch.device("cpu")) < 60
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("hours", "said"),
    [(0.001, "1 min"), (0.5, "30 min"), (7.2, "7 h"), (72, "3 days"), (876_000, "100 years")],
)
def test_a_duration_reads_as_people_say_it(hours, said):
    assert sizing.duration(hours) == said


@pytest.mark.parametrize("in_context", [(), (("cms-3", 8, 0.1), ("cms-1", 32, 0.1))])
def test_what_training_carries_is_counted(tmp_path, in_context):
    config = small(steps=40, carry=3, batch=2, checkpoint_every=40, in_context=in_context)
    folder = train.new(config, tmp_path / "run")
    train.train(folder)
    carried = last(folder).state["carried"]
    stored = sum(leaf.nbytes for lane in carried.values() for leaf in lane if isinstance(leaf, torch.Tensor))
    # One of the four lanes has just ended its span, and keeps nothing.
    assert len(carried) == 3 and sizing.carried_bytes(config.preset) * 3 / 4 == pytest.approx(stored, rel=0.05)
    assert sizing.carried_bytes(replace(config.preset, carry=0)) == 0
