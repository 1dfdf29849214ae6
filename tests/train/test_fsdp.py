"""FSDP2: processes that share the model do what one does, leave checkpoints that anybody reads, and go on after a kill.

Two launches do everything; the tests look at what they have left.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nlcore.train import TrainError, checkpoint, load, new, reporting, train
from nlcore.train.__main__ import main
from nlcore.train.control import send
from nlcore.train.folder import RunFolder
from nlcore.train.parallel import ALONE
from nlcore.train.records import latest, read_json, records
from nlcore.train.distributed_checkpoint import INDEX, read
from tests.train.small import last, losses, same, small

STEPS, LONGER = 50, 54
TOLERANCE = 1e-5
"""Of losses and weights in float32: means over processes are taken in another order. Measured: 5e-7 and 3e-6."""
NORMS = ("level", "weight_norm", "update_norm", "gradient_norm")
RUN = dict(batch=4, micro_batch=2, context=16, chunks=(8, 8), periods=(1, 2, 3), carry=3, depth=2, lr=1e-3)
RUN |= dict(steps=STEPS, report_every=2, validate_every=STEPS, checkpoint_every=10)
FEW = dict(batch=4, context=16, periods=(1, 2, 4), lr=1e-3, steps=6, validate_every=6)
KINDS = {
    "nested": FEW | dict(continuum="nested", carry=3, depth=2, checkpoint_blocks=True),
    "in context": FEW | dict(model="hope-attention", in_context=(("cms-3", 8, 0.5),), carry=3),
    "one chunk": FEW | dict(chunks=(16, 16)),  # no memory writes, so some parameters have no gradient
}
BY_TWO = """
import json, os, shutil, signal, sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from nlcore.ops.sharded import own_part, whole
from nlcore.optim import DeltaGradientDescent, LayerInputs, MultiscaleMomentumMuon, Muon
from nlcore.train import __main__, loop, train
from nlcore.train.folder import RunFolder
from nlcore.train.parallel import joined
from tests.train.small import small
from tests.train.test_fsdp import KINDS, LONGER, RUN, short_samples, steered

root, found = Path(sys.argv[1]), {}
advance, run = loop.Trainer.advance, loop.Trainer.run

def advance_and(trainer):
    advance(trainer)
    first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
    if first and trainer.folder.path.name == "fsdp" and trainer.step == 37 and trainer.team.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)

def run_and(trainer):
    name = trainer.folder.path.name
    if name == "fsdp" and trainer.step == 0:
        trainer.team.once(lambda: steered(trainer.folder))
    ended, model, optimizer = run(trainer), trainer.parts.model, trainer.parts.optimizer
    held = [x for own in optimizer.optimizers.values() for state in own.state.values() for x in state.values()]
    found[name] = trainer.team.gather(sum(own_part(x).nbytes for x in (*held, *model.parameters())))
    if name == "fsdp":
        weights = {name: whole(x) for name, x in model.state_dict().items()}
        trainer.team.once(lambda: save_file(weights, root / "gathered.safetensors"))
    return ended

def error_of(make):
    '''How far six steps on parts of a matrix end from those on the whole.'''
    from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh
    torch.manual_seed(0)
    first, grads = torch.randn(5, 6), torch.randn(6, 5, 6)
    mesh, ended = init_device_mesh("cpu", (2,)), []
    for share in (lambda x: x, lambda x: distribute_tensor(x, mesh, [Shard(0)], src_data_rank=None)):
        weight = torch.nn.Parameter(share(first.clone()))
        optimizer = make([weight])
        for grad in grads:
            weight.grad = share(grad)
            optimizer.step()
        ended.append(whole(weight.detach()))
    return (ended[0] - ended[1]).abs().max().item()

loop.Trainer.advance, loop.Trainer.run = advance_and, run_and
__main__.configure = lambda **given: small(**RUN | given)
short_samples()
with joined() as team:
    __main__.main(["--run", str(root / "fsdp"), "--parallel", "fsdp"], team)
    train(RunFolder(root / "ddp"), team=team)
    for name in ("ddp", "fsdp"):
        team.once(lambda: shutil.copytree(root / name, root / f"{name}, then two share"))
        train(RunFolder(root / f"{name}, then two share"), team=team, steps=LONGER, parallel="fsdp")
    for kind in KINDS:
        train(RunFolder(root / f"{kind} on two"), team=team)
    found["muon"] = error_of(lambda p: Muon(p, dtype=None))
    found["m3"] = error_of(lambda p: MultiscaleMomentumMuon(p, period=2))
    layer = torch.nn.Linear(2, 2)
    try:
        DeltaGradientDescent(layer.parameters(), LayerInputs(layer))
    except ValueError as error:
        found["refused"] = str(error)
    if team.lead:
        (root / "found.json").write_text(json.dumps(found))
"""
BY_FOUR = """
import sys
from nlcore.train import train
from nlcore.train.folder import RunFolder
from nlcore.train.parallel import joined
from tests.train.test_fsdp import LONGER, short_samples

short_samples()
with joined() as team:
    train(RunFolder(sys.argv[1]), team=team, steps=LONGER, micro_batch=4)
"""


ROOT = Path(__file__).parents[2]
"""The script asks for these tests, which are no installed package."""


def short_samples():
    """Reading text on token by token would be most of the time."""
    reporting.SAMPLE = reporting.LAST_SAMPLE = 8


def steered(folder):
    """Settings that reach every process, or the curves part."""
    send(folder, "lr_scale", value=0.5)
    send(folder, "period", "cms-1", 5)
    send(folder, "level_lr", "memory", 0.5)
    send(folder, "level_lr", "cms-2", 2.0)


def torchrun(script, processes, folder, *options):
    path = folder.parent / f"script-{processes}.py"
    path.write_text(script)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), *options]
    environment = os.environ | {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([*launcher, path, folder], env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-4000:]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Runs of one process, and of two: see BY_TWO."""
    root = tmp_path_factory.mktemp("fsdp") / "runs"
    for name in ("one", "ddp"):
        steered(new(small(**RUN), root / name))
    for kind, choices in KINDS.items():
        new(small(**choices), root / kind)
        new(small(parallel="fsdp", **choices), root / f"{kind} on two")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reporting, "SAMPLE", 8)
        patch.setattr(reporting, "LAST_SAMPLE", 8)
        for name in ("one", *KINDS):
            train(RunFolder(root / name))
        torchrun(BY_TWO, 2, root, "--max-restarts", "1")
        shutil.copytree(root / "fsdp", root / "fsdp, then one")
        train(RunFolder(root / "fsdp, then one"), steps=LONGER)
        shutil.copytree(root / "one", root / "one, longer")
        train(RunFolder(root / "one, longer"), steps=LONGER)
    return root


def apart(one, other):
    """The largest difference of two runs' losses."""
    mine, theirs = dict(losses(RunFolder(one))), dict(losses(RunFolder(other)))
    assert mine.keys() == theirs.keys()
    return max(abs(mine[step] - theirs[step]) for step in mine)


@pytest.mark.parametrize("other", ["ddp", "fsdp"])
def test_two_have_the_curve_of_one(root, other):
    assert len(losses(RunFolder(root / "one"))) == STEPS // 2
    assert apart(root / "one", root / other) < TOLERANCE
    mine, theirs = (read_json(RunFolder(root / name).status)["result"] for name in ("one", other))
    for figure in ("bits_per_byte", "bits_per_byte_eta_0"):
        assert mine[figure] == pytest.approx(theirs[figure], abs=TOLERANCE)
    one, two = (RunFolder(root / name) for name in ("one", other))
    mine, theirs = (latest(records(folder.metrics))[-1]["validation_bits_per_byte"] for folder in (one, two))
    assert mine == pytest.approx(theirs, abs=TOLERANCE)
    mine, theirs = ([[row[name] for name in NORMS] for row in records(folder.levels) if row["lr"]][-4:] for folder in (one, two))
    assert [row[0] for row in mine] == ["weights", "cms-3", "cms-2", "cms-1"]
    for row, too in zip(mine, theirs, strict=True):
        assert row == [too[0], *(pytest.approx(norm, rel=1e-3) for norm in too[1:])]


@pytest.mark.parametrize("other", ["ddp", "fsdp"])
def test_two_end_where_one_does(root, other):
    one, two = (last(RunFolder(root / name)) for name in ("one", other))
    for name, weight in one.weights.items():
        torch.testing.assert_close(weight, two.weights[name], rtol=0, atol=TOLERANCE)
    assert one.state["steering"] == two.state["steering"] == {"lr_scale": 0.5, "memory_rate": 0.5}
    assert one.state["batches"] == two.state["batches"]
    for part in ("clock", "scales", "calls"):
        assert one.state["optimizer"][part] == two.state["optimizer"][part]


def test_a_killed_process_is_started_again_by_torchrun_and_the_run_goes_on(root):
    folder = RunFolder(root / "fsdp")
    assert {line["attempt"] for line in records(folder.metrics)} == {1, 2}
    assert "step-00000030" in folder.log.read_text() and read_json(folder.status)["state"] == "done"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_shared(root, kind):
    assert apart(root / kind, root / f"{kind} on two") < TOLERANCE
    one, two = (last(RunFolder(root / name)) for name in (kind, f"{kind} on two"))
    for name, weight in one.weights.items():
        torch.testing.assert_close(weight, two.weights[name], rtol=0, atol=TOLERANCE)


def test_each_holds_half(root):
    """Bytes of weights and of what AdamW remembers; the first dimension of some has less than two entries."""
    found = json.loads((root / "found.json").read_text())
    assert found["ddp"][0] == found["ddp"][1]
    assert max(found["fsdp"]) < 0.65 * found["ddp"][0] and sum(found["fsdp"]) < 1.05 * found["ddp"][0]


def test_one_process_reads_what_two_have_written(root):
    path = checkpoint.steps(RunFolder(root / "fsdp").checkpoints)[-1]
    assert {file.name for file in path.iterdir()} == {INDEX, "__0_0.distcp", "__1_0.distcp", "state.pt", "digests.json"}
    model, _ = load(root / "fsdp")
    assert same(dict(model.state_dict()), load_file(root / "gathered.safetensors"))


def test_it_is_the_same_in_the_form_of_one_file(root, tmp_path):
    found = last(RunFolder(root / "fsdp"))
    path = checkpoint.save(tmp_path, STEPS, found.weights, found.state, keep=1)
    again = checkpoint.newest(tmp_path, print)
    assert (path / checkpoint.WEIGHTS).exists() and same(again.weights, found.weights) and same(again.state, found.state)


@pytest.mark.parametrize("name", ["fsdp, then one", "fsdp, then two share", "fsdp, then four share", "ddp, then two share"])
def test_any_number_goes_on_from_it(root, name):
    if name == "fsdp, then four share":
        shutil.copytree(root / "fsdp", root / name)
        torchrun(BY_FOUR, 4, root / name)
    assert last(RunFolder(root / name)).state["step"] == LONGER
    assert apart(root / "one, longer", root / name) < TOLERANCE


def test_a_damaged_part_is_noticed(root, tmp_path):
    shutil.copytree(root / "nested on two", tmp_path / "run")
    newest = checkpoint.steps(tmp_path / "run" / "checkpoints")[-1]
    (newest / "__1_0.distcp").write_bytes(b"damaged")
    said = []
    assert checkpoint.newest(tmp_path / "run" / "checkpoints", said.append).state["step"] == 4
    assert "__1_0.distcp is not what was written" in said[0]


def test_an_index_runs_nothing(tmp_path):
    (tmp_path / INDEX).write_bytes(b"cposix\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(ValueError, match="asks for posix.system"):
        read(tmp_path, ALONE)


def test_matrices_are_made_orthogonal_as_wholes_and_lost_inputs_are_refused(root):
    found = json.loads((root / "found.json").read_text())
    assert found["muon"] < 1e-6 and found["m3"] < 1e-6
    assert "each of 2 processes has only its own: train with one process" in found["refused"]


@pytest.mark.parametrize(
    "command, shares, said",
    [
        ([], "False", "name this one's folder with --run"),
        (["--compare"], "False", "leave out --max-restarts"),
        (["--run", "run"], "True", "needs TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 in front of torchrun"),
    ],
)
def test_what_torchrun_could_not_restart_is_refused(command, shares, said, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "2")
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", shares)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrainError, match=said):
        main(command)
    assert not any(tmp_path.iterdir())
