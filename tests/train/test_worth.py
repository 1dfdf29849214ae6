"""What a level is worth is a difference of two readings, and a loaded model is the one that was trained."""

import pytest
import torch
import torch.nn.functional as F

from nlcore.models import without
from nlcore.train import TrainError, load, new, train
from nlcore.train.worth import bits, worth
from tests.train.small import small


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = new(small(steps=4), tmp_path_factory.mktemp("worth") / "run")
    train(folder)
    return folder


def test_worth_is_the_difference_of_two_readings(trained):
    model, tokenizer = load(trained.path)
    tokens = torch.tensor([list(b"the same text, the same text")])
    found = worth(model, tokens)
    assert list(found) == ["memory", "projections", "cms-3", "cms-2", "cms-1"]
    with without(model, "cms-2"):
        logits = model(tokens).logits
    one = F.cross_entropy(logits[0, 4], tokens[0, 5]) / torch.tensor(2.0).log()
    torch.testing.assert_close(found["cms-2"][0, 4], one - bits(model, tokens)[0, 4])
    assert found["memory"][0, 0] == 0  # nothing is written before the first token


def test_a_run_without_a_checkpoint_is_one_sentence(tmp_path):
    folder = new(small(), tmp_path / "run")
    with pytest.raises(TrainError, match="no checkpoint yet"):
        load(folder.path)
