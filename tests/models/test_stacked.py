"""Levels stacked on a model of another make: its own MLP blocks learn in context, and it stays as it was."""

import copy
import re

import pytest
import torch
from torch import nn

from nlcore.models import InContext, InnerLevel, Stacked, blocks_named, load_causal_lm, state_bytes
from nlcore.models.memories import leaves, rebuilt
from tests.models import reading
from tests.models.reading import LENGTH, VOCABULARY, assert_is_the_loop, flat, loss_of, of_level, tokens, unrolled

LEVELS = (InnerLevel("fast", 4, 0.5), InnerLevel("slow", 8, 0.3, clip=0.5))


class Recurrent(nn.Module):
    """A language model without anything of this course: recurrent layers, and between them MLP blocks."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, 12)
        self.layers = nn.ModuleList(
            nn.ModuleDict({
                "mixer": nn.RNN(12, 12, batch_first=True),
                "mlp": nn.Sequential(nn.Linear(12, 20), nn.Tanh(), nn.Linear(20, 12)),
            })
            for _ in range(3)
        )  # fmt: skip
        self.head = nn.Linear(12, VOCABULARY)

    def forward(self, x, state):
        x, after = self.embed(x), []
        for index, layer in enumerate(self.layers):
            mixed, hidden = layer["mixer"](x, None if state is None else state[index].transpose(0, 1).contiguous())
            after.append(hidden.transpose(0, 1))  # the batch first
            x = x + mixed
            x = x + layer["mlp"](x)
        return self.head(x), tuple(after)


def read(model, x, state):
    return model(x, state)


def llama(kind="Llama", **more):
    transformers = pytest.importorskip("transformers")
    sizes = dict(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=128, pad_token_id=None, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    config = getattr(transformers, f"{kind}Config")(**sizes | more)
    return getattr(transformers, f"{kind}ForCausalLM")(config).eval()


MAKES = {
    "recurrent": (Recurrent, dict(read=read)),
    "llama": (llama, {}),
    "a window": (lambda: llama("Mistral", sliding_window=6), {}),
    "qwen": (lambda: llama("Qwen3", head_dim=8, tie_word_embeddings=True), {}),
}


def make(kind, levels=LEVELS, **choices):
    torch.manual_seed(0)
    build, how = MAKES[kind]
    model = build().double()
    for p in model.parameters():
        p.data.add_(0.1 * torch.randn_like(p))
    blocks = blocks_named(model)
    return InContext(Stacked(model, {"fast": blocks[1:], "slow": blocks[:1]}, **how), levels, **choices)


def whole(model, x):
    """The logits of the foreign model alone."""
    inner = model.model.model
    return inner(x, None)[0] if isinstance(inner, Recurrent) else inner(input_ids=x).logits


@pytest.mark.parametrize("kind", MAKES)
def test_at_rate_zero_the_logits_are_those_of_the_model(kind):
    still = make(kind, [InnerLevel(level.name, level.period, 0.0) for level in LEVELS])
    torch.testing.assert_close(still(tokens()).logits, whole(still, tokens()), rtol=0, atol=1e-12)
    assert (make(kind)(tokens()).logits - whole(still, tokens())).abs().max() > 1e-2


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", MAKES)
def test_a_batch_is_the_plain_token_loop_one_by_one(kind, nested):
    assert_is_the_loop(make(kind, nested=nested), tokens())


@pytest.mark.parametrize("nested", [False, True])
def test_stacked_on_a_model_of_this_course_it_is_that_model_in_context(nested):
    ours, x = reading.make(nested=nested), tokens()
    blocks = {level.name: ours.model.places(level.name) for level in ours.inner}
    stacked = Stacked(ours.model, blocks, read=lambda model, x, state: model(x, state)[:2])
    found = []
    for model in (ours, InContext(stacked, ours.inner, nested)):
        model.zero_grad()
        logits = model(x).logits
        loss_of(logits, x).backward()
        found.append((logits, flat(p.grad for p in model.parameters())))
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", MAKES)
def test_two_calls_equal_one_wherever_the_cut_and_through_a_file(kind, tmp_path):
    model, x = make(kind), tokens()
    with torch.no_grad():
        output = model(x)
        for cut in range(1, LENGTH, 3):
            kept = model.detach(model(x[:, :cut]).state)
            torch.save(leaves(kept), tmp_path / "state")
            loaded = rebuilt(kept, iter(torch.load(tmp_path / "state", weights_only=True)))
            second = model(x[:, cut:], model.attach(loaded))
            torch.testing.assert_close(second.logits, output.logits[:, cut:], rtol=0, atol=1e-11)


@pytest.mark.parametrize("second_order", [False, True])
@pytest.mark.parametrize("kind", MAKES)
def test_outer_gradients_are_those_of_an_unrolled_loop(kind, second_order):
    model, x = make(kind, second_order=second_order), tokens(2, 22)
    loss_of(model(x).logits, x).backward()
    ours = flat(p.grad for p in model.parameters())
    model.zero_grad()
    loss_of(torch.stack([unrolled(model, text, second_order) for text in x]), x).backward()
    theirs = flat(p.grad for p in model.parameters())
    # The normalisations of transformers compute in float32, whatever the model's dtype is.
    tolerance = 1e-10 if kind == "recurrent" else 1e-6
    scale = theirs.abs().max().item()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance * scale)
    model.zero_grad()
    model.second_order = not second_order
    loss_of(model(x).logits, x).backward()
    assert (flat(p.grad for p in model.parameters()) - theirs).abs().max() > 1e-3 * scale  # the other order is another


@pytest.mark.parametrize("kind", MAKES)
def test_the_model_itself_stays_as_it_was(kind):
    model, x = make(kind), tokens()
    before, state = whole(model, x), copy.deepcopy(model.state_dict())
    model(x)
    with pytest.raises(IndexError):  # also where a call fails half-way
        model._read(x + VOCABULARY, None, model._weights(model.start(3).moved))
    assert torch.equal(whole(model, x), before)
    assert all(torch.equal(weight, state[name]) for name, weight in model.state_dict().items())
    assert not any("forward" in vars(module) for module in model.modules())


def test_a_forward_that_somebody_set_on_a_block_is_kept_and_used():
    model, x = make("recurrent"), tokens()
    block = model.model.get_submodule(model.model.places("fast")[0])
    original, calls = block.forward, []
    block.forward = doubled = lambda x: calls.append(1) or 2 * original(x)
    still = InContext(model.model, [InnerLevel("fast", 4, 0.0)])
    torch.testing.assert_close(still(x).logits, whole(model, x), rtol=0, atol=1e-12)
    assert block.forward is doubled and calls


def test_a_trained_model_is_saved_by_its_own_means_and_everything_comes_back(tmp_path):
    model, x = make("llama"), tokens()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = loss_of(model(x).logits, x)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    model.model.model.save_pretrained(tmp_path / "model")
    loaded = load_causal_lm(tmp_path / "model").double()
    again = InContext(Stacked(loaded, model.model.blocks), LEVELS)
    twin = make("llama")
    twin.load_state_dict(model.state_dict())
    for other, tolerance in ((again, 1e-6), (twin, 0)):  # the folder is read in float32
        torch.testing.assert_close(other(x).logits, model(x).logits, rtol=0, atol=tolerance * 100)
    kept = model.detach(model(x[:, :9]).state)
    torch.testing.assert_close(twin(x[:, 9:], kept).logits, model(x).logits[:, 9:], rtol=0, atol=1e-11)


def test_levels_bytes_and_generation():
    model, x = make("llama"), tokens(2, 5)
    assert [(level.name, level.period) for level in model.levels()] == [
        ("fast in context", 4), ("slow in context", 8), ("weights", 1)
    ]  # fmt: skip
    assert {model.level_of(name) for name, _ in model.named_parameters()} == {"weights"}
    sizes = [2 * 8 * sum(p.numel() for p in of_level(model.model, level)) for level in ("fast", "slow")]
    assert re.findall(r"([\d,]+) bytes a sequence", model.summary()) == [f"{size:,}" for size in sizes]
    state = model(tokens(length=9)).state
    assert state_bytes(model, state) == sum(sizes) + 3 * 2 * (8 + 9) * 8 * 8 + 8  # keys and values of one head of 8
    made = model.generate(x, 9, temperature=0)
    assert torch.equal(made[:, 5:], model(made).logits[:, 4:-1].argmax(-1))


@pytest.mark.parametrize(
    "blocks, sentence",
    [
        (["layers.7.mlp"], "there is no module 'layers.7.mlp' in Recurrent: see blocks_named"),
        ([""], "there is no module '' in Recurrent"),
        (["layers.0.mlp.1"], "'layers.0.mlp.1' holds no parameters that could learn: name an MLP block"),
        (["layers.0.mlp", "layers.0.mlp"], "named twice, or holds another that is named"),
        (["layers.0.mlp", "layers.0"], "'layers.0' is named twice, or holds another that is named"),
    ],
)
def test_blocks_that_cannot_be_are_one_sentence(blocks, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        Stacked(Recurrent(), {"fast": blocks}, read)


def test_what_cannot_be_stacked_on_is_one_sentence():
    with pytest.raises(ValueError, match="is called 'ffn': its modules are called embed, layers, mixer, mlp, head"):
        blocks_named(Recurrent(), "ffn")
    with pytest.raises(ValueError, match="Sequential has no nn.Embedding to read tokens with"):
        Stacked(nn.Sequential(nn.Linear(2, 2)), {"fast": ["0"]}, read)


def test_checkpointed_blocks_are_refused():
    model = make("llama")
    model.model.model.gradient_checkpointing_enable()
    with pytest.raises(ValueError, match=r"call gradient_checkpointing_disable\(\)"):
        model(tokens())


@pytest.mark.parametrize("kind, block, more", [
    ("Mamba", "mixer", {"state_size": 4}), ("Rwkv", "feed_forward", {"attention_hidden_size": 16}),
])
def test_a_model_that_keeps_something_else_is_one_sentence(kind, block, more):
    other = llama(kind, **more)
    stacked = Stacked(other, {"fast": blocks_named(other, block)})
    with pytest.raises(ValueError, match=f"{kind}ForCausalLM keeps more than keys and values"):
        stacked(tokens())


@pytest.mark.parametrize("name", [".", "a folder that is not there", "nobody/nothing", ""])
def test_a_name_that_is_none_is_one_sentence(name, tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(ValueError, match="cannot be loaded .*: name another folder or model$") as caught:
        load_causal_lm(name if name in ("nobody/nothing", "") else tmp_path / name)
    assert "\n" not in str(caught.value)


def test_without_transformers_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(ValueError, match="need the package transformers: type pip install transformers"):
        load_causal_lm("anything")
