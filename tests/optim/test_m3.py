"""M3 against a plain loop in both readings, on its levels' clock, and the signs of eq. 75 and Alg. 1."""

import pytest
import torch

from nlcore.optim import Adam, MultiscaleMomentumMuon
from nlcore.optim.m3 import Equation75
from nlcore.ops.newton_schulz import newton_schulz

STEPS, PERIOD = 13, 4


def gradients(*shape, steps=STEPS):
    return torch.randn(steps, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def run(g, make=MultiscaleMomentumMuon, **settings):
    """The weights after each gradient, from 0: (steps, *shape)."""
    p = torch.zeros_like(g[0], requires_grad=True)
    optimizer, path = make([p], **({"lr": 0.1} | settings)), []
    for gradient in g:
        p.grad = gradient.clone()
        optimizer.step()
        path.append(p.detach().clone())
    return torch.stack(path)


def loop(g, ema, answer, betas=(0.9, 0.99, 0.8), alpha=0.5, lr=0.1, eps=1e-8, sign=1):
    """Alg. 1, line by line: k counts periods, t steps."""
    W, fast, slow, V, path, count = *(torch.zeros_like(g[0]) for _ in range(4)), [], 0
    b1, b2, b3 = betas
    for k in range(-(-len(g) // PERIOD)):
        if k:
            period = g[(k - 1) * PERIOD : k * PERIOD]
            slow = b3 * slow + (1 - b3) * sign * period.mean(0) if ema else slow + sign * b3 * period.sum(0)
        slow_answer = answer(slow / (1 - b3**k) if ema and k else slow)
        for gradient in g[k * PERIOD : (k + 1) * PERIOD]:
            count += 1
            fast = b1 * fast + (1 - b1) * gradient if ema else fast + b1 * gradient
            V = b2 * V + (1 - b2) * gradient**2 if ema else V + b2 * gradient**2
            seen = V / (1 - b2**count) if ema else V
            fast_answer = answer(fast / (1 - b1**count) if ema else fast)
            W = W - lr * (fast_answer + alpha * slow_answer) / torch.sqrt(seen + eps)
            path.append(W)
    return torch.stack(path)


SETTINGS = {"betas": (0.9, 0.99, 0.8), "period": PERIOD}


@pytest.mark.parametrize("decay", ("ema", "none"))
@pytest.mark.parametrize("shape, answer", [((5, 3), newton_schulz), ((6,), lambda m: m)])
def test_it_is_algorithm_1(decay, shape, answer):
    g = gradients(*shape)
    torch.testing.assert_close(run(g, decay=decay, **SETTINGS), loop(g, decay == "ema", answer), rtol=1e-10, atol=1e-10)


def test_equation_75_is_the_same_with_a_minus():
    g = gradients(5, 3)
    found = run(g, Equation75, decay="none", **SETTINGS)
    torch.testing.assert_close(found, loop(g, False, newton_schulz, sign=-1), rtol=1e-10, atol=1e-10)


def test_with_the_sign_of_75_the_slow_memory_pushes_uphill():
    """On gradients that always point one way, plus walks downhill faster than the fast memory alone, minus slower."""
    g = gradients(4, 4)[:1].expand(40, 4, 4)
    downhill = {name: -(run(g, make, alpha=alpha, period=PERIOD)[-1] * g[0]).sum().item()
                for name, make, alpha in (("plus", MultiscaleMomentumMuon, 0.5), ("fast", MultiscaleMomentumMuon, 0.0),
                                          ("minus", Equation75, 0.5))}
    assert downhill["plus"] > 1.3 * downhill["fast"] and downhill["minus"] < 0.7 * downhill["fast"]


def test_slow_changes_only_at_the_end_of_a_period():
    p = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)
    optimizer = MultiscaleMomentumMuon([p], period=PERIOD)
    seen = []
    for gradient in gradients(3, 3):
        p.grad = gradient
        optimizer.step()
        seen.append(optimizer.state[p]["slow"].clone())
    changed = [t for t in range(1, STEPS) if not torch.equal(seen[t], seen[t - 1])]
    assert changed == [3, 7, 11]


def test_without_orthogonality_and_slow_memory_it_is_adam_up_to_eps():
    g = gradients(4, 3)
    found = run(g, orthogonal=False, alpha=0.0, betas=(0.9, 0.99, 0.9), eps=0.0, lr=1e-2)
    torch.testing.assert_close(found, run(g, Adam, betas=(0.9, 0.99), eps=0.0, lr=1e-2), rtol=0, atol=1e-12)


def test_a_filter_is_the_matrix_of_its_rows():
    g = gradients(4, 2, 3)
    torch.testing.assert_close(run(g).flatten(2), run(g.flatten(2)), rtol=0, atol=1e-12)


def test_a_larger_loss_takes_smaller_steps_where_adams_stay():
    g = gradients(4, 3)
    torch.testing.assert_close(run(g, eps=0.0), 10 * run(10 * g, eps=0.0), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(run(g, Adam, eps=0.0), run(10 * g, Adam, eps=0.0), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("settings, says", [({"period": 0}, "period is 0"), ({"decay": "half"}, "take \"ema\""),
                                            ({"betas": (0.9, 1.0, 0.9)}, "betas is")])
def test_bad_settings_are_one_sentence(settings, says):
    with pytest.raises(ValueError, match=says):
        run(gradients(2, 2), **settings)
