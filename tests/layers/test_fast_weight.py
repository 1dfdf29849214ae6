"""The fast-weight family: closed forms equal to the token loop, resumable, causal, alive and stable."""

from dataclasses import replace

import pytest
import torch
from torch.utils._pytree import tree_leaves

from nlcore import probe
from nlcore.layers import FAMILY, FastWeight, FastWeightSetting
from nlcore.layers.fast_weight_forms import chunked, token_by_token
from nlcore.memory import (
    L2,
    DeepMLP,
    DeltaGradientDescent,
    DotProduct,
    Huber,
    Omega,
    PullToStart,
    ResidualMLP,
)

CHUNK = 8
UNEVEN = Omega((0.1, 0.2, 0.4))
MORE = {
    "a matrix with momentum": FastWeightSetting(L2(), alpha="token", momentum=True),
    "momentum, after decay": FastWeightSetting(L2(), at="retained", alpha="token", momentum=True, persistent="start"),
    "hebbian with momentum": FastWeightSetting(DotProduct(), alpha="token", momentum=True, persistent="nothing"),
    "a mean that forgets": replace(FAMILY["linear-attention"], alpha="token", eta_max=1.0),
    "three layers": FastWeightSetting(
        L2(), lambda width, hidden: DeepMLP((width, hidden, hidden, width)), at="chunk", alpha="token", persistent="start"
    ),
    "huber at the chunk's start": FastWeightSetting(Huber(0.3), at="chunk", alpha="token"),
    "omega, dot product": FastWeightSetting(DotProduct(), rule=UNEVEN, alpha="token"),
    "omega, after decay, momentum": FastWeightSetting(
        L2(), rule=UNEVEN, at="retained", alpha="token", momentum=True, persistent="start"
    ),
    "omega at the chunk's start": FastWeightSetting(
        L2(), ResidualMLP, rule=UNEVEN, at="chunk", alpha="token", momentum=True, persistent="start"
    ),
}
CLOSED = FAMILY | MORE
LOOPED = {
    "an MLP asked at every token": replace(FAMILY["titans"], at="token"),
    "huber": FastWeightSetting(Huber(0.3), alpha="token"),
    "pulled to a start": FastWeightSetting(L2(), retention=PullToStart(), alpha="token", persistent="start"),
    "delta gradient descent": FastWeightSetting(L2(), rule=DeltaGradientDescent(), eta_max=0.5),
    "oja with momentum": replace(FAMILY["oja"], momentum=True),
}


def make(setting, dim=12, heads=2, chunk=CHUNK, dtype=torch.float64):
    torch.manual_seed(0)
    layer = FastWeight(dim, heads, setting, hidden=5, chunk=chunk).to(dtype)
    if layer.w_rates is not None:
        with torch.no_grad():  # rates that vary as after training, and heads that forget
            layer.w_rates.weight.mul_(4)
            layer.w_rates.bias.mul_(0.2)
    return layer


def inputs(batch, length, dim=12, seed=1, dtype=torch.float64):
    return torch.randn(batch, length, dim, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def tensors(state):
    return [leaf for leaf in tree_leaves(state) if isinstance(leaf, torch.Tensor) and leaf.numel()]


def results_and_gradients(layer, x, *cuts):
    """Outputs and end state of one call, or of several, and the gradients of a random sum over both."""
    x, outputs, state = x.clone().requires_grad_(), [], None
    for begin, end in zip((0, *cuts), (*cuts, x.shape[1])):
        y, state, _ = layer(x[:, begin:end], state)
        outputs.append(y)
    results = [torch.cat(outputs, 1), *tensors(state)]
    g = torch.Generator().manual_seed(2)
    loss = sum((r * torch.randn(r.shape, generator=g, dtype=r.dtype)).sum() for r in results)
    gradients = torch.autograd.grad(loss, [x, *layer.parameters()], allow_unused=True, materialize_grads=True)
    return results + list(gradients)


def apart(one, other):
    return max(((a - b).abs().max() / a.abs().max().clamp(min=1)).item() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("length", [1, CHUNK - 1, CHUNK, CHUNK + 1, 63, 100])
@pytest.mark.parametrize("name", CLOSED)
def test_the_closed_form_equals_the_token_loop(name, length):
    layer, x = make(CLOSED[name]), inputs(2, length)
    assert layer.form is chunked
    fast = results_and_gradients(layer, x)
    layer.form = token_by_token
    assert apart(results_and_gradients(layer, x), fast) < 1e-10


@pytest.mark.parametrize("name", CLOSED | LOOPED)
def test_two_calls_equal_one_at_every_cut(name):
    layer, x = make((CLOSED | LOOPED)[name], chunk=5), inputs(2, 12)
    whole = results_and_gradients(layer, x)
    for cut in range(1, 12):
        assert apart(whole, results_and_gradients(layer, x, cut)) < 1e-10, cut
    assert apart(whole, results_and_gradients(layer, x, *range(1, 12))) < 1e-10


@pytest.mark.parametrize("name", LOOPED)
def test_a_combination_without_a_closed_form_takes_the_loop_and_says_so(name):
    layer = make(LOOPED[name])
    assert layer.form is token_by_token and "form=token_by_token" in repr(layer)
    assert "form=chunked" in repr(make(FAMILY["deltanet"]))


@pytest.mark.parametrize("name", CLOSED)
def test_where_the_chunk_is_computation_only_its_length_changes_nothing(name):
    setting, x = CLOSED[name], inputs(2, 23)
    one, other = (results_and_gradients(make(setting, chunk=chunk), x)[0] for chunk in (4, 16))
    assert (apart([one], [other]) < 1e-12) == (setting.at != "chunk")


# Against formulas that know nothing of AssociativeMemory.


def tokens_of(layer, x):
    """What the layer gives its memory: captured on the way."""
    found, form = [], layer.form

    def listening(memory, at, size, tokens, state, start):
        answers, *rest = form(memory, at, size, tokens, state, start)
        found.extend([tokens, answers])
        return answers, *rest

    layer.form = listening
    layer(x)
    layer.form = form
    return found


@pytest.mark.parametrize("name", ["linear-attention", "retnet"])
def test_a_hebbian_memory_is_a_masked_matrix_product(name):
    """Eq. 14-16 and 64: `(Q K^T * D) V`, D the decays below the diagonal; and its rows over their sums."""
    layer = make(FAMILY[name])
    tokens, answers = tokens_of(layer, inputs(2, 30))
    age = torch.arange(30)[:, None] - torch.arange(30)
    shares = torch.tensor([1 - 2.0**-5, 1 - 2.0**-6]) if name == "retnet" else torch.ones(2)
    masked = (shares.double()[:, None, None] ** age) * (age >= 0) * (tokens.q @ tokens.k.mT)
    assert (answers - masked @ tokens.v).abs().max() < 1e-12
    if name == "linear-attention":
        mean = (masked / masked.sum(-1, keepdim=True)) @ tokens.v[..., :-1]
        assert (layer.read_out(answers) - mean).abs().max() < 1e-5  # a thousandth of a thousandth keeps 0/0 away


def plain(name, k, v, eta, alpha, W):
    """One step of each published rule, written as its paper has it, one head of one row."""
    eye = torch.eye(len(k), dtype=k.dtype)
    return {
        "deltanet": lambda: W @ (eye - eta * torch.outer(k, k)) + eta * torch.outer(v, k),
        "gated-deltanet": lambda: alpha * W @ (eye - eta * torch.outer(k, k)) + eta * torch.outer(v, k),
        "gated-deltanet-negative": lambda: alpha * W @ (eye - eta * torch.outer(k, k)) + eta * torch.outer(v, k),
        "titans' order": lambda: alpha * W - eta * torch.outer(W @ k - v, k),
        "oja": lambda: alpha * W + eta * torch.outer(v, k - W.T @ v),
    }[name]()


ORDER = {"titans' order": replace(FAMILY["gated-deltanet"], at="token")}


@pytest.mark.parametrize("name", ["deltanet", "gated-deltanet", "gated-deltanet-negative", "oja", "titans' order"])
def test_a_rule_is_its_published_recurrence(name):
    tokens, answers = tokens_of(make((FAMILY | ORDER)[name]), inputs(1, 20))
    for head in range(2):
        W = torch.zeros(6, 6, dtype=torch.float64)
        for t in range(20):
            k, v, q, eta, log_alpha = (x[0, head, t] for x in tokens[:5])
            W = plain(name, k, v, eta, log_alpha.exp(), W)
            assert (answers[0, head, t] - W @ q).abs().max() < 1e-12
    assert 0 < tokens.eta.min() and tokens.eta.max() < (2 if name.endswith("negative") else 1)
    assert (tokens.eta.max() > 1) == name.endswith("negative")


def test_omega_is_a_step_on_the_loss_over_the_window():
    """Eq. 68 with the nabla it lacks, by autograd, at M_{t-1}."""
    tokens, answers = tokens_of(make(FAMILY["omega"]), inputs(1, 11))
    W = torch.zeros(6, 6, dtype=torch.float64)
    for t in range(11):
        k, v = (x[0, 0, max(0, t - 3) : t + 1] for x in tokens[:2])
        W.requires_grad_()
        (slope,) = torch.autograd.grad(0.25 * (k @ W.T - v).square().sum() / 2, W)
        W = (tokens.log_alpha[0, 0, t].exp() * W - tokens.eta[0, 0, t] * slope).detach()
        assert (answers[0, 0, t] - W @ tokens.q[0, 0, t]).abs().max() < 1e-12


def test_titans_is_momentum_and_decay_on_autograds_gradient_at_the_chunks_start():
    layer = make(FAMILY["titans"])
    tokens, answers = tokens_of(layer, inputs(1, 2 * CHUNK + 3))
    now = [w[1].detach() for w in layer.starts]
    momentum = [torch.zeros_like(w) for w in now]
    for t in range(2 * CHUNK + 3):
        if t % CHUNK == 0:
            anchor = [w.clone().requires_grad_() for w in now]
        k, v, q, eta, log_alpha, log_theta = (x[0, 1, t] for x in tokens)
        loss = (k + anchor[0] @ torch.nn.functional.silu(anchor[1] @ k) - v).square().sum() / 2
        slopes = torch.autograd.grad(loss, anchor)
        momentum = [log_theta.exp() * m - eta * slope for m, slope in zip(momentum, slopes)]
        now = [log_alpha.exp() * w + m for w, m in zip(now, momentum)]
        assert (answers[0, 1, t] - (q + now[0] @ torch.nn.functional.silu(now[1] @ q))).abs().max() < 1e-12


def test_the_layer_around_the_memory():
    """Convolution, projections, norm, gate: the plain formula."""
    layer, x = make(FAMILY["gated-deltanet"]), inputs(1, 9)
    tokens, answers = tokens_of(layer, x)
    padded = torch.cat([torch.zeros(1, 3, 12, dtype=x.dtype), x], 1)
    mixed = sum(layer.convolution[:, 0, tap] * padded[:, tap : tap + 9] for tap in range(4))
    q, k, v = (mixed @ layer.w_qkv.weight.mT).chunk(3, -1)
    assert (tokens.v.transpose(1, 2).flatten(2) - v).abs().max() < 1e-12
    for made, plainly in ((tokens.k, k), (tokens.q, q)):
        unit = plainly.unflatten(-1, (2, 6))
        assert (made.transpose(1, 2) - unit / (unit.square().sum(-1, keepdim=True) + 1e-6).sqrt()).abs().max() < 1e-12
    rates = mixed @ layer.w_rates.weight.mT + layer.w_rates.bias
    assert (tokens.eta.mT - rates[..., :2].sigmoid()).abs().max() < 1e-12
    assert (tokens.log_alpha.exp().mT - rates[..., 2:].sigmoid()).abs().max() < 1e-12
    scale = (answers.square().mean(-1, keepdim=True) + 1e-6).rsqrt()
    gate = torch.nn.functional.silu(mixed @ layer.w_gate.weight.mT)
    y = ((answers * scale).transpose(1, 2).flatten(2) * gate) @ layer.w_out.weight.mT
    assert (layer(x)[0] - y).abs().max() < 1e-12


# What a layer owes.


@pytest.mark.parametrize("name", CLOSED | LOOPED)
def test_no_parameter_without_gradient_and_causal(name):
    layer, x = make((CLOSED | LOOPED)[name]), inputs(2, 24)
    base = layer(x)[0]
    base.square().sum().backward()
    for parameter, p in layer.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all() and p.grad.abs().max() > 0, parameter
    for t in (0, 7, 8, 15):
        changed = x.clone()
        changed[:, t] += 1
        moved = (layer(changed)[0] - base).abs().amax((0, 2))
        assert (moved[:t] == 0).all() and moved[t] > 0 and moved[t + 8 :].max() > 0


def test_gate_and_learnt_start_and_neither():
    """5, on gating: with nothing written yet, only a learnt start has an answer; the gate has weights, and no answer."""
    answers = {}
    for persistent in ("nothing", "gate", "start"):
        layer = make(replace(FAMILY["deltanet"], persistent=persistent))
        layer.eta_scale = 0.0
        answers[persistent] = layer(inputs(1, 9))[0].abs().max().item()
    assert answers["nothing"] == answers["gate"] == 0 < answers["start"]


@pytest.mark.parametrize("name", CLOSED)
def test_the_report_is_that_of_the_loop_and_made_only_while_somebody_listens(name):
    layer, x = make(CLOSED[name]), inputs(2, 19)
    assert layer(x)[2] is None
    with probe.listen():
        y, _, report = layer(x)
        layer.form = token_by_token
        _, _, expected = layer(x)
    for figure in ("surprise", "eta", "alpha"):
        assert report[figure].shape == (2, 19) and not report[figure].requires_grad
    for figure in ("surprise/memory", "update/memory", "norm/memory"):
        assert report[figure].shape == (19,)
    assert report.keys() == expected.keys()
    assert all(torch.allclose(report[key], expected[key], rtol=1e-4, atol=1e-6) for key in report)


@pytest.mark.parametrize("name", FAMILY)
def test_under_bfloat16_the_memory_stays_in_float32(name):
    layer, x = make(FAMILY[name], dtype=torch.float32), inputs(2, 20, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, state, _ = layer(x)
    y.float().square().sum().backward()
    assert all(w.dtype == torch.float32 for w in tensors(state))
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in layer.parameters())
    exact = layer(x)[0]
    assert (y.float() - exact).norm() < 0.05 * exact.norm()
    narrow = layer.to(torch.bfloat16)
    assert narrow(x.to(torch.bfloat16))[0].dtype == torch.bfloat16


@pytest.mark.parametrize("logits", [dict(eta=12.0, alpha=12.0), dict(eta=12.0, alpha=-40.0), dict(eta=-12.0, theta=6.0)])
@pytest.mark.parametrize("name", FAMILY)
def test_extreme_gates_and_repeated_keys_stay_finite(name, logits):
    """Full writes, nothing kept or all of it, a slow momentum; random tokens, one that repeats, and two in turn."""
    layer = make(FAMILY[name], dim=16, chunk=16, dtype=torch.float32)
    for index, rate in enumerate(layer.made):
        torch.nn.init.constant_(layer.w_rates.bias[2 * index : 2 * index + 2], logits.get(rate, 0.0))
    x = inputs(3, 512, 16, dtype=torch.float32)
    x[1], x[2] = x[1, :1], x[2, :2].repeat(256, 1)
    x.requires_grad_()
    y, state, _ = layer(x)
    (grad,) = torch.autograd.grad(y[:, -1].square().sum(), x)
    assert y.isfinite().all() and grad.isfinite().all() and grad.norm(dim=-1).max() < 1e3
    if layer.setting.objective == L2():
        assert max(w.norm(dim=(-1, -2)).max() for w in state.inner.memory) < 1e3


def test_the_state_is_detached_whole_and_one_goes_on_from_it():
    layer, x = make(MORE["omega at the chunk's start"]), inputs(2, 21)
    state = layer(x[:, :11])[1]
    kept = layer.detach(state)
    assert not any(w.requires_grad or w.untyped_storage().nbytes() != w.nbytes for w in tensors(kept))
    assert apart([layer(x[:, 11:], state)[0]], [layer(x[:, 11:], layer.attach(kept))[0]]) < 1e-12
    assert all(len(w) == 2 for w in tensors(kept)) and kept.inner.position == 11 % CHUNK


@pytest.mark.parametrize(
    "make_one, words",
    [
        (lambda: make(FAMILY["deltanet"], dim=12, heads=5), "5 heads do not divide a width of 12"),
        (lambda: make(FAMILY["deltanet"], chunk=0), "the chunk is 0 tokens: give 1 or more"),
        (lambda: make(replace(FAMILY["titans"], persistent="gate")), "starts at zero stays there"),
        (lambda: replace(FAMILY["deltanet"], at="now"), "at is 'now': choose one of token, retained, chunk"),
        (lambda: replace(FAMILY["deltanet"], alpha="day"), "alpha is 'day': choose one of all, head, token"),
        (lambda: replace(FAMILY["deltanet"], persistent=""), "choose one of nothing, gate, start"),
        (lambda: replace(FAMILY["titans"], mean=True), "a mean needs a memory that is one matrix"),
        (lambda: make(FAMILY["deltanet"])(inputs(1, 0)), "at least one token"),
        (lambda: make(FAMILY["oja"])(inputs(1, 2), make(FAMILY["oja"]).start(1)), r"start\(batch, torch.float64\)"),
    ],
)
def test_bad_input_gets_one_sentence(make_one, words):
    with pytest.raises(ValueError, match=words):
        make_one()
