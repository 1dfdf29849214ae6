"""Singular values on their way to 1: against the polynomials, one number at a time."""

import numpy as np
import pytest

from nlcore.viz.explorers.newton_schulz_spectra import SIZE, STEPS, chart, compute

POLYNOMIALS = {
    "cubic (43)": lambda s, s0: 1.5 * s - 0.5 * s**3,
    "quintic (Muon)": lambda s, s0: 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5,
    "as printed (44)": lambda s, s0: s - 0.25 * ((s - s0) + 2 * s * (s**2 - 1)),
}


@pytest.mark.parametrize("condition", (1.0, 30.0, 300.0))
@pytest.mark.parametrize("steps", (0, 1, 5, STEPS))
def test_each_singular_value_goes_its_own_way(condition, steps):
    found = compute(steps, condition)
    start = condition ** -(np.arange(SIZE) / (SIZE - 1))
    start = start / np.sqrt((start**2).sum())
    np.testing.assert_allclose(found.before, start, atol=1e-12)
    for name, step in POLYNOMIALS.items():
        values = start
        for _ in range(steps):
            values = step(values, start)
        np.testing.assert_allclose(found.after[name], np.sort(np.abs(values))[::-1], atol=1e-12)
        assert found.off[name][steps] == pytest.approx(np.abs(values - 1).max(), abs=1e-12)


def test_the_quintic_is_first_the_cubic_ends_at_one_and_the_printed_form_does_not():
    found = compute(STEPS, 30.0)
    assert found.off["quintic (Muon)"][5] < 0.35 < found.off["cubic (43)"][5]
    assert found.off["cubic (43)"][STEPS] < 1e-6 < 0.2 < found.off["as printed (44)"][STEPS]


def test_bad_arguments_are_one_sentence():
    with pytest.raises(ValueError, match="steps are 0 to 24"):
        compute(25, 2.0)


def test_before_any_step_all_forms_are_where_they_began():
    found = compute(0, 30.0)
    for values in found.after.values():
        np.testing.assert_allclose(values, found.before, atol=1e-12)


def test_each_form_is_marked_at_the_step_that_is_shown():
    marks = chart(compute(7, 30.0))[1].lines[-3:]
    assert [(line.x.tolist(), line.y[0]) for line in marks] == [([7], values[7]) for values in compute(7, 30.0).off.values()]
