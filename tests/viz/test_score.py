"""The level score as numbers: who changed at which step, and by how much of its weights."""

import numpy as np
import pytest

from nlcore.viz import score


def row(step, level, update, weight=1.0, fired=True, memory=None):
    return {"step": step, "level": level, "memory": memory, "fired": fired, "writes": 2 * fired, "period": 4, "unit": "steps",
            "update_norm": update, "weight_norm": weight}


ROWS = [
    row(4, "memory", 0.5, memory="memory"),
    row(4, "projections", 0.2, memory="k"), row(4, "projections", 0.4, memory="v"),
    row(4, "cms-2 momentum", 9.0, fired=False), row(4, "cms-2", 0.0, fired=False),
    row(8, "memory", 1.0, weight=4.0, memory="memory"),
    row(8, "projections", 0.2, memory="k"), row(8, "projections", None, None, fired=False, memory="v"),
    row(8, "cms-2 momentum", 9.0), row(8, "cms-2", 3.0, weight=2.0),
]


def test_rows_are_levels_fastest_first_and_columns_steps():
    roll = score.level_score(ROWS)
    assert roll.levels == ("memory", "projections", "cms-2")
    assert roll.steps.tolist() == [4, 8]


def test_size_is_the_update_over_the_weights_and_nothing_where_nothing_fired():
    roll = score.level_score(ROWS)
    np.testing.assert_allclose(roll.size, [[0.5, 0.25], [0.3, 0.2], [np.nan, 1.5]])


def test_firings_are_counted_and_periods_kept():
    roll = score.level_score(ROWS)
    assert roll.writes.tolist() == [[2, 2], [2, 2], [0, 2]]
    assert roll.periods["cms-2"] == (4, "steps")


def test_a_range_of_steps_is_cut_out():
    assert score.level_score(ROWS, first=5).steps.tolist() == [8]
    assert score.level_score(ROWS, last=7).steps.tolist() == [4]


def test_a_range_without_reports_is_refused():
    with pytest.raises(ValueError, match="no level reports from step 9 on"):
        score.level_score(ROWS, first=9)


def test_a_fields_course_holds_only_the_steps_at_which_its_level_fired():
    steps, norms = score.over_steps(ROWS, "update_norm")["cms-2"]
    assert steps.tolist() == [8] and norms.tolist() == [3.0]
    steps, norms = score.over_steps(ROWS, "update_norm")["projections"]
    np.testing.assert_allclose(norms, [0.3, 0.2])
