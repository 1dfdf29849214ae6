"""The compiled step: one graph without a break, regions that are compiled once, and the same numbers."""

import logging
import traceback
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from nlcore import probe, regions
from nlcore.models import build, preset_of
from nlcore.models.memories import leaves
from nlcore.train import TrainError, configure, device, loop, new, train
from nlcore.train.device import Choice, compiles
from nlcore.train.loop import Objective, Trainer
from nlcore.train.run import _compiled
from tests.train.small import losses, small

SIZES = dict(dim=16, depth=2, heads=2, hidden=8, chunks=(4, 8), context=16, batch=2, vocabulary=32)
CPU = Choice(torch.device("cpu"), torch.float32, "")


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    # pytest listens to every logger, and dynamo would write down each tensor that it meets.
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "disabled", True)
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def step(model, before=None, seed=0, length=16):
    """Loss, state, and gradients of one training step."""
    x, y = torch.randint(0, 32, (2, 2, length), generator=torch.Generator().manual_seed(seed))
    loss, _, after = Objective(model, CPU)(x, y, before, True)
    loss.backward()
    found = [loss.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]
    model.zero_grad(set_to_none=True)
    return found, after


def make(name, **sizes):
    torch.manual_seed(0)
    return build(name, replace(preset_of("tiny", name), **SIZES | sizes), 32).double()


def far(a, b):
    return max((x - y).abs().max().item() for x, y in zip(a, b, strict=True) if isinstance(x, torch.Tensor) and x.numel())


@pytest.mark.parametrize("name", ["hope", "hope-attention", "transformer", "sliding-window", "titans"])
@pytest.mark.parametrize("listens", [False, True])
def test_the_step_is_one_graph_fresh_and_carried(name, listens):
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    model = make(name, depth=1, context=8)
    objective = torch.compile(Objective(model, CPU), backend=backend, fullgraph=True)  # a break raises
    x, state = torch.randint(0, 32, (2, 8)), None
    with probe.listen() if listens else nullcontext():
        for _ in range(3 if name in ("hope", "titans") else 2):  # their state looks the same after each chunk
            loss, reports, state = objective(x, x, state, True)
            loss.backward()
            assert bool(reports) == (listens and name in ("hope", "titans"))
    assert len(graphs) == 2


@pytest.mark.parametrize("name", ["hope", "titans", "hope-attention"])
def test_regions_are_compiled_once_and_change_nothing(name):
    model, state, counts, compiled = make(name), None, [], regions.Compiled("aot_eager")
    for seed in range(5):
        exact, after = step(model, state, seed)
        with compiled:
            found, reached = step(model, state, seed)
        counts.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
        assert far(exact, found) < 1e-12 and far(leaves(after), leaves(reached)) < 1e-12
        state = None if name == "hope-attention" else after
    assert counts[1] == counts[-1]  # fresh and carried: then nothing is compiled again


def test_models_of_many_kinds_are_compiled_in_one_process():
    """torch gives a function up that was compiled too often, so more kinds of a model than it allows need copies of it."""
    kinds = (dict(adaptive=("k",)), dict(adaptive=("k",), momentum=True), dict(adaptive=("k", "v", "eta", "alpha")))
    with torch._dynamo.config.patch(recompile_limit=len(kinds) - 1):
        for kind in kinds:
            with regions.Compiled("eager"):
                step(make("hope", depth=1, context=8, **dict(hidden=4, momentum=False) | kind), length=8)


def test_more_chunks_make_no_more_graphs():
    found = []
    for length in (16, 64):
        torch.compiler.reset()
        torch._dynamo.utils.counters.clear()
        with regions.Compiled("eager"):
            step(make("hope", context=length), length=length)
        found.append(dict(torch._dynamo.utils.counters["stats"]))
    assert found[0] == found[1]


def test_a_resumed_run_may_be_compiled_and_differs_by_rounding(tmp_path, monkeypatch):
    found, compiled = [], regions.Compiled
    monkeypatch.setattr(loop.regions, "Compiled", lambda: compiled("aot_eager"))  # which needs no compiler
    monkeypatch.setattr(device, "compile_trouble", lambda where: "")
    for name, later in (("plain", {}), ("compiled", {"compile": "on"})):
        folder = new(small(steps=2, model="hope-attention"), tmp_path / name)
        train(folder)
        assert train(folder, steps=4, **later)["state"] == "done"
        found.append([loss for _, loss in losses(folder)])
    assert found[0] == pytest.approx(found[1], abs=1e-4)


def test_a_step_waits_once_for_its_device(tmp_path):
    class Waits(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, given=(), named=None):
            if function.name().startswith(("aten::_local_scalar_dense", "aten::nonzero", "aten::equal")):
                lines = [line.filename for line in traceback.extract_stack()]
                # Tokens are checked on the CPU alone, and torch keeps AdamW's count of steps there.
                seen.extend([] if any(name.endswith(("language_model.py", "adam.py")) for name in lines) else ["wait"])
            return function(*given, **named or {})

    def learn(trainer, step, listens):
        seen.clear()
        with Waits():
            result = plain(trainer, step, listens)
        counts[step, listens] = len(seen)
        return result

    seen, counts, plain = [], {}, Trainer._learn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_learn", learn)
        train(new(small(steps=3), tmp_path))
    # The one wait, of the guard, reads a list, which is no operation; a report's figures are read one by one.
    assert counts[1, False] == 0 and counts[2, True] > 0


def test_who_compiles(monkeypatch):
    cuda, inner = replace(CPU, device=torch.device("cuda")), {"in_context": (("cms-3", 16, 0.3),)}
    monkeypatch.setattr(device, "compile_trouble", lambda where: "")
    assert [compiles(configure(), where) for where in (CPU, cuda)] == [False, True]
    assert compiles(configure(compile="on"), CPU) and not compiles(configure(compile="off"), cuda)
    assert not compiles(configure(**inner), cuda)
    with pytest.raises(TrainError, match="take gradients while they read, which cannot be compiled: leave out --compile"):
        compiles(configure(compile="on", **inner), CPU)
    with pytest.raises(TrainError, match="There is no compile 'yes': choose one of auto, on, off"):
        configure(compile="yes")


def test_where_nothing_can_be_compiled_auto_does_without_and_on_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    monkeypatch.setattr("torch._inductor.config.force_disable_caches", True)
    device.compile_trouble.cache_clear()
    with pytest.raises(TrainError, match="torch.compile does not work here.*No working C.. compiler found"):
        new(small(compile="on"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(device, "compile_trouble", lambda where: "no compiler")
    assert not compiles(configure(), replace(CPU, device=torch.device("cuda")))
    assert _compiled(configure(), replace(CPU, device=torch.device("cuda"))) == "; not compiled, since torch.compile says: no compiler"
