"""Handwritten digits: 1,797 pictures of 8 x 8 pixels that come with scikit-learn, so nothing is downloaded."""

from dataclasses import dataclass

import torch
from torch import Tensor

from nlcore.tasks.corpus import DataError


@dataclass(frozen=True)
class Digits:
    """Pictures and what they show, split in two parts that share no picture."""

    train_images: Tensor
    """(train, 8, 8), float32 in [0, 1]; 0 is paper, 1 is ink."""
    train_labels: Tensor
    """(train,), int64 in 0..9."""
    test_images: Tensor
    """(test, 8, 8), as train_images."""
    test_labels: Tensor
    """(test,), int64 in 0..9."""


def digits(test_share: float = 0.2, seed: int = 0) -> Digits:
    """The digits, `test_share` of each class held out (20% by default: 359 of 1,797).

    `seed` chooses which pictures are held out. Raises DataError where scikit-learn is missing, and
    ValueError for a share that leaves one part empty.
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share is {test_share}: give a share between 0 and 1, both excluded")
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError:
        raise DataError("the digits come with scikit-learn, which is missing: pip install scikit-learn") from None
    found = load_digits()
    images = torch.from_numpy(found.images).float() / 16
    labels = torch.from_numpy(found.target).long()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for digit in range(10):
        of_digit = order[labels[order] == digit]
        held_out[of_digit[: round(test_share * len(of_digit))]] = True
    train, test = order[~held_out[order]], order[held_out[order]]
    if not len(train) or not len(test):
        raise ValueError(f"test_share is {test_share}, which leaves a part without pictures: take one nearer to a half")
    return Digits(images[train], labels[train], images[test], labels[test])
