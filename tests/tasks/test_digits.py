"""The digits: their form, and a split that is fair, repeatable and without overlap."""

import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from nlcore.tasks.corpus import DataError
from nlcore.tasks.digits import digits


def test_all_pictures_are_there_once_with_their_labels():
    found, source = digits(), load_digits()
    images, labels = torch.cat([found.train_images, found.test_images]), torch.cat([found.train_labels, found.test_labels])
    assert images.dtype == torch.float32 and labels.dtype == torch.int64 and images.shape[1:] == (8, 8)
    assert images.min() == 0 and images.max() == 1

    def rows(pictures: np.ndarray, shown: np.ndarray) -> list:
        return sorted(map(tuple, np.column_stack([pictures.reshape(len(pictures), 64), shown]).tolist()))

    assert rows((images * 16).numpy(), labels.numpy()) == rows(source.images, source.target)


def test_each_class_gives_its_share_to_the_test():
    found = digits(0.25, seed=3)
    for digit in range(10):
        test, train = (found.test_labels == digit).sum(), (found.train_labels == digit).sum()
        assert abs(test / (test + train) - 0.25) < 0.005


def test_the_seed_chooses_the_split():
    one, same, other = digits(seed=1), digits(seed=1), digits(seed=2)
    assert torch.equal(one.test_images, same.test_images) and not torch.equal(one.test_images, other.test_images)
    assert len(one.test_labels) == 359


@pytest.mark.parametrize("share", (0.0, 1.0, -1, 0.001))
def test_a_share_that_leaves_a_part_empty_is_refused(share):
    with pytest.raises(ValueError, match="test_share is"):
        digits(share)


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match="pip install scikit-learn"):
        digits()
