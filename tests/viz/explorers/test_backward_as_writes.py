"""Backpropagation as writes: the whole run against autograd and SGD, and what the explorer says of it."""

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from nlcore.viz.chart.static import draw
from nlcore.viz.explorers.backward_as_writes import ETA, LAYERS, RUN, STEP, STEPS, backward_as_writes, chart, compute, run
from nlcore.viz.explorers.spiral import POINTS, network, spiral


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
    for layer in LAYERS.values():
        frame = compute(20, layer, STEP)
        assert frame.limits[0] == np.abs(frame.layer.surprises[20]).max()
        assert compute(20, layer, RUN).limits[0] == np.abs(frame.layer.surprises).max() >= frame.limits[0]


def test_the_chart_shows_one_step_of_one_layer():
    keys, surprises, write, lines = chart(compute(20, 2, STEP))
    assert [plot.heat.z.shape for plot in (keys, surprises, write)] == [(POINTS, 8), (POINTS, 2), (2, 8)]
    np.testing.assert_allclose(write.heat.z, -ETA / POINTS * surprises.heat.z.T @ keys.heat.z, atol=1e-12)
    assert "Step 20" in lines.title and lines.lines[3].x.tolist() == [20]
    assert all(0.9 < line.y.max() / line.y.min() and line.y.min() > 1e-3 and line.y.max() < 3
               for layer in LAYERS.values() for line in chart(compute(20, layer, STEP))[3].lines)
    plt.close(draw(chart(compute(20, 2, STEP))))


def test_every_control_changes_the_view_and_reset_puts_it_back():
    demo = backward_as_writes()
    demo.ask()
    assert demo.wait()
    first = [np.array(trace.z) for trace in demo.view.data[:3]]
    for name, value in (("step", 60), ("layer", 0)):
        demo.controls[name].value = value
        assert demo.wait()
        now = np.array(demo.view.data[1].z)
        assert now.shape != first[1].shape or not np.array_equal(now, first[1])
        demo.reset()
        assert demo.wait() and np.array_equal(demo.view.data[1].z, first[1])
    before = demo.view.data[2].zmax
    demo.controls["colours"].value = RUN
    assert demo.wait() and demo.view.data[2].zmax > before
