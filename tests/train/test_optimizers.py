"""AdamW, Muon and M3 in a run: each against a loop of plain optimizers, resumed bitwise, steered, reported."""

import math

import pytest
import torch
from torch import nn

from nlcore.optim import MultiscaleMomentumMuon
from nlcore.train import TrainError, fits, new, parts, schedule, train
from nlcore.train.control import send
from nlcore.train.device import choose
from nlcore.train.loop import Objective
from nlcore.train.records import records
from tests.train.small import QUIET, equal_runs, last, same, small, stopped

KINDS = ("muon", "m3")


def plain(optimizer, config, matrices):
    """torch's own Muon, and this course's M3, on the matrices alone."""
    decay = config.weight_decay
    if optimizer == "muon":
        return torch.optim.Muon(matrices, lr=1.0, weight_decay=decay, adjust_lr_fn="match_rms_adamw"), 1.0
    return MultiscaleMomentumMuon(matrices, weight_decay=decay / 0.02), 0.02


@pytest.mark.parametrize("optimizer", KINDS)
def test_with_period_one_everywhere_a_run_is_bitwise_a_plain_loop_of_two_optimizers(tmp_path, optimizer):
    own = dict(betas=(0.8, 0.9), weight_decay=0.3, clip=0.25, warmup=0.3, matrix_lr=0.02 if optimizer == "m3" else None)
    config = small(steps=11, periods=(1, 1, 1), optimizer=optimizer, **QUIET, **own)
    folder = new(config, tmp_path / "run")
    train(folder)
    made = parts.make(config, folder, choose("cpu", "auto"))
    objective = Objective(made.model, made.choice)
    matrices = [m.weight for m in made.model.modules() if isinstance(m, nn.Linear)]
    rest = [p for p in made.model.parameters() if id(p) not in set(map(id, matrices))]
    of_matrices, factor = plain(optimizer, config, matrices)
    adamw = torch.optim.AdamW(rest, betas=(0.8, 0.9), weight_decay=0.0)
    level_of = {id(p): made.model.level_of(name) for name, p in made.model.named_parameters()}
    in_order = [p for level in made.optimizer.clock.periods for p in (*rest, *matrices) if level_of[id(p)] == level]
    for step in range(1, 12):
        loss, _, _ = objective(*made.batches.next(), None, False)
        loss.backward()
        nn.utils.clip_grad_norm_(in_order, 0.25)
        rate = config.preset.lr * schedule.factor(step / 11, warmup=0.3)
        for one, lr in ((adamw, rate), (of_matrices, factor * rate)):
            one.param_groups[0]["lr"] = lr
            one.step()
            one.zero_grad()
    assert same(last(folder).weights, dict(made.model.state_dict()))


@pytest.mark.parametrize(("optimizer", "continuum"), [("muon", "nested"), ("m3", "sequential")])
def test_stopped_and_resumed_equals_not_stopped_and_every_momentum_is_reported(tmp_path, optimizer, continuum):
    """At step 7 one level is in the middle of its period, and a child of the nested ones of its context."""
    choices = dict(steps=9, optimizer=optimizer, continuum=continuum, model="hope-attention", level_lr=(("cms-2", 0.5),))
    whole, cut = (new(small(**choices, **QUIET), tmp_path / name) for name in ("whole", "cut"))
    train(whole)
    stopped(cut, 7)
    assert train(cut)["state"] == "done" and "damaged" not in cut.log.read_text()
    assert equal_runs(cut, whole)
    rows = [row for row in records(whole.levels) if row["step"] == 8 and row["level"].endswith("momentum")]
    assert [row["level"] for row in rows] == [f"{name} momentum" for name in ("weights", "cms-3", "cms-2", "cms-1")]
    assert all(row["fired"] and row["update_norm"] > 0 for row in rows) and rows[0]["second_moment_norm"] > 0


def test_the_matrices_of_projections_are_muons_and_all_else_is_adamws():
    config = small(optimizer="muon", weight_decay=0.2)
    model = parts.built(config, 256)
    made = parts.optimizer(model, 1e-2, config)
    names = {id(p): name.split(".", 2)[-1] for name, p in model.named_parameters()}
    found = {}
    for optimizer in made.optimizers.values():
        for part in optimizer.parts:
            found.setdefault(type(part).__name__, set()).update(names[id(p)] for g in part.param_groups for p in g["params"])
    assert found["Muon"] == {
        "mixer.w_in.weight", "mixer.w_q.weight", "mixer.w_out.weight",
        *(f"channel.levels.cms-{n}.{side}.weight" for n in (1, 2, 3) for side in ("w_in", "w_out")),
    }
    assert {"weight", "mixer.convolution", "mixer.memory.w1", "channel.levels.cms-1.norm.weight"} <= found["AdamW"]
    assert not found["Muon"] & found["AdamW"]


def test_a_levels_rate_is_chosen_and_a_command_takes_its_place(tmp_path):
    folder = new(small(steps=3, **QUIET, schedule="wsd", warmup=0, decay=0, level_lr=(("cms-3", 0.5),)), tmp_path)
    train(folder)
    send(folder, "level_lr", "cms-3", 2.0)
    train(folder, steps=4)
    rates = [row["lr"] for row in records(folder.levels) if row["level"] == "cms-3"]
    assert rates == [5e-3] * 3 + [2e-2]


WRONG = {
    "another shape": lambda held: held.update(momentum=torch.ones(3)),
    "a step that is none": lambda held: held.update(step=-math.inf),
    "two steps": lambda held: held.update(step=torch.ones(2)),
    "one too many": lambda held: held.update(other=torch.ones(3)),
    "AdamW's": lambda held: held.update(exp_avg=held["momentum"], exp_avg_sq=held.pop("momentum")),
}


def test_a_memory_that_does_not_fit_is_passed_over(tmp_path):
    folder = new(small(steps=4, optimizer="muon", **QUIET), tmp_path)
    train(folder)
    made = parts.make(small(optimizer="muon"), folder, choose("cpu", "auto"))
    fits.run(last(folder), made)
    for wrong in WRONG.values():
        saved = last(folder)
        memories = saved.state["optimizer"]["optimizers"]["cms-3"]["state"].values()
        wrong(next(held for held in memories if "momentum" in held))
        with pytest.raises(fits.Misfit, match="its optimizer cannot be used"):
            fits.run(saved, made)


@pytest.mark.parametrize("level", ["cms-9", "memory"])
def test_a_level_that_no_optimizer_trains_is_said_before_anything_is_written(tmp_path, level):
    said = f"level_lr names '{level}', and the levels that the optimizer trains are weights, cms-3, cms-2, cms-1"
    with pytest.raises(TrainError, match=said):
        new(small(level_lr=((level, 0.5),)), tmp_path / "run")
    assert not (tmp_path / "run").exists()
