"""Backpropagation as writes: the whole run against autograd and SGD, and what the explorer says of it."""

import gzip
import json
import shutil
import subprocess
from base64 import b64decode

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from nlcore.viz.explorers.backward_as_writes import (
    ETA, LAYERS, LINES, OPENS, RUN, STEP, STEPS, WritesView, backward_as_writes, compute, picture, run, tape,
)
from nlcore.viz.spiral import POINTS, network, spiral


def by_autograd():
    """Per step: keys, surprises (by autograd, per point) and SGD's changes of each layer, from the input on."""
    _, state = network()
    layers = [w.clone().requires_grad_() for w in reversed(state.memory)]
    sgd = torch.optim.SGD(layers, lr=ETA)
    x, v = spiral()
    found = []
    for _ in range(STEPS + 1):
        sgd.zero_grad()
        keys, outputs = [], []
        h = x
        for w in layers:
            keys.append(h)
            outputs.append(h @ w.T)
            outputs[-1].retain_grad()
            h = torch.tanh(outputs[-1])
        loss = (outputs[-1] - v).square().sum(-1).mean() / 2
        loss.backward()
        before = [w.detach().clone() for w in layers]
        sgd.step()
        found.append((loss.item(), [
            (k.detach().numpy(), POINTS * y.grad.numpy(), (w - old).detach().numpy())
            for k, y, w, old in zip(keys, outputs, layers, before)
        ]))
    return found


def test_every_layer_at_every_step_is_autograd_and_sgd():
    found = run()
    for t, (loss, layers) in enumerate(by_autograd()):
        assert found.loss[t] == pytest.approx(loss, abs=1e-10)
        for ours, (keys, surprises, change) in zip(found.layers, layers):
            np.testing.assert_allclose(ours.keys[t], keys, atol=1e-10)
            np.testing.assert_allclose(ours.surprises[t], surprises, atol=1e-10)
            np.testing.assert_allclose(ours.writes[t], change, atol=1e-10)


def test_it_learns_and_the_writes_fade():
    found = run()
    assert found.right[0] <= POINTS * 0.6 and found.right[-1] == POINTS
    assert found.loss[-1] < found.loss[0] / 50
    for layer in found.layers:
        assert np.linalg.norm(layer.writes[-1]) < np.linalg.norm(layer.writes[0]) / 10


def test_the_colours_reach_the_largest_of_the_step_or_of_the_run():
    for layer in range(len(LAYERS)):
        frame = compute(20, layer, STEP)
        assert frame.limits[0] == np.abs(frame.layer.surprises[20]).max()
        assert compute(20, layer, RUN).limits[0] == np.abs(frame.layer.surprises).max() >= frame.limits[0]


def test_the_tape_is_the_run_in_bytes():
    sent, found = tape(run()), run()
    for one, name, layer in zip(sent, LAYERS, found.layers, strict=True):
        assert one["name"] == name and [line["name"] for line in one["lines"]] == list(LINES)
        for line, y in zip(one["lines"], (found.loss, *layer.sizes)):
            np.testing.assert_allclose(line["y"], y, rtol=1e-3)
        for part, matrices in (("keys", layer.keys), ("surprises", layer.surprises.swapaxes(1, 2)), ("write", layer.writes)):
            assert (one[part]["rows"], one[part]["columns"]) == matrices.shape[1:]
            largest = np.array(one[part]["largest"])[:, None, None]
            bytes_ = gzip.decompress(b64decode(one[part]["cells"]))
            cells = np.frombuffer(bytes_, np.int8).reshape(matrices.shape) / 127 * largest
            assert (np.abs(cells - matrices) <= 0.6 / 127 * largest).all()


def test_the_view_is_plain_json_small_and_opens_where_its_controls_stand():
    view = backward_as_writes().view
    assert len(json.dumps(view.get_state(), default=str)) < 300_000
    assert view.at == {name: control["first"] for name, control in view.controls.items()} == {"step": 10, "layer": 1, "colours": 0}
    assert view.controls["step"]["words"][-1] == f"step {STEPS}: loss {run().loss[-1]:.3f}, 32 of 32 right"


def test_the_alt_text_says_what_is_drawn():
    text, found = backward_as_writes().alt, run()
    figure = picture(compute(OPENS, 1, STEP))
    _, *shapes = (axes.images[0].get_array().shape if axes.images else None for axes in figure.axes)
    plt.close(figure)
    assert shapes == [(32, 8), (8, 32), (8, 8)]
    for part in ("keys, 32 points by 8 entries", "surprises, 8 by 32", "write, 8 by 8", f"is {found.loss[OPENS]:.2g} here",
                 f"from {found.loss[0]:.2g} to {found.loss[-1]:.2g}", f"{found.right[OPENS]} of 32 points right"):
        assert part in text
    norms = np.linalg.norm(found.layers[1].surprises[OPENS], axis=-1)
    assert norms.max() > 10 * norms.min()  # "strong at some points"


def test_the_lines_stay_within_the_graph():
    for layer in run().layers:
        for line in (run().loss, *layer.sizes):
            assert line.min() > 1e-3 and line.max() < 3


def test_the_picture_is_a_product():
    figure = picture(compute(20, 2, STEP))
    _, keys, surprises, write = (
        axes.images[0].get_array().data if axes.images else None for axes in figure.axes
    )
    np.testing.assert_allclose(write, -ETA / POINTS * surprises @ keys, atol=1e-12)
    assert "Step 20" in figure.axes[0].get_title(loc="left")
    plt.close(figure)


def test_the_script_is_small_whole_and_needs_no_network(root):
    for path in (root / "nlcore" / "viz" / "static").glob("backward_as_writes.*"):
        assert path.stat().st_size < 20_000 and "http" not in path.read_text(encoding="utf-8")
    if node := shutil.which("node"):
        checked = subprocess.run([node, "--check", "--input-type=module"], input=WritesView._esm, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
