"""Two time scales: against the optimizers themselves, run step by step, and what each memory must follow."""

import numpy as np
import pytest
import torch

from nlcore.optim import Adam, MultiscaleMomentumMuon, Muon
from nlcore.viz.explorers.two_time_scales import BETA2, SIZE, STEPS, SWITCH, compute, stream


def cosines(make, way):
    """Of each step of an optimizer, with a direction by step."""
    weight, found = torch.zeros(SIZE, SIZE, dtype=torch.float64, requires_grad=True), []
    optimizer = make([weight])
    for gradient, direction in zip(stream()[0], way):
        before, weight.grad = weight.detach().clone(), gradient.clone()
        optimizer.step()
        step = before - weight.detach()
        found.append((step * direction).sum().item() / step.norm().item())
    return found


@pytest.mark.parametrize("beta1, beta3, period, alpha", [(0.9, 0.9, 10, 0.5), (0.5, 0.0, 1, 2.0), (0.98, 0.7, 40, 0.0)])
def test_it_is_the_optimizers(beta1, beta3, period, alpha):
    found, (_, *ways) = compute(beta1, beta3, period, alpha), stream()
    makes = {
        "AdamW": lambda p: Adam(p, lr=1.0, betas=(beta1, BETA2), eps=0.0),
        "Muon": lambda p: Muon(p, lr=1.0, momentum=beta1, weight_decay=0.0, dtype=None),
        "M3": lambda p: MultiscaleMomentumMuon(p, 1.0, (beta1, BETA2, beta3), alpha, period, eps=0.0),
    }
    for name, make in makes.items():
        for cosine, way in zip((found.loud, found.quiet), ways):
            np.testing.assert_allclose(cosine[name], cosines(make, way), atol=1e-8)


def test_the_slow_memory_holds_the_quiet_direction_and_ignores_turns():
    found = compute(0.9, 0.9, 10, 0.5)
    slow, late = "M3's slow memory", slice(3 * SWITCH, None)
    assert found.quiet[slow][late].min() > 0.6 > found.quiet["Muon"][late].min()
    assert np.abs(found.loud[slow][late]).mean() < 0.3 < found.loud["Muon"][late].mean()


def test_the_first_period_has_no_slow_memory():
    found = compute(0.9, 0.9, 20, 0.5)
    assert not found.loud["M3's slow memory"][:20].any() and found.loud["M3's slow memory"][20] != 0


def test_a_period_longer_than_the_stream_never_writes():
    assert not compute(0.9, 0.9, STEPS + 1, 0.5).quiet["M3's slow memory"].any()


def test_bad_arguments_are_one_sentence():
    with pytest.raises(ValueError, match="a period is 1 or more"):
        compute(0.9, 0.9, 0, 0.5)


@pytest.mark.parametrize("seed", range(10))
def test_its_slow_memory_helps_m3_in_the_quiet_direction_and_its_division_does_not(seed):
    settings = {"as it is": {}, "no slow memory": {"alpha": 0.0}, "undivided": {"divided": False}}
    base = {"beta1": 0.9, "beta3": 0.9, "period": 10, "alpha": 0.5, "seed": seed}
    mean = {name: compute(**base | other).quiet["M3"].mean() for name, other in settings.items()}
    assert mean["no slow memory"] < mean["as it is"] < mean["undivided"]
    quiet = compute(**base).quiet
    assert quiet["AdamW"].mean() > max(quiet["M3"].mean(), quiet["M3's slow memory"].mean())
