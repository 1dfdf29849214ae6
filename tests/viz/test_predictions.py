"""The course's predictions: what a chapter may ask, and that each answer is what is computed, never what was typed."""

import json
import re

import nbformat
import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from experiments.experiment import load as load_results
from nlcore import optim
from nlcore.memory import L2, AssociativeMemory, Decay, DotProduct, GradientDescent, Linear, Omega, Rates
from nlcore.memory.objectives import Objective
from nlcore.memory.rules import Rule
from nlcore.models import PRESETS, build
from nlcore.optim import DeepMomentum, DeltaMomentum, delta_rate
from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.explorers import (
    adam_as_regression, boxes_in_boxes, clock_of_levels, correlated_streams, fading, frozen_values, generalized_descent, learn_or_memorise,
    newton_schulz_spectra, orthogonal_tasks, psi_landscape, same_bytes, seven_memories, stable_steps, store_and_recall,
)  # fmt: skip
from nlcore.viz.explorers.backward_as_writes import STEPS, run
from nlcore.viz.explorers.bandwidth import compute as averaged
from nlcore.viz.explorers.transitions import compute as counted
from nlcore.viz.family import NAMES
from nlcore.viz.prediction import Drawing, Point, Prediction, Tick
from nlcore.viz.predictions import chapters, find

EVERY = {prediction.key: prediction for chapter in chapters().values() for prediction in chapter.predictions}
DRAWN = {
    "00-fading": fading.fading,
    "01-hold": store_and_recall.store_and_recall,
    "01-noise": learn_or_memorise.learn_or_memorise,
    "02-frozen": frozen_values.frozen_values,
    "05-stable": stable_steps.stable_steps,
}
TICKS = [key for key, prediction in EVERY.items() if isinstance(prediction, Tick)]


def right(key: str) -> str:
    """The option that is said to be right."""
    return find(key).right


@pytest.mark.parametrize("number", chapters())
def test_a_chapter_asks_at_most_four_each_under_its_own_key(number):
    asked = chapters()[number].predictions
    assert 1 <= len(asked) <= 4
    keys = [prediction.key for prediction in asked]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(rf"{number}-[a-z-]+", key) for key in keys)


@pytest.mark.parametrize("number", chapters())
def test_a_notebook_asks_each_prediction_of_its_chapter_once_and_in_order(number, root):
    (script,) = (root / "notebooks").glob(f"{number}_*.py")
    source = script.read_text()
    assert re.findall(r"predict\(\"([^\"]+)\"\)", source) == [one.key for one in chapters()[number].predictions]
    assert "**Predict" not in source  # else the answer may stand beside the question


@pytest.mark.parametrize("prediction", EVERY.values(), ids=EVERY)
def test_words_are_whole_sentences_without_formulas(prediction: Prediction):
    assert prediction.question[-1] in ".?" and prediction.because[-1] == "."
    assert "$" not in prediction.question + prediction.because + "".join(getattr(prediction, "options", ()))


def test_every_tick_has_its_own_test(request):
    """A truth that nothing computes would be typed in: each key of a tick stands in a test here, or of its chapter's file."""
    source = "".join(path.read_text() for path in request.path.parent.glob("test_predictions*.py"))
    assert [key for key in TICKS if f'right("{key}")' not in source] == []
    assert set(DRAWN) == set(EVERY) - set(TICKS)


def at(explorer: Explorer, **values: object) -> Chart:
    """The explorer's chart as it opens, or with these values of its controls."""
    return explorer.chart(explorer.compute(**explorer.values(explorer.first) | values))


def drawn(key: str, explorer: Explorer) -> Drawing:
    """What is asked, on the axes and at the setting at which it is asked."""
    return explorer.predict(key).view._drawing


def named(plot: Plot, name: str) -> Line:
    """The line whose name begins so."""
    (found,) = (line for line in plot.lines if line.name.startswith(name))
    return found


def test_what_nobody_has_drawn_is_not_right():
    """Handles as they lie at first, in the middle: that would be luck."""
    for key, explorer in DRAWN.items():
        drawing = drawn(key, explorer())
        middle = drawing.axes[1].value(0.5)
        where = [drawing.axes[0].value(0.5), middle] if isinstance(find(key), Point) else [middle] * len(drawing.x)
        assert not find(key).judge(where, drawing).right, key
        truth = [drawing.x[0], drawing.y[0]] if isinstance(find(key), Point) else list(drawing.y)
        assert find(key).judge(truth, drawing).right, key


# ---- chapter 00 ----


def test_00_clock():
    traces = clock_of_levels.compute(clock_of_levels.START)
    known = {name: (trace.recall[-1] > clock_of_levels.SHOWN).sum() for name, trace in traces.items()}
    assert right("00-clock").startswith(max(known, key=known.get))
    named = {option.split(", wh")[0]: option for option in find("00-clock").options}
    updates = {name: int(traces[name].fired.sum()) for name in named}
    assert updates == {"attention": 52, "momentum": 13, "CMS, slow": 2}


def test_00_halved():
    memory = AssociativeMemory(Linear(2, 2), DotProduct(), GradientDescent(), Decay())
    k, v = torch.eye(2), torch.tensor([[4.0, 2.0], [6.0, 0.0]])
    state = memory.start()
    for t in range(2):
        state, _ = memory.write(state, k[t], v[t], Rates(torch.tensor(1.0), torch.tensor(0.5)))
    x, y = memory.read(state, k[0]).tolist()
    assert right("00-halved").startswith(f"({x:g}, {y:g})")


def test_00_boxes():
    empty = boxes_in_boxes.train(writes=False)
    assert torch.equal(empty.weights, torch.eye(4)) and set(empty.loss) == {1.0}
    assert right("00-boxes") == "nothing: they never change"


def test_00_fading():
    asked, drawing = find("00-fading"), drawn("00-fading", fading.fading())
    assert drawing.y[0] == pytest.approx(1, abs=1e-3) and (np.diff(drawing.y) < 0).all()  # exact, then ever worse
    assert asked.judge([1.0, 0.8, 0.6, 0.5, 0.4], drawing).right
    assert not asked.judge([1.0] * 5, drawing).right and not asked.judge([0.64] * 5, drawing).right


# ---- chapter 01 ----


def test_01_hold():
    asked, drawing = find("01-hold"), drawn("01-hold", store_and_recall.store_and_recall())
    assert drawing.x[0] == 32 and drawing.y[0] < 1e-3
    assert asked.judge([34, 0.05], drawing).right and not asked.judge([16, 0], drawing).right


def learn(objective: Objective, rule: Rule, k: torch.Tensor, v: torch.Tensor, eta: float = 1.0) -> torch.Tensor:
    """The matrix after each pair was written once, in order."""
    memory = AssociativeMemory(Linear(k.shape[1], v.shape[1]), objective, rule, Decay())
    state = memory.start()
    for key, value in zip(k, v):
        state, _ = memory.write(state, key, value, Rates(torch.tensor(eta), torch.tensor(1.0)))
    return state.memory[0]


def test_01_exact():
    k, v = torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.eye(2)
    off = (k @ learn(L2(), GradientDescent(), k, v).T - v).norm(dim=1)
    assert off[1] < 1e-6 and off[0] > 0.5
    assert right("01-exact").startswith(("the first", "the second")[int(off.argmin())])


def test_01_window():
    draw = torch.Generator().manual_seed(0)
    k, v = normalize(torch.randn(2, 64, 32, generator=draw), dim=-1)
    wrong = {c: (k @ learn(L2(), Omega((1.0,) * c), k, v, eta=0.5).T - v).square().sum(-1) for c in (1, 8)}
    assert wrong[8][-8:].mean() < wrong[1][-8:].mean() / 2 and wrong[8][:32].mean() > wrong[1][:32].mean()
    assert right("01-window") == "it helps the last 8 pairs, and the first ones pay for it"


def test_01_noise():
    asked, drawing = find("01-noise"), drawn("01-noise", learn_or_memorise.learn_or_memorise())
    assert drawing.y[0] == 2 and drawing.y.min() < 0.6 and drawing.y[-1] == pytest.approx(1, abs=0.05)
    assert asked.judge([2, 2, 0.5, 0.8, 1], drawing).right
    assert not asked.judge([0, 0.2, 0.3, 0.9, 1], drawing).right  # as on the stored pairs


# ---- chapter 02 ----


def test_02_small():
    hidden, last = run().layers[1], STEPS
    sizes = {
        "keys": np.linalg.norm(hidden.keys, axis=-1).mean(-1),
        "surprises": np.linalg.norm(hidden.surprises, axis=-1).mean(-1),
        "written": np.linalg.norm(hidden.writes, axis=(-2, -1)),
    }
    left = {name: size[last] / size[0] for name, size in sizes.items()}
    assert left["written"] < left["surprises"] / 5 < left["keys"]
    assert min(left, key=left.get) in right("02-small")


def test_02_orthogonal():
    x, v, q = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 1.0]), torch.tensor([2.0, -1.0])
    change = 0.1 * torch.outer(v - x, x) @ q  # W was the identity
    assert change.abs().max() == 0 and right("02-orthogonal") == "not at all"


def test_02_spiral():
    surprise = np.linalg.norm(run().layers[2].surprises, axis=-1)[-1]
    where = {"centre": surprise[[0, 1, 16, 17]].mean(), "ends": surprise[[14, 15, 30, 31]].mean()}
    assert where["centre"] > 1.5 * where["ends"] and "centre" in right("02-spiral")


def test_02_frozen():
    asked, drawing = find("02-frozen"), drawn("02-frozen", frozen_values.frozen_values())
    given = drawing.given[0].y
    assert drawing.y[0] == pytest.approx(given[0]) and drawing.y[-1] > 50 * given[-1]
    assert asked.judge([1, 1, 2, 4, 10], drawing).right
    assert not asked.judge([1, 0.3, 0.1, 0.1, 0.1], drawing).right and not asked.judge([1, 2, 1, 2, 1], drawing).right


# ---- chapter 03 ----


def test_03_lost():
    explorer = orthogonal_tasks.orthogonal_tasks()
    frame = explorer.compute(**explorer.values(explorer.first))
    more = dict(zip(orthogonal_tasks.NAMES, frame.run.forgotten(frame.step)))
    assert max(more, key=more.get) == right("03-lost") == "Adam" and abs(more["SGD"]) < 1e-3


def test_03_settles():
    sizes = {}
    for form in ("literal", "bounded", "exact"):
        weight = torch.zeros(2, dtype=torch.float64, requires_grad=True)
        optimizer = DeltaMomentum([weight], alpha=0.5, beta=1.0, form=form)
        for _ in range(24):
            weight.grad = torch.ones(2, dtype=torch.float64)
            optimizer.step()
        sizes[form] = optimizer.state[weight]["momentum"].norm().item()
    assert [form for form, size in sizes.items() if size > 100] == [right("03-settles").split()[1]]


def test_03_signal():
    draw = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(32, 3, generator=draw))[0]
    weight = torch.zeros(24, 32, requires_grad=True)
    optimizer, near = DeepMomentum([weight], lr=1.0, eta=1.0, hidden=16), {"answer": 0.0, "gradient": 0.0}
    for _ in range(100):
        signal = torch.randn(24, 3, generator=draw) @ basis.T
        weight.grad, before = signal + (3 / 32) ** 0.5 * torch.randn(24, 32, generator=draw), weight.detach().clone()
        optimizer.step()
        for name, found in {"answer": before - weight.detach(), "gradient": weight.grad}.items():
            near[name] += torch.cosine_similarity(found.flatten(), signal.flatten(), dim=0).item() / 100
    assert near["answer"] > near["gradient"] + 0.1 and "answer" in right("03-signal")


def test_03_stop():
    explorer = psi_landscape.psi_landscape()

    def steps(**moved: int) -> np.ndarray:
        return explorer.compute(**explorer.values(explorer.first | moved)).needed

    here = steps()
    stops = [steps(**{name: explorer.first[name] + by}) for name in ("eta", "alpha", "beta") for by in (-1, 1)]
    assert all(np.isfinite(here))
    leaps = [abs(there - here) > 40 for there in stops]  # one that never arrives needs infinitely many
    assert all(leap.any() for leap in leaps) and "a lot" in right("03-stop")


# ---- chapter 04 ----


def test_04_turn():
    plot = at(adam_as_regression.adam_as_regression())[0]
    step, root = named(plot, "step"), named(plot, "root")
    after = int((step.y[40:] < 0).argmax())  # gradients turn with the 41st
    assert after >= 10 and "ten gradients" in right("04-turn")
    assert abs(root.y[40:52] - root.y[39]).max() < 0.1


def test_04_first():
    explorer, first = newton_schulz_spectra.newton_schulz_spectra(), {}
    for steps in range(25):
        for line in at(explorer, steps=steps, **find("04-first").at)[0].lines:
            if line.y[-1] > 0.5:
                first.setdefault(line.name.split(" (")[0], steps)
    assert min(first, key=first.get) == "quintic" and "quintic" in right("04-first")
    assert first["quintic"] < first["cubic"] - 5


def test_04_tenfold():
    def step(kind: type, scale: float, **settings: object) -> float:
        weight = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
        weight.grad = scale * torch.tensor([[4.0, 8.0], [5.0, 2.0]], dtype=torch.float64)
        kind([weight], lr=1.0, weight_decay=0.0, **settings).step()
        return weight.detach().norm().item()

    kinds = {"AdamW": (optim.Adam, {}), "Muon": (optim.Muon, {"dtype": None}), "M3": (optim.MultiscaleMomentumMuon, {})}
    change = {name: step(kind, 10.0, **more) / step(kind, 1.0, **more) for name, (kind, more) in kinds.items()}
    assert [name for name, times in change.items() if abs(times - 1) > 0.01] == [right("04-tenfold").removesuffix("'s")]
    assert change["M3"] == pytest.approx(0.1, rel=0.01)


def test_04_order(root):
    runs = json.loads((root / "figures/vit_digits.json").read_text())["runs"]
    ends = {name: np.mean([run["losses"][-50:] for run in runs[name]]) for name in ("AdamW", "Muon", "M3", "M3, fast only")}
    assert min(ends, key=ends.get) == "M3, fast only" and "fast only" in right("04-order")


# ---- chapter 05 ----


def test_05_drift():
    explorer = correlated_streams.correlated_streams()
    found = explorer.compute(**explorer.values(explorer.first))
    descent, delta, exact = (found.late[rule][0] for rule in correlated_streams.RULES)
    assert (descent > 100).all() and (exact < delta / 5).all()  # at every correlation
    assert right("05-drift").startswith("the exact step")


def test_05_write():
    W, x, u = torch.tensor([2.0, 1.0]), torch.tensor([1.0, 2.0]), 2.0
    share = delta_rate(0.2, x) * (x @ x)  # of the answer that is erased, and of u that is written
    assert share == pytest.approx(0.5)
    assert right("05-write") == f"{((1 - share) * (W @ x) + share * u).item():g}"


def test_05_stable():
    asked, drawing = find("05-stable"), drawn("05-stable", stable_steps.stable_steps())
    reach = 4 * drawing.x  # the input has length 2
    assert drawing.y == pytest.approx((1 - reach) / (1 + reach), abs=0.02)
    assert asked.judge([1, 0.5, -0.5, -1, -1], drawing).right and not asked.judge([1, 0.6, -2.5, -2.5, -2.5], drawing).right


def test_05_outliers():
    plot = at(generalized_descent.generalized_descent(), **find("05-outliers").at)[0]
    ends = {name: named(plot, name).y[-30:].mean() for name in ("dot product", "L2", "Huber")}
    assert min(ends, key=ends.get) in right("05-outliers") and ends["dot product"] < ends["L2"] / 10


# ---- chapter 06 ----


def test_06_corrected():
    held = seven_memories.compute(len(seven_memories.TEXT), 24, 0.9)
    old, _, new = (dict(zip(NAMES, part)) for part in held.parts)
    both = [name for name in ("sum", "delta", "attention") if abs(old[name] - new[name]) < 0.1 and old[name] > 0.4]
    assert right("06-corrected") == "the " + " and ".join(both)


def test_06_wide():
    found = averaged(**find("06-wide").at, query=60)
    assert abs(found.answers - found.values.mean()).max() < 0.2 and found.weights.max() < 1.5 / len(found.weights)
    assert right("06-wide") == "the mean of all values"


def test_06_bytes():
    found = same_bytes.compute(16).pairs[same_bytes.NEAREST]
    last = {rule: recalled[-1] for rule, recalled in found.items()}
    assert last["window"] == 8 and all(1.7 < last[rule] / 8 < 2.7 for rule in same_bytes.RULES)
    assert right("06-bytes") == "the matrix, about twice as many"


def test_06_parity():
    states = {"0.9": counted("decay", 0.9, 0.0), "1": counted("decay", 1.0, 0.0), "−1": counted(**find("06-parity").at, alpha=1.0)}
    split = {mu for mu, found in states.items() if found.state[1::2].min() > found.state[::2].max()}
    assert split == {right("06-parity")}


# ---- chapter 11: what its own full run printed, which the stored notebook keeps ----


@pytest.fixture(scope="module")
def printed(root) -> str:
    notebook = nbformat.read(root / "notebooks" / "11_train_hope.ipynb", as_version=4)
    return "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))


def test_11_rows():
    tiny = PRESETS["tiny"]
    levels = build("hope", tiny, 256).levels()
    full = [level.name for level in levels if level.period <= (tiny.context if level.unit == "tokens" else 1)]
    assert set(right("11-rows").replace(" and ", ", ").split(", ")) == set(full)


def test_11_letters(printed):
    cost = {kind: float(bits) for kind, bits in re.findall(r"^(first letter|letter inside|space, line end) +([\d.]+) bits", printed, re.M)}
    assert len(cost) == len(find("11-letters").options)
    assert right("11-letters").startswith("the " + max(cost, key=cost.get))
    assert min(cost, key=cost.get) == "space, line end"


def test_11_rival():
    scores = {(row["leg"], row["arm"]): row["scores"].values() for row in load_results("rivals").rows}
    better = []
    for leg in ("equal steps", "equal time"):
        hope, rival = scores[leg, "Hope"], scores[leg, "Transformer++"]
        better.append("Hope" if max(hope) < min(rival) else "the Transformer" if max(rival) < min(hope) else "neither")
    assert right("11-rival") == "{} after as many steps, {} after as many minutes".format(*better)


def test_11_worth(printed):
    gain = {level: float(bits) for level, bits in re.findall(r"^([\w-]+) +([+-][\d.]+) bits more after the same text", printed, re.M)}
    assert right("11-worth").startswith(max(gain, key=gain.get))
    assert all(option.split(",")[0] in gain for option in find("11-worth").options)
    assert sorted(gain.values())[-2] < gain["memory"] / 3
