"""Boxes in boxes: the training against torch's own optimizer, the order of its ticks, and what it claims to show."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from torch.nn.functional import normalize

from nlcore.levels import Component, order
from nlcore.viz.explorers import boxes_in_boxes as boxes
from nlcore.viz.explorers.boxes_in_boxes import BOXES, ETA, STEPS, TEXTS, THETA, BoxesView, boxes_in_boxes, names, run, train
from nlcore.viz.theme import level_looks


def by_torch(seed: int) -> tuple[list[float], torch.Tensor]:
    """The losses and the weights, with torch's SGD and a loop over texts."""
    draw, weights = torch.Generator().manual_seed(seed), torch.nn.Parameter(torch.eye(4))
    optimizer, losses = torch.optim.SGD([weights], lr=ETA, momentum=THETA), []
    for _ in range(STEPS + 1):
        who, where = (torch.stack([torch.randperm(4, generator=draw) for _ in range(TEXTS)]) for _ in range(2))
        key, loss = normalize(names() @ weights.T, dim=1), torch.zeros(())
        for people, towns in zip(who, where):
            memory = torch.zeros(4, 4)
            for person, town in zip(people, towns):
                memory = memory + torch.outer(torch.eye(4)[town] - memory @ key[person], key[person])
            loss = loss + sum((memory @ key[p] - torch.eye(4)[t]).square().sum() for p, t in zip(people, towns)) / 4 / TEXTS
        losses.append(loss.item())
        if len(losses) <= STEPS:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return losses, weights.detach()


@pytest.mark.parametrize("seed", (0, 3))
def test_it_is_torchs_sgd_with_momentum_through_all_writes(seed):
    losses, weights = by_torch(seed)
    found = train(seed)
    np.testing.assert_allclose(found.loss, losses, atol=1e-4)
    torch.testing.assert_close(found.weights, weights, atol=1e-3, rtol=0)


def test_any_two_names_are_alike_to_four_fifths():
    product = names() @ names().T
    assert torch.allclose(product, 0.8 + 0.2 * torch.eye(4), atol=5e-3)


def test_each_tick_is_counted_and_changes_its_own_box_alone():
    before = run().events[0]
    for event in run().events[1:]:
        grown = {box: event["counts"][box] - before["counts"][box] for box in BOXES}
        assert grown == {box: int(box == event["ticks"]) for box in BOXES}
        changed = {box for box in BOXES if event["shown"][box] != before["shown"][box]}
        assert event["ticks"] == "" or event["ticks"] in changed
        assert changed <= {event["ticks"]} or "begins" in event["said"] or event["over"] or event["ticks"] == "weights"
        before = event
    assert before["counts"] == {"weights": STEPS, "momentum": STEPS, "memory": 4 * (STEPS + 1)}


def test_one_tick_of_a_box_takes_all_ticks_of_the_box_within():
    sequence = [event["ticks"] for event in run().events if event["ticks"]]
    assert sequence == (["memory"] * 4 + ["momentum", "weights"]) * STEPS + ["memory"] * 4


def test_the_levels_are_those_of_definition_2():
    counts = run().events[-1]["counts"]
    parts = [Component(box, counts[box]) for box in BOXES]
    found = order(parts, [("weights", "momentum")])
    assert [[part.name for part in level] for level in found] == [[box] for box in reversed(BOXES)]
    assert [boxes.level(box) for box in BOXES] == [1, 2, 3]
    assert len(order(parts)) == 2  # without the need, momentum and weights share a level


def test_levels_have_the_looks_of_the_map_and_the_momentum_the_weights_colour():
    looks = boxes.LOOKS
    assert {name: looks[name] for name in ("weights", "memory")} == level_looks(["weights", "memory"])
    assert looks["momentum"].colour == looks["weights"].colour
    assert len({look.dash for look in looks.values()}) == len({look.marker for look in looks.values()}) == len(BOXES)


def test_it_learns_and_in_use_forgets():
    losses = [train(seed).loss for seed in range(5)]
    assert min(loss[0] for loss in losses) > 0.8 and max(loss[-1] for loss in losses) < 0.2
    last = run().events[-1]
    assert last["over"] and not np.any(last["shown"]["memory"]) and "nothing" in last["said"]
    asked = [event for event in run().events if event["loss"] is not None]
    assert "4 right" in asked[-1]["said"] and "1 right" in asked[0]["said"]


def test_it_opens_between_the_momentums_tick_and_the_weights():
    event = run().events[boxes.opens()]
    assert event["ticks"] == "momentum" and event["counts"] == {"memory": 16, "momentum": 4, "weights": 3}
    text = boxes_in_boxes().alt
    assert "memory 16, momentum 4, weights 3" in text and event["said"] in text


def test_the_picture_has_all_squares():
    figure = boxes.picture(boxes.opens())
    squares = [patch for patch in figure.axes[0].patches if isinstance(patch, plt.Rectangle)]
    assert len(squares) == 3 * 16
    plt.close(figure)


def test_the_view_is_plain_json_and_its_script_small_and_whole(root):
    assert len(json.dumps(boxes_in_boxes().view.get_state(), default=str)) < 150_000
    static = root / "nlcore" / "viz" / "static"
    for path in static.glob("boxes_in_boxes.*"):
        assert path.stat().st_size < 20_000 and "http" not in path.read_text(encoding="utf-8").replace("http://www.w3.org", "")
    if node := shutil.which("node"):
        checked = subprocess.run([node, "--check", "--input-type=module"], input=BoxesView._esm, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
