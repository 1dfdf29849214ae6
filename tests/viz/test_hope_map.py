"""The map that fills up: what it says of Hope is what the X-ray sees, and each chapter adds its own part."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt

from nlcore.levels import Transfer
from nlcore.models import PRESETS, build
from nlcore.train.parts import optimizer as leveled
from nlcore.viz.hope_map import CHAPTERS, HOPE, TRANSFERS, builders, hope_map
from nlcore.xray import xray


def named(loop: str) -> str:
    """The X-ray's name of a loop, in the map's words."""
    of = {"exp_avg": "momentum of ", "exp_avg_sq": "squares of ", "weights": ""}
    state, _, owner = loop.partition(" of ")
    return of[state] + owner if owner else state


def test_it_is_the_xray_of_a_real_hope_but_for_what_goes_on_inside_a_layer():
    """Of one whose levels are less far apart, so that all of them are seen in eight steps."""
    torch.manual_seed(0)
    small = replace(PRESETS["tiny"], dim=16, depth=1, heads=2, hidden=4, chunks=(4, 8), periods=(1, 2, 4), context=16)
    model, steps, tokens = build("hope", small, 16), iter(range(1, 99)), torch.randint(0, 16, (2, 16))
    optimizer = leveled(model, 1e-3)

    def step():
        F.cross_entropy(model(tokens).logits.flatten(0, 1), tokens.flatten()).backward()
        optimizer.step(next(steps))

    found = xray(step, model, optimizer.optimizers).system
    seen = [{named(loop.name) for loop in level} for level in found.levels]
    assert seen == [{c.name for c in level} for level in HOPE.levels]
    handed = {Transfer(named(t.source), named(t.target), t.kind) for t in found.transfers}
    assert set(HOPE.transfers) - handed == {Transfer("projections", "memory", "generation")}
    assert handed <= set(HOPE.transfers)


def test_its_frequencies_are_those_of_size_laptop():
    laptop = PRESETS["laptop"]
    rates = {c.name.rpartition(" of ")[2]: c.frequency for c in HOPE.components}
    assert [rates["memory"], rates["projections"]] == [laptop.context / chunk for chunk in laptop.chunks]
    assert [1 / rates[f"cms-{n}"] for n in (3, 2, 1)] == list(laptop.periods) and rates["weights"] == 1


def test_every_chapter_adds_something_and_at_ten_all_is_there():
    seen = [(hope_map(n).filled(), n >= TRANSFERS) for n in range(10)]
    assert all(before != after for before, after in zip(seen, seen[1:]))
    shares = [{share for share, _ in filled.values()} for filled, _ in seen]
    assert shares[0] == {0} and shares[9] == {1} and all(hope_map(n).filled() == hope_map(13).filled() for n in (10, 11, 12))
    for n in range(1, 10):
        for name, (share, new) in hope_map(n).filled().items():
            assert share - new == pytest.approx(hope_map(n - 1).filled()[name][0]) and (new > 0) == (n in builders(name))
    assert {n for c in HOPE.components for n in builders(c.name)} | {TRANSFERS, 10} == set(CHAPTERS)


def test_a_picture_is_filled_as_far_as_it_says():
    figure = hope_map(3).picture()
    boxes = {box.get_xy(): box for box in figure.axes[0].patches if box.get_alpha() is None and hasattr(box, "get_xy")}
    bars = [bar for bar in figure.axes[0].patches if bar.get_alpha() == 0.2]
    shares = sorted(round(bar.get_width() / boxes[bar.get_xy()].get_width(), 6) for bar in bars)
    assert shares == sorted(round(share - new, 6) for share, new in hope_map(3).filled().values())
    assert "darker: what is new" in figure.axes[0].get_title(loc="left")
    assert figure.axes[0].get_legend() is None
    assert not any(hasattr(text, "arrow_patch") for text in figure.axes[0].texts)
    plt.close(figure)
    assert "built: momentum of weights, weights; begun: memory" in hope_map(3).alt() and "no lines" in hope_map(3).alt()
    assert "; new: memory; " in hope_map(5).alt() and "new" not in hope_map(7).alt()
    assert "lines between them are drawn" in hope_map(7).alt()


def test_it_links_to_notebooks_that_are_there(tmp_path, root):
    assert hope_map(2).links(tmp_path) == "01 a memory · 02 the weights"
    linked = "[01](01_associative_memory.ipynb) a memory · [02](02_backpropagation.ipynb) the weights"
    assert hope_map(2).links(root / "notebooks") == linked
    assert hope_map(0).links(tmp_path) == ""


@pytest.mark.parametrize("number", [-1, 14, "7", None])
def test_what_is_no_chapter_is_one_sentence(number):
    with pytest.raises(ValueError, match="is no chapter: give the number of the last one that is done"):
        hope_map(number)
