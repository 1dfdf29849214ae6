"""Backpropagation as writes: the whole run against autograd and SGD, and what the explorer says of it."""

import shutil
import subprocess

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from nlcore.viz.explorers.backward_as_writes import (
    ETA, LAYERS, LINES, RUN, STEP, STEPS, backward_as_writes, compute, picture, run, tape,
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
    assert sent["right"] == found.right.tolist() and sent["last"] == STEPS
    for one, name, layer in zip(sent["layers"], LAYERS, found.layers):
        assert one["name"] == name and [line["name"] for line in one["lines"]] == list(LINES)
        np.testing.assert_allclose(np.frombuffer(one["lines"][0]["y"], np.float32), found.loss, rtol=1e-6)
        for part, matrices in (("keys", layer.keys), ("surprises", layer.surprises.swapaxes(1, 2)), ("write", layer.writes)):
            assert (one[part]["rows"], one[part]["columns"]) == matrices.shape[1:]
            largest = np.frombuffer(one[part]["largest"], np.float32)[:, None, None]
            cells = np.frombuffer(one[part]["cells"], np.int8).reshape(matrices.shape) / 127 * largest
            assert (np.abs(cells - matrices) <= 0.51 / 127 * largest).all()


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


def test_the_view_gets_the_tape_once_and_reset_puts_its_value_back():
    demo = backward_as_writes()
    demo.ask()
    assert demo.wait() and demo.view.tape["last"] == STEPS
    sent = demo.view.tape
    demo.view.value = {"step": 60, "layer": 0, "colours": RUN}
    assert demo.wait() and demo.view.tape is sent
    demo.reset()
    assert demo.view.value == {"step": 10, "layer": 1, "colours": STEP}


def test_the_script_is_small_whole_and_needs_no_network(root):
    for path in (root / "nlcore" / "viz" / "static").glob("backward_as_writes.*"):
        assert path.stat().st_size < 20_000 and "http" not in path.read_text(encoding="utf-8")
    if node := shutil.which("node"):
        script = (root / "nlcore/viz/static/backward_as_writes.js").read_text(encoding="utf-8")
        checked = subprocess.run([node, "--check", "--input-type=module"], input=script, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
