"""Who remembers: the nest against torch's own descent, and what the chapter says of it."""

import itertools

import numpy as np
import pytest
import torch

from nlcore.viz.chart.frame import exits
from nlcore.viz.explorers.who_remembers import JOINS, STEPS, chart, compute, one_frequency, run, stream, who_remembers
from nlcore.viz.theme import REFERENCE

SIDE_BY_SIDE, NESTED = JOINS


def by_autograd(world, periods, rates, restart, steps):
    """The maps of all levels after some steps: their sum answers every draw, and autograd finds the gradients."""
    truth, keys, noise = (torch.from_numpy(part) for part in (world.truth, world.keys, world.noise))
    levels = [torch.zeros_like(truth[0], requires_grad=True) for _ in periods]
    for t in range(steps):
        off = sum(levels) - truth[world.abroad[t]]
        # |off k|^2 / 2 over the pairs, and the noise that their values have
        ((off @ keys[t] * off).sum() / 2 - (off * noise[t]).sum()).backward()
        for i, (period, rate) in enumerate(zip(periods, rates)):
            if (t + 1) % period == 0:
                with torch.no_grad():
                    levels[i] -= rate * levels[i].grad
                    levels[i].grad = None
                    for faster in levels[:i] if restart else ():
                        faster.zero_()
    return torch.stack(levels).detach().numpy()


@pytest.mark.parametrize("restart", [False, True])
def test_levels_step_along_the_gradients_of_their_period(restart):
    world, periods, rates = stream(1.0), (1, 4, 8), (0.1, 0.05, 0.03)
    found = run(world, periods, rates, restart)
    size = (world.truth[0] ** 2).sum() / world.truth.shape[1]
    for steps in (1, 7, 8, 150):
        levels = by_autograd(world, periods, rates, restart, steps)
        holds = [[(level * truth).sum() / size / world.truth.shape[1] for truth in world.truth] for level in levels]
        np.testing.assert_allclose(found.holds[:, :, steps - 1], holds, atol=1e-10)
        off = [((levels.sum(0) - truth) ** 2).sum() / size / world.truth.shape[1] for truth in world.truth]
        np.testing.assert_allclose(found.error[:, steps], off, atol=1e-10)


@pytest.mark.parametrize("periods", [(1, 1, 1), (1, 4, 8), (1, 8, 64)])
def test_nested_at_equal_rates_is_one_memory_whatever_the_periods(periods):
    world = stream(1.0)
    one = run(world, (1,), (0.1,), False)
    np.testing.assert_allclose(run(world, periods, (0.1,) * 3, True).error, one.error, atol=1e-10)


def test_side_by_side_at_period_one_is_one_memory_of_the_sum_of_rates():
    world = stream(0.0)
    one = run(world, (1,), (0.175,), False)
    np.testing.assert_allclose(run(world, (1, 1, 1), (0.1, 0.05, 0.025), False).error, one.error, atol=1e-10)


def test_places_are_orthogonal_equally_large_and_change_at_no_rhythm():
    world = stream(1.0, seed=5)
    home, abroad = world.truth
    np.testing.assert_allclose((home * abroad).sum((-1, -2)), 0, atol=1e-10)
    np.testing.assert_allclose((abroad**2).sum((-1, -2)), (home**2).sum((-1, -2)))
    assert world.abroad[0] == 0 and len(world.abroad) == STEPS and len(set(np.diff(np.flatnonzero(np.diff(world.abroad))))) > 2


def test_what_the_chapter_says_of_the_opening_holds():
    found = compute(8, 4, 0.5, NESTED, 1.0)
    ends = np.flatnonzero(np.diff(found.abroad) == -1)
    assert len(ends) == 4
    holds = found.nest.holds
    assert (holds[2, 0, ends] > 0.4).all() and (holds[:2, 0, ends].sum(0) < -0.1).all()
    assert found.mean(found.nest) < found.mean(found.alone)
    quiet = compute(8, 4, 0.5, NESTED, 0.0)
    assert quiet.mean(quiet.nest) > 1.5 * quiet.mean(quiet.alone)
    errors = [(f := compute(middle, 4, 1.0, SIDE_BY_SIDE, 1.0)).mean(f.nest) for middle in (4, 8, 16, 32)]
    assert errors == sorted(errors) and errors[-1] > 2 * errors[0]
    assert f"{found.mean(found.nest):.2f}" in chart(found)[0].title


def test_what_the_picture_is_said_to_show_is_there():
    explorer = who_remembers()
    found = explorer.compute(**explorer.values(explorer.first))
    home, abroad = found.nest.holds[:, 0], found.nest.holds[:, 1]
    changes = np.flatnonzero(np.diff(found.abroad)) + 1
    first = changes[0]
    for figure in (home[2, :first].max(), home[2, first:].min(), home[2, first:].max()):
        assert f"{figure:.2f}" in explorer.alt
    errors = [np.choose(found.abroad, one.error) for one in (found.nest, found.alone)]
    for change in changes:
        assert all(error[change] > 1.3 * error[change - 1] for error in errors)
        assert found.abroad[change] or errors[0][change] < errors[1][change]
    for away in np.split(np.arange(STEPS), changes)[1::2]:
        assert (home[:2, away].min(1) < -0.1).all() and (abroad[:2, away].max(1) > 0.2).all()


def test_of_a_nest_that_updates_all_at_each_step_the_slow_level_is_left_at_a_quarter_of_the_rate():
    found = compute(1, 1, 0.5, NESTED, 1.0)
    assert (found.nest.holds[:2] == 0).all()
    np.testing.assert_allclose(found.nest.error, run(stream(1.0), (1,), (0.1 / 4,), False).error, atol=1e-10)


def test_what_leaves_the_frame_is_told_at_every_setting():
    controls = who_remembers().controls
    for setting in itertools.product(*(control.values for control in controls.values())):
        drawn = chart(compute(*setting))
        assert len(drawn[0].title) < 50, setting
        for plot in drawn:
            left = any(((line.y < plot.y_range[0]) | (line.y > plot.y_range[1])).any() for line in plot.lines)
            assert left == any(exits(line, plot) for line in plot.lines), setting


def test_of_two_equal_errors_the_grey_one_is_drawn_on_top():
    lines = chart(compute(8, 4, 1.0, NESTED, 1.0))[0].lines
    np.testing.assert_allclose(lines[0].y, lines[-1].y)
    assert lines[-1].look is REFERENCE and lines[0].strong and not lines[-1].strong


def test_the_control_is_at_its_best_rate():
    for noise in (0.0, 1.0):
        alone, best = one_frequency(noise)
        assert 0.0125 < best < 0.4
        world = stream(noise)
        np.testing.assert_array_equal(alone.error, run(world, (1,), (best,), False).error)


def test_bad_arguments_are_one_sentence():
    for bad in ((8, 4, 0.5, "in a row", 1.0), (0, 4, 0.5, NESTED, 1.0), (8, 4, 0.0, NESTED, 1.0)):
        with pytest.raises(ValueError, match="take one of side by side"):
            compute(*bad)
