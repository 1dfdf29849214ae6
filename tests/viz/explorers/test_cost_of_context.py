"""The cost of context: counts, and where lines meet."""

import numpy as np
import pytest

from nlcore.viz.explorers.cost_of_context import BYTES, LENGTHS, compute


@pytest.mark.parametrize("width, length", [(64, 1024), (16, 32)])
def test_the_counts_are_those_of_keys_values_and_matrices(width, length):
    cost = compute(width, length)
    for n, at in ((1.0, 0), (LENGTHS[40], 40), (1_048_576.0, -1)):
        assert cost.state["attention"][at] == BYTES * n * 2 * width
        assert cost.state["window"][at] == BYTES * min(n, length) * 2 * width
        assert cost.state["delta"][at] == cost.state["sum"][at] == BYTES * width * width
        assert cost.work["attention"][at] == n * width + n * width  # scores, and the average
        assert (cost.work["sum"][at], cost.work["delta"][at]) == (2 * width**2, 3 * width**2)


def test_attention_has_the_bytes_of_a_matrix_after_half_the_width():
    cost = compute(64, 4096)
    np.testing.assert_array_equal(cost.state["attention"] <= cost.state["sum"], LENGTHS <= 32)
    np.testing.assert_array_equal(cost.work["attention"] <= cost.work["delta"], LENGTHS <= 96)


def test_bad_arguments_are_one_sentence():
    with pytest.raises(ValueError, match="1 or more"):
        compute(0, 4)
