"""Levels that learn in context: the outer gradient to first and to second order."""

import copy
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from nlcore.layers import ContinuumMemory, SlidingWindow
from nlcore.models import PRESETS, InContext, InnerLevel, LanguageModel, frozen_memories
from tests.models.reading import FORMS, KINDS, LENGTH, flat, loss_of, make, tokens, unrolled


@pytest.mark.parametrize("second_order", [False, True])
def test_gradients_through_two_calls_are_those_of_one(second_order):
    gradients = []
    for cuts in ([LENGTH], [6, LENGTH], [8, 17, LENGTH]):
        model, x, state, logits = make(second_order=second_order, nested=True), tokens(), None, []
        for a, b in zip([0, *cuts], cuts):
            output = model(x[:, a:b], state)
            state = output.state
            logits.append(output.logits)
        loss_of(torch.cat(logits, 1), x).backward()
        gradients.append(flat(p.grad for p in model.parameters()))
    for other in gradients[1:]:
        torch.testing.assert_close(other, gradients[0], rtol=0, atol=1e-10)


@pytest.mark.parametrize("second_order", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_outer_gradients_are_those_of_an_unrolled_loop(kind, second_order):
    model, x = make(kind, second_order=second_order), tokens(2, 22)
    loss_of(model(x).logits, x).backward()
    ours = flat(p.grad for p in model.parameters())
    model.zero_grad()
    logits = torch.stack([unrolled(model, text, second_order) for text in x])
    loss_of(logits, x).backward()
    torch.testing.assert_close(ours, flat(p.grad for p in model.parameters()), rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("kind, nested", FORMS)
def test_the_second_order_gradient_is_that_of_finite_differences_and_the_first_is_not(kind, nested):
    x, slopes = tokens(2, 22), {}
    for second_order in (False, True):
        model = make(kind, nested=nested, second_order=second_order)
        loss_of(model(x).logits, x).backward()
        torch.manual_seed(3)
        ways = [torch.randn_like(p) for p in model.parameters()]
        length = flat(ways).norm()
        ways = [way / length for way in ways]
        slopes[second_order] = sum((p.grad * way).sum() for p, way in zip(model.parameters(), ways)).item()
    sides = []
    for side in (1e-6, -1e-6):
        with torch.no_grad():
            moved = copy.deepcopy(model)
            for p, way in zip(moved.parameters(), ways):
                p += side * way
            sides.append(loss_of(moved(x).logits, x).item())
    slope = (sides[0] - sides[1]) / 2e-6
    assert slopes[True] == pytest.approx(slope, rel=1e-5) and abs(slopes[False] - slope) > 1e-3 * abs(slope)


@pytest.mark.parametrize("second_order", [False, True])
@pytest.mark.parametrize("kind, nested", FORMS)
def test_no_parameter_without_gradient(kind, nested, second_order):
    model, x = make(kind, nested=nested, second_order=second_order), tokens(2, 20)
    loss_of(model(x).logits, x).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())


@pytest.mark.parametrize("kind, nested", FORMS)
def test_checkpointed_blocks_give_the_same_gradients(kind, nested):
    """They compute their forward pass again in the backward pass, when the levels have long moved on."""
    x, gradients = tokens(2, 20), []
    for checkpoint_blocks in (False, True):
        model = make(kind, nested=nested, checkpoint_blocks=checkpoint_blocks)
        loss_of(model(x).logits, x).backward()
        gradients.append(flat(p.grad for p in model.parameters()))
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="checkpointed blocks keep none: choose first order"):
        make(kind, second_order=True, checkpoint_blocks=True)


@pytest.mark.parametrize("second_order", [False, True])
def test_a_model_trained_to_learn_recalls_what_its_window_no_longer_shows(second_order):
    """24 random tokens, four times over, by windows of 4: only what the levels have learnt can tell what comes next."""
    torch.manual_seed(0)
    preset = replace(PRESETS["tiny"], dim=32, depth=2, heads=2, context=96)
    net = LanguageModel(preset, 16, lambda: SlidingWindow(32, 2, 4), lambda: ContinuumMemory(32, 64, 1))
    model = InContext(net, [InnerLevel("cms-1", 8, 1.0, warm_up=30)], second_order=second_order)
    adam, generator = torch.optim.Adam(model.parameters(), 3e-3), torch.Generator().manual_seed(1)

    def losses():
        x = torch.randint(16, (8, 24), generator=generator).repeat(1, 4)
        return F.cross_entropy(model(x).logits[:, :-1].mT, x[:, 1:], reduction="none")

    for step in range(1, 61):
        model.at_step(step)
        adam.zero_grad()
        losses().mean().backward()
        adam.step()
    with torch.no_grad():
        learnt = losses()[:, 72:].mean()
        with frozen_memories(model):
            still = losses()[:, 72:].mean()
    assert learnt < 1.5 and still > 0.95 * math.log(16)


def test_a_clip_that_clips_nothing_has_the_derivative_of_a_large_one():
    x, gradients = tokens(2, 22), []
    for clip in (1e6, math.inf):
        model = make(levels=(InnerLevel("cms-3", 4, 0.9, clip=clip),), second_order=True)
        loss_of(model(x).logits, x).backward()
        gradients.append(flat(p.grad for p in model.parameters()))
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)
