"""Orthogonal tasks: against the optimizers themselves, on a weight with autograd's gradients."""

import numpy as np
import pytest
import torch

from nlcore.optim import DeltaMomentum, Momentum, Muon
from nlcore.viz.chart.frame import exits
from nlcore.viz.explorers.orthogonal_tasks import NAMES, RATES, TASKS, chart, compute, run, tasks


def optimizers(alpha, beta):
    return {
        "SGD": lambda p, lr: torch.optim.SGD(p, lr),
        "momentum": lambda p, lr: Momentum(p, lr, alpha),
        "delta, literal": lambda p, lr: DeltaMomentum(p, lr, alpha, beta, form="literal"),
        "delta, bounded": lambda p, lr: DeltaMomentum(p, lr, alpha, beta, form="bounded"),
        "delta, exact": lambda p, lr: DeltaMomentum(p, lr, alpha, beta, form="exact"),
        "Adam": lambda p, lr: torch.optim.Adam(p, lr, betas=(alpha, 0.999)),
        "Muon": lambda p, lr: Muon(p, lr, alpha, nesterov=False, weight_decay=0.0, dtype=None),
    }


@pytest.mark.parametrize("n, steps, alpha, beta", [(4, 10, 0.9, 1.0), (2, 25, 0.5, 0.5)])
def test_it_is_the_optimizers(n, steps, alpha, beta):
    projections, target = (torch.from_numpy(part) for part in tasks(n))
    found = run(n, steps, alpha, beta)
    for row, (name, make) in enumerate(optimizers(alpha, beta).items()):
        weight = torch.zeros_like(target, requires_grad=True)
        optimizer, losses = make([weight], RATES[name]), []
        for t in range(n * steps):
            optimizer.zero_grad()
            (((weight - target) @ projections[t // steps]).square().sum() / 2).backward()
            optimizer.step()
            losses.append(((weight - target) @ projections).square().sum((-1, -2)).tolist())
        np.testing.assert_allclose(found.losses[row, 1:], losses, rtol=1e-7, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("n", TASKS)
def test_the_tasks_are_orthogonal_and_alike(n):
    projections, target = tasks(n)
    for i, one in enumerate(projections):
        assert np.linalg.norm(target @ one) == pytest.approx(1)
        for j, other in enumerate(projections):
            np.testing.assert_allclose(one @ other, one if i == j else 0, atol=1e-14)


def test_without_a_memory_nothing_is_forgotten_and_a_gradient_fades_as_alpha_says():
    """What a linear memory holds of a task it has left falls by alpha a step, whatever the task is now."""
    found = run(4, 20, 0.9, 1.0)
    forgotten = dict(zip(NAMES, found.forgotten(80)))
    assert abs(forgotten["SGD"]) < 1e-14
    held = found.held[NAMES.index("momentum"), 20:, 0]
    np.testing.assert_allclose(held, held[0] * 0.9 ** np.arange(61), rtol=1e-10)
    assert found.held[NAMES.index("SGD"), 21, 0] < 1e-14


def test_adams_steps_leave_the_task_at_hand_even_without_momentum():
    """Dividing each coordinate by its own size turns the step out of the gradient's subspace."""
    forgotten = dict(zip(NAMES, run(4, 30, 0.0, 1.0).forgotten(120)))
    assert forgotten["Adam"] > 0.05
    assert max(abs(value) for name, value in forgotten.items() if name != "Adam") < 1e-12


def test_the_literal_form_diverges_once_beta_passes_one_plus_alpha():
    """The first gradient has norm 1."""
    row = NAMES.index("delta, literal")
    assert run(2, 40, 0.9, 1.5).losses[row, -1].max() < 1 and not run(2, 40, 0.9, 8.0).losses[row, -1].max() < 1e3


def test_nothing_is_forgotten_before_a_task_is_left():
    found = run(3, 10, 0.9, 1.0)
    assert not found.forgotten(0).any() and not found.forgotten(10).any() and found.forgotten(11).any()


def test_what_adam_harms_is_its_coordinates_and_stays_however_long_a_task_is():
    """Its steps leave a subspace that lies askew of the coordinates, and none that is made of some of them."""
    adam = NAMES.index("Adam")
    for seed in range(3):
        long = run(4, 120, 0.9, seed=seed).forgotten(480)
        assert long[adam] > 0.05 and max(np.delete(np.abs(long), adam)) < 0.02
        assert abs(run(4, 120, 0.9, seed=seed, aligned=True).forgotten(480)[adam]) < 1e-3


@pytest.mark.parametrize("rate", [0.002, 0.05])
def test_adam_harms_at_a_fifth_and_at_five_times_its_rate(rate, monkeypatch):
    monkeypatch.setitem(RATES, "Adam", rate)
    assert run.__wrapped__(4, 120, 0.9).forgotten(480)[NAMES.index("Adam")] > 0.05


def test_aligned_tasks_are_some_of_the_inputs():
    projections, _ = tasks(3, aligned=True)
    assert np.array_equal(projections, [np.diag(np.arange(24) // 8 == i) for i in range(3)])


def test_another_number_of_tasks_is_refused():
    with pytest.raises(ValueError, match="5 tasks: choose one of"):
        compute(50, "SGD", 5, 0.9, 20)


def test_the_one_in_view_is_marked_and_what_leaves_the_frame_is_said():
    bars = chart(compute(100, "momentum", 4, 0.9, 10))[1]
    assert list(bars.y_ticks.values()) == ["SGD", "▸ momentum", "Adam", "Muon"]
    assert bars.lines[1].x[0] == pytest.approx(1.2, abs=0.01) and exits(bars.lines[1], bars)[0].words.endswith("1.2 ▶")


def test_tasks_that_are_not_there_have_no_name():
    loss, _ = chart(compute(100, "SGD", 2, 0.9, 30))
    assert [line.name for line in loss.lines] == ["task 1", "task 2", "", ""]
