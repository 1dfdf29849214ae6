"""The LSTM baseline: as large as the others, causal, resumable, all of it learning."""

from dataclasses import replace

import pytest
import torch

from nlcore.models import MODELS, PRESETS, build, parameter_count

from experiments import baselines

SMALL = replace(PRESETS["tiny"], dim=32, depth=2, heads=2, hidden=8, chunks=(4, 8), context=32)


def make():
    baselines.register()
    torch.manual_seed(0)
    return build("lstm", SMALL, 50).double()


def tokens(length=24, batch=2, seed=1):
    return torch.randint(0, 50, (batch, length), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", PRESETS)
def test_as_many_parameters_as_the_others(size):
    baselines.register()
    with torch.device("meta"):
        counts = {model: parameter_count(build(model, PRESETS[size], PRESETS[size].vocabulary)) for model in MODELS}
    assert all(abs(counts["lstm"] / count - 1) < 0.03 for count in counts.values()), counts


def test_two_calls_with_the_state_carried_equal_one():
    net, x = make(), tokens()
    whole = net(x).logits
    for cut in range(1, 24):
        first = net(x[:, :cut])
        second = net(x[:, cut:], first.state)
        assert (torch.cat([first.logits, second.logits], 1) - whole).abs().max() < 1e-12, cut


def test_a_detached_state_is_the_same_without_gradient_and_rows_first():
    net, x = make(), tokens()
    state = net(x[:, :10]).state
    kept = net.detach(state)
    assert all(part.shape == (2, 1, 32) and not part.requires_grad for own in kept for part in own)
    assert torch.equal(net(x[:, 10:], net.attach(kept)).logits, net(x[:, 10:], state).logits)


@pytest.mark.parametrize("at", [0, 5, 11])
def test_causal(at):
    net, x = make(), tokens(batch=1)
    changed = x.clone()
    changed[:, at] = (changed[:, at] + 1) % 50
    moved = (net(x).logits - net(changed).logits).abs().amax((0, 2))
    assert (moved[:at] == 0).all() and (moved[at:] > 0).all()


def test_no_parameter_without_gradient():
    net = make()
    torch.nn.functional.cross_entropy(net(tokens()).logits.flatten(0, 1), tokens(seed=2).flatten()).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_the_recurrence_is_the_equations_of_an_lstm():
    """A loop over the gates, written out."""
    net, x = make().blocks[0].mixer, torch.randn(2, 7, 32, dtype=torch.float64)
    w_x, w_h, b_x, b_h = (p for _, p in net.recurrence.named_parameters())
    hidden = cell = torch.zeros(2, 32, dtype=torch.float64)
    seen = []
    for step in x.unbind(1):
        i, f, g, o = (step @ w_x.mT + hidden @ w_h.mT + b_x + b_h).chunk(4, -1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        seen.append(net.w_out(hidden))
    assert (net(x)[0] - torch.stack(seen, 1)).abs().max() < 1e-12
    assert (b_x[32:64] + b_h[32:64] == 1).all()  # forget gates begin open
