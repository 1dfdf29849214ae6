"""Through Hugging Face's classes a model answers as it does here: saved, padded, generating, searching by beams."""

import sys
from dataclasses import asdict, replace

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

pytest.importorskip("transformers")
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer  # noqa: E402

from nlcore.models import MODELS, PRESETS, build, from_pretrained, save_pretrained  # noqa: E402
from nlcore.models.hugging_face import NlcoreConfig, NlcoreForCausalLM  # noqa: E402
from nlcore.models.saved import CODE, WEIGHTS, read_config  # noqa: E402
from nlcore.tasks.corpus import Corpus, Document  # noqa: E402
from nlcore.tasks.tokenizers import ByteTokenizer, train_bpe  # noqa: E402

PRESET = replace(PRESETS["tiny"], dim=16, depth=1, hidden=8, chunks=(4, 8))
IN_CONTEXT = replace(PRESET, in_context=(("cms-3", 4, 0.3),))
KINDS = [(kind, PRESET) for kind in ("hope", "transformer")] + [("hope-attention", IN_CONTEXT)]
OTHERS = [(kind, PRESET) for kind in MODELS if (kind, PRESET) not in KINDS]
LENGTHS = (3, 11, 7, 11)
"""Of the rows of a padded batch."""


def loud(kind, preset):
    """A model whose answers differ from token to token; a fresh one's logits are all near zero."""
    torch.manual_seed(0)
    model = build(kind, preset, 256)
    with torch.no_grad():
        model.embedding.weight.mul_(20)
    return model


def name_of(kind):
    return f"{kind[0]}{' in context' if kind[1].in_context else ''}"


@pytest.fixture(params=KINDS, ids=name_of)
def both(request, tmp_path):
    """A model, and what Hugging Face makes of its folder."""
    kind, preset = request.param
    model = loud(kind, preset)
    save_pretrained(tmp_path / "model", kind, preset, model.state_dict(), ByteTokenizer())
    return model, AutoModelForCausalLM.from_pretrained(tmp_path / "model")


@pytest.fixture
def hope(tmp_path):
    model = loud("hope", PRESET)
    save_pretrained(tmp_path / "model", "hope", PRESET, model.state_dict(), ByteTokenizer())
    return NlcoreForCausalLM.from_pretrained(tmp_path / "model")


def rows():
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(256, (1, length), generator=generator) for length in LENGTHS]


def padded(side):
    """The rows as a batch, with a token that no model has where they end; and the mask."""
    longest, left = max(LENGTHS), side == "left"
    pad = lambda row, value: F.pad(row, (longest - row.shape[1], 0) if left else (0, longest - row.shape[1]), value=value)  # noqa: E731
    return torch.cat([pad(row, 256) for row in rows()]), torch.cat([pad(torch.ones_like(row), 0) for row in rows()])


@pytest.mark.parametrize("both", KINDS + OTHERS, ids=name_of, indirect=True)
def test_there_and_back_logits_are_the_same_bits(both, tmp_path):
    model, hugged = both
    tokens = torch.randint(256, (2, 21))
    assert torch.equal(hugged(tokens).logits, model(tokens).logits)
    hugged.save_pretrained(tmp_path / "again")
    AutoTokenizer.from_pretrained(tmp_path / "model").save_pretrained(tmp_path / "again")
    back, tokenizer = from_pretrained(tmp_path / "again")
    assert torch.equal(back(tokens).logits, model(tokens).logits) and isinstance(tokenizer, ByteTokenizer)
    assert torch.equal(AutoModelForCausalLM.from_pretrained(tmp_path / "again")(tokens).logits, model(tokens).logits)
    weights = [load_file(tmp_path / name / WEIGHTS) for name in ("model", "again")]
    assert weights[0].keys() == weights[1].keys()


def test_it_generates_what_the_model_generates_a_token_a_step(both):
    model, hugged = both
    prompt, read = rows()[1], []
    hugged.nested.register_forward_pre_hook(lambda module, given: read.append(given[0].shape[1]))
    found = hugged.generate(prompt, max_new_tokens=9, do_sample=False)
    assert torch.equal(found, model.generate(prompt, 9, temperature=0))
    assert read == [prompt.shape[1]] + [1] * 8


def test_sampling_is_the_models_own(hope):
    prompt = rows()[1]
    torch.manual_seed(5)
    found = hope.generate(prompt, max_new_tokens=12, do_sample=True, temperature=0.7, top_k=0)
    torch.manual_seed(5)
    assert torch.equal(found, hope.nested.generate(prompt, 12, temperature=0.7))


def test_rows_padded_on_the_left_generate_what_each_does_alone(both):
    model, hugged = both
    tokens, mask = padded("left")
    found = hugged.generate(tokens, attention_mask=mask, max_new_tokens=6, do_sample=False)
    for row, own in zip(rows(), found):
        assert torch.equal(own[-6:], model.generate(row, 6, temperature=0)[0, -6:])


@pytest.mark.parametrize("side", ["left", "right"])
def test_padded_rows_have_the_logits_that_each_has_alone(both, side):
    model, hugged = both
    tokens, mask = padded(side)
    logits = hugged(tokens, attention_mask=mask).logits
    for row, own, there in zip(rows(), logits, mask.bool()):
        assert (own[there] - model(row).logits[0]).abs().max() < 1e-4
    unmasked = hugged(tokens.clamp(max=255)).logits
    wrong = (unmasked[0][mask[0].bool()] - model(rows()[0]).logits[0]).abs().max()
    assert wrong > 1e-2 if side == "left" else wrong < 1e-4  # what comes later changes nothing; what stands before does


def test_beams_take_their_state_along(both):
    """Against reading the whole text anew at each step, where there is no state to take along."""
    _, hugged = both
    tokens, mask = padded("left")
    given = dict(attention_mask=mask, max_new_tokens=4, num_beams=3, do_sample=False)
    assert torch.equal(hugged.generate(tokens, **given), hugged.generate(tokens, **given, use_cache=False))


def test_a_state_that_was_returned_goes_on(hope):
    row = rows()[1]
    first = hope(row[:, :5], use_cache=True)
    then = hope(row[:, 5:], cache=first.cache, attention_mask=torch.ones_like(row))
    assert torch.allclose(then.logits, hope(row).logits[:, 5:], atol=1e-5) and hope(row).cache is None


def test_the_loss_is_of_the_token_after_and_not_of_what_is_masked(hope):
    tokens, mask = padded("right")
    labels = tokens.masked_fill(mask == 0, -100)
    found = hope(tokens, attention_mask=mask, labels=labels)
    losses = [F.cross_entropy(hope.nested(row).logits[0, :-1], row[0, 1:], reduction="sum") for row in rows()]
    assert found.loss.item() == pytest.approx(sum(losses).item() / sum(length - 1 for length in LENGTHS), rel=1e-5)
    found.loss.backward()
    assert hope.nested.embedding.weight.grad.abs().sum() > 0


REFUSED = {
    "holes": (dict(attention_mask=torch.tensor([[1, 0, 1]])), "the attention mask has holes"),
    "an empty row": (dict(attention_mask=torch.tensor([[0, 0, 0]])), "or a row without a token"),
    "another shape": (dict(attention_mask=torch.ones(1, 1, 3, 3)), "attention mask is of shape .1, 1, 3, 3.: give"),
    "too short": (dict(attention_mask=torch.ones(1, 2)), "attention mask is of shape .1, 2.: give"),
    "right and on": (dict(attention_mask=torch.tensor([[1, 1, 0]]), use_cache=True), "pad on the left"),
    "vectors": (dict(inputs_embeds=torch.zeros(1, 3, 16)), "give input_ids, and no inputs_embeds"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_be_answered_wrongly_is_refused_in_a_sentence(hope, case):
    given, said = REFUSED[case]
    with pytest.raises(ValueError, match=said):
        hope(torch.zeros(1, 3, dtype=torch.int64), **given)
    with pytest.raises(ValueError, match="tokens run from 0 to 256, but the model knows 0 to 255"):
        hope(torch.tensor([[0, 256]]))
    with pytest.raises(ValueError, match="its size that of their tokenizer: keep it"):
        hope.resize_token_embeddings(300)


def test_weights_that_are_not_the_models_are_refused(tmp_path, hope):
    file = tmp_path / "model" / WEIGHTS
    weights = load_file(file)
    del weights["norm.weight"]
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(ValueError, match="weights are not this model's .nested.norm.weight is one of 1 that differ"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "model")


def test_a_config_alone_makes_a_fresh_model(tmp_path):
    torch.manual_seed(3)
    hugged = AutoModelForCausalLM.from_config(NlcoreConfig(model="transformer", preset=asdict(PRESET)))
    torch.manual_seed(3)
    own = build("transformer", PRESET, 256)
    assert all(torch.equal(x, own.state_dict()[name]) for name, x in hugged.nested.state_dict().items())
    hugged.config.save_pretrained(tmp_path)
    assert read_config(vars(AutoConfig.from_pretrained(tmp_path))) == ("transformer", PRESET, 256)


def test_without_an_import_its_own_code_finds_it(tmp_path, hope, monkeypatch):
    """As in a program that never heard of nlcore, and is told to trust the folder."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr("transformers.models.auto.configuration_auto.CONFIG_MAPPING._extra_content", {})
    monkeypatch.setattr("transformers.models.auto.modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING._extra_content", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "model", trust_remote_code=True)
    assert (tmp_path / "modules").exists() and type(found) is NlcoreForCausalLM
    found.save_pretrained(tmp_path / "again")
    assert {path.name for path in (tmp_path / "again").glob("*.py")} == {CODE}


TEXTS = ["", "one two\n\n  three", "naïve 漢字 \N{GRINNING FACE} <|end|> </s> [MASK] Ā\x00 . , it 's"]


@pytest.mark.parametrize("kind", ["bytes", "bpe"])
def test_its_tokenizer_encodes_as_ours(kind, tmp_path):
    document = Document("d", "a", ("one two three\n" * 50).encode())
    own = ByteTokenizer() if kind == "bytes" else train_bpe(Corpus("toy", (document,), (), {}), 300)
    model = build("transformer", PRESET, own.vocabulary)
    save_pretrained(tmp_path, "transformer", PRESET, model.state_dict(), own)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    for text in TEXTS:
        assert tokenizer(text)["input_ids"] == own.encode(text).tolist()
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    batch = tokenizer(["one", "one two three four"], padding=True, return_tensors="pt")
    assert batch["attention_mask"][0, 0] == 0 and batch["input_ids"][0, 0] == own.vocabulary
    assert NlcoreForCausalLM.from_pretrained(tmp_path)(**batch).logits.isfinite().all()
    assert tokenizer.batch_decode(batch["input_ids"], skip_special_tokens=True) == ["one", "one two three four"]
