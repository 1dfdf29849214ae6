"""The three models: equal in size, causal, resumable, without a parameter that cannot learn."""

from dataclasses import replace

import pytest
import torch

from nlcore import probe
from nlcore.models import MODELS, PRESETS, build, frozen_memories, parameter_count, set_memory_rate

SMALL = replace(PRESETS["tiny"], dim=32, depth=2, heads=2, hidden=8, chunks=(4, 8), context=32)


def make(model, preset=SMALL, vocabulary=50):
    torch.manual_seed(0)
    return build(model, preset, vocabulary).double()


def tokens(length=24, batch=2, seed=1):
    return torch.randint(0, 50, (batch, length), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", PRESETS)
def test_equal_parameters_at_every_size(size):
    preset = PRESETS[size]
    with torch.device("meta"):
        counts = {model: parameter_count(build(model, preset, preset.vocabulary)) for model in MODELS}
    print(size, counts)
    assert max(counts.values()) / min(counts.values()) < 1.02
    named = {"160m": 160e6, "760m": 760e6, "1.3b": 1.3e9}.get(size)
    if named:
        assert all(abs(count / named - 1) < 0.05 for count in counts.values())


@pytest.mark.parametrize("model", MODELS)
def test_no_parameter_without_gradient(model):
    net = make(model)
    torch.nn.functional.cross_entropy(net(tokens()).logits.flatten(0, 1), tokens(seed=2).flatten()).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("model", MODELS)
def test_causal(model):
    net, x = make(model), tokens(batch=1)
    changed = x.clone()
    changed[:, 11] = (changed[:, 11] + 1) % 50
    moved = (net(x).logits - net(changed).logits).abs().amax((0, 2))
    assert (moved[:11] == 0).all() and moved[11] > 0 and moved[20:].max() > 0


@pytest.mark.parametrize("split", [1, 3, 8, 13])
@pytest.mark.parametrize("model", MODELS)
def test_two_calls_equal_one(model, split):
    net, x = make(model), tokens()
    first = net(x[:, :split])
    second = net(x[:, split:], first.state)
    assert (torch.cat([first.logits, second.logits], 1) - net(x).logits).abs().max() < 1e-6


@pytest.mark.parametrize("model", MODELS)
def test_greedy_generation_is_the_argmax_of_the_whole_text(model):
    net, x = make(model), tokens(5)
    made = net.generate(x, 12, temperature=0)
    assert made.shape == (2, 17) and torch.equal(made[:, :5], x)
    assert torch.equal(made[:, 5:], net(made).logits[:, 4:-1].argmax(-1))


def test_sampling_repeats_with_its_generator():
    net = make("hope")
    a, b, c = (net.generate(tokens(5), 12, generator=torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_nothing_to_continue_gets_one_sentence():
    with pytest.raises(ValueError, match="at least one token"):
        make("hope").generate(tokens(0), 3)


def test_levels_from_fastest_to_slowest():
    names = [(level.name, level.period, level.unit) for level in make("hope").levels()]
    in_context = [("memory", 4, "tokens"), ("projections", 8, "tokens")]
    outer = [("weights", 1, "steps"), ("cms-3", 1, "steps"), ("cms-2", 4, "steps"), ("cms-1", 16, "steps")]
    assert names == in_context + outer
    assert [level.name for level in make("hope-attention").levels()] == [name for name, _, _ in outer]
    assert [level.name for level in make("transformer").levels()] == ["weights"]


def test_every_parameter_has_its_level():
    net = make("hope")
    owners = {net.level_of(name) for name, _ in net.named_parameters()}
    assert owners == {"weights", "cms-3", "cms-2", "cms-1"}
    assert net.level_of("blocks.0.channel.levels.cms-2.w_in.weight") == "cms-2"
    assert net.level_of("blocks.0.mixer.memory.w1") == "weights"


def test_frozen_memories_change_hope_and_are_restored():
    net, x = make("hope"), tokens()
    base = net(x).logits
    set_memory_rate(net, 0.5)
    half = net(x).logits
    with frozen_memories(net):
        frozen = net(x).logits
    assert torch.equal(net(x).logits, half)
    assert not torch.allclose(base, frozen) and not torch.allclose(half, frozen)
    assert torch.equal(base[:, :4], frozen[:, :4])  # the first chunk is read before any write


def test_a_memory_rate_above_one_gets_one_sentence():
    with pytest.raises(ValueError, match="between 0 and 1"):
        set_memory_rate(make("hope"), 1.5)


def test_checkpointed_blocks_give_the_same_gradients():
    gradients = []
    for checkpointed in (False, True):
        net = make("hope", replace(SMALL, checkpoint_blocks=checkpointed))
        net(tokens()).logits.square().mean().backward()
        gradients.append([p.grad for p in net.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients))


def test_reports_only_while_somebody_listens():
    net = make("hope")
    assert net(tokens()).reports == {}
    with probe.listen():
        reports = net(tokens()).reports
    assert set(reports) == {"block-0", "block-1"} and reports["block-1"]["surprise"].shape == (2, 24)


def test_unknown_model_gets_one_sentence():
    with pytest.raises(ValueError, match="choose one of hope, hope-attention, transformer"):
        build("gpt", SMALL, 50)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("model", MODELS)
def test_bfloat16_under_autocast_trains(model, device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    net, x = make(model).float().to(device), tokens().to(device)
    with torch.autocast(device, dtype=torch.bfloat16):
        logits = net(x).logits
        loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), x.flatten())
    loss.backward()
    assert loss.isfinite() and all(p.grad.isfinite().all() for p in net.parameters())
    assert (logits.float() - net(x).logits).abs().max() < 0.5
