"""A saved model comes back as it was, from its folder alone, or its folder is refused in one sentence."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from nlcore.models import MODELS, PRESETS, build, from_pretrained, save_pretrained
from nlcore.models.saved import CONFIG, TOKENIZER, WEIGHTS
from nlcore.tasks.corpus import Corpus, DataError, Document
from nlcore.tasks.tokenizers import ByteTokenizer, train_bpe

PRESET = replace(PRESETS["tiny"], dim=16, hidden=8, chunks=(4, 8))
IN_CONTEXT = replace(PRESET, in_context=(("cms-3", 4, 0.3),))
TOKENS = 7 * torch.arange(20)[None] % 256


def saved(folder: Path, kind: str = "hope", preset=PRESET, tokenizer=ByteTokenizer()):
    torch.manual_seed(0)
    model = build(kind, preset, tokenizer.vocabulary)
    save_pretrained(folder, kind, preset, model.state_dict(), tokenizer)
    return model


@pytest.mark.parametrize("kind, preset", [*((kind, PRESET) for kind in MODELS), ("hope-attention", IN_CONTEXT)])
def test_every_model_comes_back_bit_by_bit(kind, preset, tmp_path):
    model = saved(tmp_path / "model", kind, preset)
    again, tokenizer = from_pretrained(tmp_path / "model")
    assert again.preset == preset and type(again) is type(model) and isinstance(tokenizer, ByteTokenizer)
    assert torch.equal(again(TOKENS).logits, model(TOKENS).logits)
    assert all(p.requires_grad and p.device.type == "cpu" for p in again.parameters())


def test_a_bpe_tokenizer_comes_back(tmp_path):
    text = "one two three four " * 50
    bpe = train_bpe(Corpus("toy", (Document("d", "a", text.encode()),), (), {}), 300)
    saved(tmp_path / "model", tokenizer=bpe)
    again, tokenizer = from_pretrained(tmp_path / "model")
    assert tokenizer.encode(text).tolist() == bpe.encode(text).tolist() and tokenizer.decode(bpe.encode(text)) == text
    assert again.embedding.num_embeddings == tokenizer.vocabulary == bpe.vocabulary


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, TOKENIZER])
def test_a_folder_that_lacks_a_file_is_one_sentence(name, tmp_path):
    saved(tmp_path / "model")
    (tmp_path / "model" / name).unlink()
    with pytest.raises(ValueError, match=f"holds no exported model, since it lacks {name}: name the folder of one.$"):
        from_pretrained(tmp_path / "model")


def changed(**fields):
    def spoil(folder: Path) -> None:
        stored = json.loads((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(json.dumps(stored | fields))

    return spoil


def without_a_weight(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    save_file({name: x for name, x in weights.items() if name != "norm.weight"}, folder / WEIGHTS)


SPOILT = {
    "a newer format": (changed(format=2), "it is of a newer one .format 2, and this one knows 1., so update the course"),
    "no format": (changed(format=None), "its format is None"),
    "no such model": (changed(model="perceptron"), "there is no model 'perceptron': choose one of"),
    "no such size": (changed(preset={"dim": 16}), "missing"),
    "another vocabulary": (changed(vocab_size=300), "its tokenizer has 256 tokens, and the model 300"),
    "no sizes": (changed(preset=None), "holds no model"),
    "a weight less": (without_a_weight, "other sizes than its config says .norm.weight"),
    "no JSON": (lambda folder: (folder / CONFIG).write_text("["), "holds no model"),
    "no weights": (lambda folder: (folder / WEIGHTS).write_bytes(b"x" * 64), "holds no model"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_folder_that_is_spoilt_is_one_sentence(case, tmp_path):
    saved(tmp_path / "model")
    spoil, said = SPOILT[case]
    spoil(tmp_path / "model")
    with pytest.raises(ValueError, match=said) as caught:
        from_pretrained(tmp_path / "model")
    assert "\n" not in str(caught.value) and "holds no model of this version of the course: " in str(caught.value)


def test_a_spoilt_tokenizer_is_one_sentence(tmp_path):
    saved(tmp_path / "model")
    (tmp_path / "model" / TOKENIZER).write_text("{}")
    with pytest.raises(DataError, match="is not a tokenizer that nlcore saved"):
        from_pretrained(tmp_path / "model")
