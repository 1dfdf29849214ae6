"""A run's parts at step 0."""

import torch

from nlcore.models import build
from nlcore.tasks import tokenizers
from nlcore.train import parts
from nlcore.train.device import choose
from nlcore.train.folder import RunFolder
from tests.train.small import same, small


def test_weight_decay_is_for_the_matrices_alone(tmp_path):
    made = parts.make(small(), RunFolder(tmp_path), choose("cpu", "auto"))
    names = {id(p): name for name, p in made.model.named_parameters()}
    groups = [group for optimizer in made.optimizer.optimizers.values() for group in optimizer.param_groups]
    owned = [id(p) for group in groups for p in group["params"]]
    assert sorted(owned) == sorted(names)
    decayed = {names[id(p)].split(".", 2)[-1] for group in groups if group["weight_decay"] for p in group["params"]}
    assert decayed == {
        "mixer.w_in.weight", "mixer.w_q.weight", "mixer.w_out.weight",
        *(f"channel.levels.cms-{n}.{side}.weight" for n in (1, 2, 3) for side in ("w_in", "w_out")),
    }


def test_the_seed_decides_the_first_weights(tmp_path):
    config = small(seed=3)
    made = parts.make(config, RunFolder(tmp_path), choose("cpu", "auto"))
    torch.manual_seed(3)
    again = build("hope", config.preset, 256)
    assert same(dict(made.model.state_dict()), dict(again.state_dict()))
    assert tokenizers.load(tmp_path / "tokenizer.json").encode("é").tolist() == [0xC3, 0xA9]
