"""The prompt box: its bits are the loss that training reports, and what it shows is what the model met."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt

from nlcore.tasks import sequential
from nlcore.tasks.tokenizers import BPETokenizer
from nlcore.train import TrainError, evaluate, new, train
from nlcore.train.device import choose
from nlcore.viz import prompt
from nlcore.viz.prompt import FULL, LONGEST, PromptBox, Speaker, Spoken
from tests.train.small import TEXT, small

ASKED = {"length": 20, "temperature": 0.8, "seed": 1}


def trained(folder, **choices):
    run = new(small(steps=4, **choices), folder)
    train(run)
    return run.path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("prompt") / "run")


@pytest.fixture(scope="module")
def speaker(run):
    return Speaker(run)


def test_its_bits_per_byte_are_those_of_evaluation(speaker):
    text = TEXT.read_bytes()[2000:2065].decode("ascii")
    spoken = speaker.compute(text, length=0, temperature=0.0, seed=0)
    tokens = np.frombuffer(text.encode(), np.uint8)
    held_out = evaluate.HeldOut(tokens, speaker.tokenizer, context=64, batch=1)
    score = evaluate.score(speaker.model, held_out, 1, choose("cpu", "float32"), lambda: None)
    assert score.bytes == 64 == np.isfinite(spoken.bits).sum()
    assert spoken.per_byte(slice(None)) == pytest.approx(score.bits_per_byte, rel=1e-6)
    assert next(sequential(tokens, 1, 64))[0].shape == (1, 64)  # one window: the text from a fresh state


def test_each_byte_has_the_bits_of_the_models_own_forward_pass(speaker):
    spoken = speaker.compute("a memory that writes", **ASKED)
    tokens = torch.tensor([list(b"".join(spoken.tokens))])
    chances = F.softmax(speaker.model(tokens).logits[0].detach().double(), -1)
    own = [-math.log2(chances[i, token]) for i, token in enumerate(tokens[0, 1:])]
    assert math.isnan(spoken.bits[0])
    np.testing.assert_allclose(spoken.bits[1:], own, rtol=1e-5)


def test_it_goes_on_as_the_model_does_with_the_same_seed(speaker):
    one, again, other = (speaker.compute("a memory", **ASKED | {"seed": seed}) for seed in (1, 1, 2))
    given = torch.tensor([list(b"a memory")])
    made = speaker.model.generate(given, 20, 0.8, torch.Generator().manual_seed(1))
    assert b"".join(one.tokens) == bytes(made[0].tolist()) == b"".join(again.tokens) != b"".join(other.tokens)
    assert (one.given, len(one.tokens), one.unit) == (8, 28, "byte")
    likeliest = [speaker.compute("a memory", 20, 0.0, seed).tokens for seed in (1, 2)]
    assert likeliest[0] == likeliest[1]


def test_what_the_memories_felt_ends_with_the_last_chunk_they_wrote(speaker):
    chunk = speaker.model.levels()[0].period
    spoken = speaker.compute("a" * (2 * chunk), length=chunk - 1, temperature=0.8, seed=1)
    assert np.isfinite(spoken.felt[: 2 * chunk]).all() and (spoken.felt[: 2 * chunk] > 0).all()
    assert np.isnan(spoken.felt[2 * chunk :]).all()
    tokens = torch.tensor([list(b"".join(spoken.tokens))])
    assert (evaluate.felt(speaker.model, tokens)["surprise"][0, 2 * chunk :] == 0).all()  # nothing was written there


def test_a_model_without_memories_feels_nothing(tmp_path):
    spoken = Speaker(trained(tmp_path / "run", model="transformer")).compute("a memory", **ASKED)
    assert spoken.felt is None and prompt.told(spoken)["felt"] is None


def test_where_a_token_is_no_byte_it_says_so(tmp_path):
    speaker = Speaker(trained(tmp_path / "run", tokenizer="bpe", vocabulary=300))
    assert isinstance(speaker.tokenizer, BPETokenizer)
    spoken = speaker.compute("the License of the Work", **ASKED)
    assert spoken.unit == "token" and len(spoken.tokens) == len(spoken.bits) == spoken.given + 20
    assert b"".join(spoken.tokens).startswith(b"the License of the Work")
    longer = spoken.bits[1 : spoken.given].sum() / sum(len(token) for token in spoken.tokens[1 : spoken.given])
    assert spoken.per_byte(slice(0, spoken.given)) == pytest.approx(longer)
    assert prompt.controls(speaker.unit)["length"].label == "Length, tokens"


@pytest.mark.parametrize("text", ["", "x" * (LONGEST + 1)])
def test_a_text_that_cannot_be_read_is_a_sentence_in_the_box(run, text):
    box = PromptBox(run)
    box.view.asked = box.view.asked | {"number": 1, "prompt": text}
    assert box.wait()
    assert box.view.answer["number"] == 1
    assert box.view.answer["error"] == f"The model cannot go on: the prompt has {len(text)} characters: type 1 to {LONGEST}."


def test_the_page_gets_what_it_asked_for(run):
    box = PromptBox(run)
    at = box.view.asked["at"] | {"length": 0, "seed": 2}
    box.view.asked = {"number": 1, "at": at, "prompt": "a memory"}
    assert box.wait()
    expected = box.speaker.compute("a memory", length=20, temperature=0.8, seed=3)
    assert box.view.answer == {"number": 1, "said": prompt.told(expected)}


def test_a_box_asks_no_prediction_first_and_says_where_to_put_it(run):
    with pytest.raises(ValueError, match="put predict.'11-letters'. in a cell before it"):
        PromptBox(run).predict("11-letters")


def test_a_run_without_a_model_is_one_sentence(tmp_path):
    with pytest.raises(TrainError, match="no checkpoint yet"):
        PromptBox(new(small(), tmp_path / "run").path)


def test_bytes_that_are_no_letters_are_shown_as_such():
    assert [prompt.shown(token) for token in (b"a", b"\n", b"\xc3", "é".encode(), b"\x07")] == ["a", "\n", "⟨C3⟩", "é", "\\x07"]


def test_the_picture_shades_each_byte_and_its_words_give_the_figures():
    spoken = Spoken("byte", tuple(b"%c" % i for i in b"ab\ncd"), 3, np.array([math.nan, 0.0, 4.0, FULL, 20.0]), None)
    figure = prompt.picture(spoken)
    shades = [patch.get_alpha() for patch in figure.axes[0].patches]
    assert shades[:2] == [0, 0] and shades[2] == pytest.approx(shades[3] / 2) and shades[3] == shades[4]
    drawn = sorted((-text.get_position()[1], text.get_position()[0], text.get_text()) for text in figure.axes[0].texts)
    assert [letter for *_, letter in sorted(drawn, key=lambda at: (-at[0], at[1]))] == ["a", "b", "↵", "c", "d"]
    plt.close(figure)
    assert "5 bytes" in prompt.words(spoken) and "“d”, 20.0 bits" in prompt.words(spoken)
    assert prompt.summary(spoken) == "Bits per byte: what you typed, 2.00; what the model added, 14.00."
