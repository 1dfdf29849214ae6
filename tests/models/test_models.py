"""The models: equal in size, causal, resumable, without a parameter that cannot learn."""

from dataclasses import replace

import pytest
import torch
from torch.func import functional_call, grad, vmap
from torch.utils.checkpoint import checkpoint

from nlcore import probe
from nlcore.layers import FAMILY
from nlcore.layers.norm import EPS
from nlcore.clock import Clock
from nlcore.levels import Level
from nlcore.models import KEEP_ALL, MODELS, PRESETS, build, frozen_memories, language_model, parameter_count, set_memory_rate
from nlcore.models.memories import leaves
from nlcore.optim import LevelOptimizer
from nlcore.tasks.tokenizers import ByteTokenizer

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
    assert max(counts.values()) / min(counts.values()) < 1.03, counts  # hidden widths are divisible by 8
    named = {"160m": 160e6, "760m": 760e6, "1.3b": 1.3e9}.get(size)
    if named:
        assert all(abs(count / named - 1) < 0.05 for count in counts.values()), counts


def test_hope_attention_with_one_level_of_period_one_is_transformer_plus_plus():
    preset = replace(SMALL, periods=(1,))
    one, other = make("hope-attention", preset), make("transformer", preset)
    assert one.levels() == (Level("weights", 1, "steps"), Level("cms-1", 1, "steps"))
    pairs = list(zip(one.named_parameters(), other.named_parameters(), strict=True))
    assert all(name.replace("levels.cms-1.", "") == twin and torch.equal(p, q) for (name, p), (twin, q) in pairs)
    assert torch.equal(one(tokens()).logits, other(tokens()).logits)


@pytest.mark.parametrize("model", MODELS)
def test_shapes_and_a_start_that_repeats_with_its_seed(model):
    net, again = make(model), make(model)
    assert net(tokens()).logits.shape == (2, 24, 50) and len(net(tokens()).state) == SMALL.depth
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters()))
    torch.manual_seed(1)
    other = build(model, SMALL, 50).double()
    assert not torch.equal(net.embedding.weight, other.embedding.weight)


@pytest.mark.parametrize("model", MODELS)
def test_no_parameter_without_gradient(model):
    net = make(model)
    torch.nn.functional.cross_entropy(net(tokens()).logits.flatten(0, 1), tokens(seed=2).flatten()).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_a_preset_says_where_memories_are_read():
    for reads in ("boundary", "before", "after"):
        net = make("hope", replace(SMALL, reads=reads))
        assert [block.mixer.reads for block in net.blocks] == [reads] * SMALL.depth
    with pytest.raises(ValueError, match="reads is 'now': choose one of boundary, before, after"):
        replace(SMALL, reads="now")


@pytest.mark.parametrize("at", [0, 3, 4, 7, 11])
@pytest.mark.parametrize("model", MODELS)
def test_causal(model, at):
    net, x = make(model), tokens(batch=1)
    changed = x.clone()
    changed[:, at] = (changed[:, at] + 1) % 50
    moved = (net(x).logits - net(changed).logits).abs().amax((0, 2))
    assert (moved[:at] == 0).all() and moved[at] > 0
    reach = SMALL.depth * (SMALL.chunks[1] - 1)  # of two windows, one on the other
    assert moved[20:].max() > 0 or model == "sliding-window" and at + reach < 20


@pytest.mark.parametrize("model", MODELS)
def test_two_calls_equal_one_wherever_the_cut(model):
    net, x = make(model), tokens()
    whole = net(x).logits
    for cut in range(1, 24):
        first = net(x[:, :cut])
        second = net(x[:, cut:], first.state)
        assert (torch.cat([first.logits, second.logits], 1) - whole).abs().max() < 1e-12, cut


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


def test_a_negative_temperature_gets_one_sentence():
    with pytest.raises(ValueError, match="temperature is -1: choose 0"):
        make("hope").generate(tokens(5), 3, temperature=-1)


@pytest.mark.parametrize("model", MODELS)
def test_bad_tokens_get_one_sentence(model):
    net = make(model)
    for empty in (tokens(0), tokens(5, batch=0), tokens(5)[0]):
        with pytest.raises(ValueError, match="at least one token"):
            net(empty)
    with pytest.raises(ValueError, match="at least one token"):
        net.generate(tokens(0), 3)
    for outside in (torch.tensor([[0, 50]]), torch.tensor([[-1, 49]])):
        with pytest.raises(ValueError, match="the model knows 0 to 49: use the tokenizer"):
            net(outside)


@pytest.mark.parametrize("model", MODELS)
def test_heads_that_do_not_divide_the_width_get_one_sentence(model):
    for heads in (3, 64):
        with pytest.raises(ValueError, match=f"{heads} heads do not divide a width of 32"):
            make(model, replace(SMALL, heads=heads))


@pytest.mark.parametrize("periods", [(), (4, 1)])
def test_periods_without_order_get_one_sentence(periods):
    with pytest.raises(ValueError, match="the shortest first"):
        replace(SMALL, periods=periods)


def test_levels_from_fastest_to_slowest():
    names = [(level.name, level.period, level.unit) for level in make("hope").levels()]
    in_context = [("memory", 4, "tokens"), ("projections", 8, "tokens")]
    outer = [("weights", 1, "steps"), ("cms-3", 1, "steps"), ("cms-2", 4, "steps"), ("cms-1", 16, "steps")]
    assert names == in_context + outer
    assert [level.name for level in make("hope-attention").levels()] == [name for name, _, _ in outer]
    for rival in ("transformer", "sliding-window"):
        assert [level.name for level in make(rival).levels()] == ["weights"]
    for member in FAMILY:
        assert make(member).levels() == (Level("memory", 1, "tokens"), Level("weights", 1, "steps"))


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


@pytest.mark.parametrize("member", FAMILY)
def test_frozen_memories_change_fast_weights_and_are_restored(member):
    net, x = make(member), tokens()
    base = net(x).logits
    with frozen_memories(net):
        frozen = net(x).logits
        assert all(block.mixer.eta_scale == 0 for block in net.blocks)
    assert torch.equal(net(x).logits, base) and not torch.allclose(base, frozen) and frozen.isfinite().all()


def test_a_memory_rate_above_one_gets_one_sentence():
    with pytest.raises(ValueError, match="between 0 and 1"):
        set_memory_rate(make("hope"), 1.5)


@pytest.mark.parametrize("model", MODELS)
def test_checkpointed_blocks_give_the_same_gradients(model, monkeypatch):
    recomputed = []
    monkeypatch.setattr(language_model, "checkpoint", lambda *a, **k: recomputed.append(1) or checkpoint(*a, **k))
    gradients = []
    for checkpointed in (False, True):
        net = make(model, replace(SMALL, checkpoint_blocks=checkpointed))
        with probe.listen():  # reports must not change what the backward pass finds
            logits = net(tokens()).logits
        logits.square().mean().backward()
        gradients.append([p.grad for p in net.parameters()])
    assert len(recomputed) == SMALL.depth and all(torch.equal(a, b) for a, b in zip(*gradients))


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
    assert loss.isfinite() and logits.dtype == torch.bfloat16
    for name, parameter in net.named_parameters():
        assert parameter.grad.dtype == torch.float32 and parameter.grad.isfinite().all(), name
    exact = net(x).logits
    assert (logits.float() - exact).norm() < 0.04 * exact.norm()


def train(net, periods, steps):
    """Steps at which each level moved, under LevelOptimizer."""
    members = {name: [] for name in periods}
    for name, parameter in net.named_parameters():
        members[net.level_of(name)].append(parameter)
    leveled = LevelOptimizer({name: [{"params": found}] for name, found in members.items()}, Clock(periods), lr=1e-2)
    moved = {name: [] for name in periods}
    for step in range(1, steps + 1):
        before = {name: [p.detach().clone() for p in found] for name, found in members.items()}
        net(tokens(seed=step)).logits.square().mean().backward()
        leveled.step(step)
        for name, found in members.items():
            if not all(torch.equal(p, q) for p, q in zip(found, before[name])):
                moved[name].append(step)
    return moved


def test_hope_at_period_one_everywhere_is_bitwise_ordinary_training():
    ours, plain = make("hope"), make("hope")
    train(ours, {level.name: 1 for level in ours.levels() if level.unit == "steps"}, 20)
    adamw = torch.optim.AdamW(plain.parameters(), lr=1e-2, betas=(0.9, 0.95))
    for step in range(1, 21):
        plain(tokens(seed=step)).logits.square().mean().backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        adamw.step()
        adamw.zero_grad()
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), plain.parameters()))


@pytest.mark.parametrize("model", MODELS)
def test_each_level_moves_on_its_clock_alone(model):
    net = make(model, replace(SMALL, periods=(1, 3, 5)))
    periods = {level.name: level.period for level in net.levels() if level.unit == "steps"}
    assert train(net, periods, 10) == {name: list(range(p, 11, p)) for name, p in periods.items()}


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32])
def test_tokens_of_any_integer_dtype_are_read(dtype):
    net = make("transformer")
    assert torch.equal(net(tokens().to(dtype)).logits, net(tokens()).logits)
    assert torch.equal(net.generate(tokens().to(dtype), 2, temperature=0), net.generate(tokens(), 2, temperature=0))


def test_a_model_reads_its_tokenizers_own_tokens():
    net, tokenizer = make("transformer", vocabulary=256), ByteTokenizer()
    made = net.generate(torch.tensor(tokenizer.encode("Größe"))[None], 3)
    assert made.shape == (1, 10) and tokenizer.decode(made[0, :7]) == "Größe"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool, torch.complex64])
def test_tokens_that_are_no_whole_numbers_get_one_sentence(dtype):
    for use in (make("transformer"), lambda x: make("transformer").generate(x, 1)):
        with pytest.raises(ValueError, match=f"tokens are {dtype}: give whole numbers"):
            use(tokens().to(dtype))


@pytest.mark.parametrize("model", MODELS)
def test_per_sample_gradients_and_export_work(model):
    net, x = make(model), tokens(length=6)

    def loss(parameters, row):
        return functional_call(net, parameters, (row[None],)).logits.square().sum()

    every = vmap(grad(loss), (None, 0))(dict(net.named_parameters()), x)
    alone = grad(loss)(dict(net.named_parameters()), x[1])
    for name, expected in alone.items():
        torch.testing.assert_close(every[name][1], expected)
    assert torch.allclose(torch.export.export(net, (x,)).module()(x).logits, net(x).logits)


def test_temperature_divides_the_logits():
    net = make("transformer")
    net.embedding.weight.data.mul_(15)  # decided enough for a temperature to show
    many = tokens(length=4, batch=1).expand(20_000, -1)
    logits = net(many[:1]).logits[0, -1]
    drawn = net.generate(many, 1, temperature=3.0, generator=torch.Generator().manual_seed(0))[:, -1]
    shares = torch.bincount(drawn, minlength=50) / len(drawn)
    torch.testing.assert_close(shares.double(), (logits.double() / 3).softmax(-1), atol=0.02, rtol=0)
    assert ((logits.double()).softmax(-1) - shares).abs().max() > 0.05


def test_what_enters_the_residual_stream_starts_smaller_the_deeper_the_model():
    for depth in (1, 8):
        net = make("transformer", replace(SMALL, depth=depth, dim=64))
        outward = [m.weight for name, m in net.named_modules() if isinstance(m, torch.nn.Linear) and "w_out" in name]
        for weight in outward:
            assert weight.std().item() == pytest.approx((2 * depth * weight.shape[1]) ** -0.5, rel=0.1)
        assert len(outward) == 2 * depth


@pytest.mark.parametrize("model", MODELS)
def test_every_normalisation_has_the_same_eps_in_every_dtype(model):
    found = [m.eps for m in make(model).modules() if isinstance(m, torch.nn.RMSNorm)]
    assert found and set(found) == {EPS}


@pytest.mark.parametrize("model", ["hope", "titans", "hope-attention", "transformer"])
def test_bfloat16_under_autocast_is_near_float64(model):
    """The loss within 0.001, the gradient within a tenth of its length, what memories hold within a hundredth and in float32."""
    found = []
    for net, narrow in ((make(model).float(), True), (make(model), False)):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=narrow):
            output = net(tokens())
        logits = output.logits.to(net.embedding.weight.dtype)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens(seed=2).flatten())
        loss.backward()
        state = [x for x in leaves(output.state) if isinstance(x, torch.Tensor) and x.numel()]
        assert not narrow or model in KEEP_ALL or all(x.dtype == torch.float32 for x in state)
        kept = torch.cat([x.double().flatten() for x in state])
        found.append((loss.item(), torch.cat([p.grad.double().flatten() for p in net.parameters()]), kept))
    (loss, gradient, kept), (exact, exact_gradient, exact_kept) = found
    assert abs(loss - exact) < 1e-3
    assert (gradient - exact_gradient).norm() < 0.1 * exact_gradient.norm()
    assert (kept - exact_kept).norm() < (0.03 if model in KEEP_ALL else 0.01) * exact_kept.norm()
