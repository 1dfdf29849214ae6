"""Every row of the paper's Table 6 can be built from a preset, has the levels that it should, trains, and is seen."""

from dataclasses import replace

import pytest
import torch

from nlcore.models import build, state_bytes
from nlcore.models.presets import Preset
from nlcore.sizing import bytes_needed
from nlcore.train import train
from nlcore.train.folder import RunFolder
from nlcore.train.launch import new
from nlcore.train.records import records
from nlcore.xray import xray
from tests.train.small import small

ALL = ("k", "v", "eta", "alpha", "q")
HOPE = dict(momentum=True, adaptive=ALL)
ROWS = {
    "Hope": {},
    "without DGD": dict(rule="gradient descent"),
    "without momentum": dict(momentum=False),
    "without weight decay": dict(retention="keep all"),
    "without CMS": dict(periods=(1,)),
    "without inner projection k": dict(adaptive=("v", "eta", "alpha", "q")),
    "without inner projection v": dict(adaptive=("k", "eta", "alpha", "q")),
    "without inner projection q": dict(adaptive=ALL[:4]),
    "linear, dot product": dict(architecture="matrix", objective="dot product"),
    "as printed": dict(retention="decay"),
    "Titans": dict(adaptive=(), learns="given", rule="gradient descent", retention="decay", reads="after"),
}


def preset(row) -> Preset:
    return small(**HOPE | ROWS[row]).preset


def model(row):
    torch.manual_seed(0)
    return build("hope", preset(row), 64)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_its_levels_and_each_parameter_a_gradient(row):
    net = model(row)
    names = [level.name for level in net.levels()]
    inner = ["memory"] if row == "Titans" else ["memory", "projections"]
    assert names == inner + ["weights"] + (["cms-1"] if row == "without CMS" else ["cms-3", "cms-2", "cms-1"])
    output = net(torch.randint(64, (2, 32)))
    output.logits.square().mean().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.abs().max() > 0, name
    plain = {name for name in ALL if f"blocks.0.mixer.w_{name}.weight" in dict(net.named_parameters())}
    assert plain == set(ALL) - set(preset(row).adaptive)
    assert all(net.level_of(f"blocks.0.mixer.w_{name}.weight") == "weights" for name in plain)
    assert state_bytes(net, output.state) > 0 and bytes_needed(preset(row)) > 0


@pytest.mark.parametrize("row", ["Hope", "without weight decay", "linear, dot product", "Titans"])
def test_the_x_ray_finds_its_memories_and_what_they_learn(row):
    net = model(row)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def step():
        optimizer.zero_grad()
        net(torch.randint(64, (2, 32))).logits.square().mean().backward()
        optimizer.step()

    loops = {loop.name.split(".")[-1]: loop for loop in xray(step, net, optimizer).loops}
    assert ("projections" in loops) == (row != "Titans") and "memory" in loops
    told = {
        "Hope": ("L2 to the value it makes itself (eq. 86)", "DGD with retention (eq. 88)"),
        "without weight decay": ("L2 to the value it makes itself (eq. 86)", "DGD without retention (eq. 88)"),
        "linear, dot product": ("dot product with the value it makes itself (eq. 86)", "DGD with retention (eq. 88)"),
        "Titans": ("L2 to the value given", "gradient descent with retention"),
    }[row]
    assert (loops["memory"].objective, loops["memory"].rule) == told


@pytest.mark.parametrize("row", ["Hope", "without weight decay", "Titans"])
def test_a_row_trains_and_reports_each_of_its_memories(row, tmp_path):
    folder = new(small(steps=4, carry=1, **HOPE | ROWS[row]), tmp_path / "run")
    assert train(folder)["state"] == "done"
    written = {line["memory"] for line in records(RunFolder(folder.path).levels) if line.get("memory")}
    forgotten = {"alpha"} if row == "without weight decay" else set()
    assert written == {"memory", *preset(row).adaptive} - forgotten


def test_a_name_that_is_none_is_one_sentence():
    with pytest.raises(ValueError, match="objective is 'l2': choose one of 'L2', 'dot product'"):
        replace(preset("Hope"), objective="l2")
