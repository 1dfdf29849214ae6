"""Where to compute: the choice, its reason, and that settings are given back."""

import pytest
import torch

from nlcore.train import TrainError
from nlcore.train.device import choose, settled


def test_the_choice_says_why():
    choice = choose("auto", "auto")
    assert choice.device.type in ("cpu", "cuda") and choice.reason in str(choice)
    if not torch.cuda.is_available():
        assert str(choice) == "cpu in float32: no CUDA GPU was found; float32 is the safe choice there"


def test_what_is_asked_for_is_taken():
    choice = choose("cpu", "bfloat16")
    with choice.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_a_device_that_is_not_there_gets_one_sentence():
    with pytest.raises(TrainError, match="There is no cuda device here: choose auto, or one of cpu"):
        choose("cuda", "auto")


def test_settings_are_given_back():
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with settled(choose("cpu", "auto"), before[0] + 1):
        assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == (before[0] + 1, True)
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
