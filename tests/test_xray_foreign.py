"""The X-ray on what this course did not write, and on what it did: which loops, at which frequency, for whom."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nlcore import probe
from nlcore.levels import Level
from nlcore.models import PRESETS, InnerLevel, build
from nlcore.train.parts import optimizer as leveled
from nlcore.xray import xray
from tests.models import reading
from tests.test_xray import kinds, levels, loops

T = 7


def test_a_transformer_of_torch():
    model = nn.Transformer(8, 2, 1, 1, 16, dropout=0.1, batch_first=True)
    optimizer, source, target = torch.optim.AdamW(model.parameters()), torch.randn(2, 5, 8), torch.randn(2, T, 8)

    def step():
        optimizer.zero_grad()
        model(source, target).square().mean().backward()
        optimizer.step()

    rows = loops(found := xray(step, model, optimizer))
    assert levels(found) == [{"attention"}, {"exp_avg", "exp_avg_sq"}, {"weights"}]
    attention = rows["attention"]
    assert attention.frequency == math.inf and attention.period == "at every read (declared)"
    assert attention.objective == "L2, weighted by the kernel (eq. 62)" and attention.context == "tokens"
    assert attention.bytes == 4 * 2 * 8 * 2 * (5 + T + 5)  # keys and values: over the source, the target, the source again
    assert kinds(found)["attention", "weights"] == "non-parametric" and kinds(found)["weights", "attention"] == "generation"


def test_a_convolutional_network():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    batch = torch.randn(6, 1, 8, 8), torch.randint(0, 3, (6,))
    rows = loops(found := xray(model, torch.optim.SGD(model.parameters(), 0.1, momentum=0.9), batch, F.cross_entropy, most=4))
    assert rows["running_mean"].rule == "running mean" and rows["running_mean"].bytes == 16
    assert [set(level) & {"running_mean", "momentum_buffer"} for level in levels(found)][0] == {"running_mean", "momentum_buffer"}


@pytest.mark.parametrize("packed", [False, True])
def test_an_lstm(packed):
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.head = nn.LSTM(3, 4, num_layers=2, batch_first=True), nn.Linear(4, 2)

        def forward(self, x):
            if packed:
                x = nn.utils.rnn.pack_padded_sequence(x, [T, 3], batch_first=True)
            return self.head(self.lstm(x)[1][0][-1])

    model = Reader()
    batch = torch.randn(2, T, 3), torch.tensor([0, 1])
    rows = loops(found := xray(model, torch.optim.AdamW(model.parameters()), batch, F.cross_entropy))
    state = rows["state of LSTM"]
    assert (state.frequency, state.period, state.context, state.objective) == (T, "every token (declared)", "tokens", "unknown")
    assert state.bytes == 2 * 2 * 2 * 4 * 4 and "c <- f c + i g" in state.rule and state.state == "lstm"
    assert levels(found)[0] == {"state of LSTM"} and kinds(found)["state of LSTM", "weights"] == "parametric"
    sizes = [row["update_norm"] for row in found.records if row["level"] == "state of LSTM"]
    with torch.no_grad():  # the first step's: it began at zero
        x = nn.utils.rnn.pack_padded_sequence(batch[0], [T, 3], batch_first=True) if packed else batch[0]
        h, c = model.lstm(x)[1]
    assert sizes[0] == pytest.approx(float((h.square().sum() + c.square().sum()).sqrt()), rel=1e-5)


def test_a_cell_is_seen_token_by_token():
    cell, x = nn.GRUCell(3, 4), torch.randn(T, 2, 3)

    def step():
        h = None
        for token in x:
            h = cell(token, h)
        h.sum().backward()

    rows = loops(xray(step, cell, torch.optim.SGD(cell.parameters(), 0.1), most=4))
    assert rows["state of GRUCell"].frequency == T and rows["state of GRUCell"].bytes == 4 * 2 * 4


def test_a_small_llama():
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
    model, tokens = transformers.LlamaForCausalLM(config), torch.randint(0, 32, (2, T))
    batch = {"input_ids": tokens, "labels": tokens, "use_cache": True}
    rows = loops(found := xray(model, torch.optim.AdamW(model.parameters(), 1e-3), batch, lambda output: output.loss))
    assert levels(found)[:2] == [{"attention"}, {"exp_avg", "exp_avg_sq"}] and rows["attention"].frequency == math.inf
    assert rows["attention"].bytes == 4 * 2 * 2 * T * 16 * 2  # both layers' keys and values, in the cache


def test_a_cache_that_all_layers_share_is_counted_once():
    """As `transformers` has it: an object, handed from layer to layer, that holds each layer's keys and values."""

    class Layer:
        pass

    class DynamicCache:
        def __init__(self):
            self.layers = []

    class SomeAttention(nn.Linear):
        def forward(self, x, past_key_values=None):
            k = v = super().forward(x)
            held = Layer()
            held.keys, held.values = k + 0, v + 1
            past_key_values.layers.append(held)
            return k + v, None

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(SomeAttention(4, 4) for _ in range(2))

        def forward(self, x):
            cache = DynamicCache()
            for layer in self.layers:
                x = layer(x, past_key_values=cache)[0]
            return x

    model = Model()
    rows = loops(xray(model, torch.optim.SGD(model.parameters(), 0.1), torch.randn(2, T, 4), lambda y: y.square().mean()))
    assert rows["attention"].bytes == 4 * 2 * 2 * 2 * T * 4


@pytest.mark.parametrize("critic_steps", [1, 5])
def test_a_gan_with_two_optimizers(critic_steps):
    """Within a step the discriminator comes first, and the generator learns from its new state: so it lies inside."""
    generator, discriminator = nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    modules = {"generator": generator, "discriminator": discriminator}
    optimizers = {name: torch.optim.Adam(module.parameters(), 1e-3) for name, module in modules.items()}

    def step():
        for _ in range(critic_steps):
            optimizers["discriminator"].zero_grad()
            fake = discriminator(generator(torch.randn(4, 2)).detach())
            (F.softplus(fake) + F.softplus(-discriminator(torch.randn(4, 3)))).mean().backward()
            optimizers["discriminator"].step()
        optimizers["generator"].zero_grad()
        F.softplus(-discriminator(generator(torch.randn(4, 2)))).mean().backward()
        optimizers["generator"].step()

    rows = loops(found := xray(step, modules, optimizers))
    assert levels(found) == [{f"exp_avg of {name}", f"exp_avg_sq of {name}"} if moments else {f"weights of {name}"}
                             for name in ("discriminator", "generator") for moments in (True, False)]
    assert rows["weights of discriminator"].period == ("every step" if critic_steps == 1 else "5 times a step")
    assert rows["weights of generator"].period == "every step"
    between = kinds(found)["weights of discriminator", "weights of generator"], kinds(found)["weights of generator", "weights of discriminator"]
    assert between == ("parametric", "parametric")


def test_muon_beside_adamw():
    model = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(8, 6, bias=False))
    optimizers = [torch.optim.Muon([model[2].weight]), torch.optim.AdamW(model[0].parameters())]

    def step():
        F.cross_entropy(model(torch.tensor([[0, 1], [2, 3]])), torch.tensor([1, 2])).backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    rows = loops(found := xray(step, model, optimizers))
    assert rows["weights of Muon"].rule == "orthogonalised momentum" and rows["weights of AdamW"].rule == "Adam"
    assert ("weights of Muon", "momentum_buffer") in found.system.needs
    assert levels(found)[0] == {"momentum_buffer", "exp_avg", "exp_avg_sq"}
    assert kinds(found)["weights of Muon", "weights of AdamW"] == "backpropagation"


def test_hope_by_its_own_optimizer_as_its_levels_say():
    sizes = {"dim": 16, "depth": 1, "heads": 2, "hidden": 8, "chunks": (2, 4), "periods": (1, 2), "context": 8}
    model = build("hope", replace(PRESETS["tiny"], **sizes), 16)
    optimizer, tokens, steps = leveled(model, 1e-3), torch.randint(0, 16, (2, 8)), iter(range(1, 99))

    def step():
        F.cross_entropy(model(tokens).logits.flatten(0, 1), tokens.flatten()).backward()
        optimizer.step(next(steps))

    rows = loops(xray(step, model, optimizer.optimizers))
    said = {level.name: 8 // level.period if level.unit == "tokens" else 1 / level.period for level in model.levels()}
    seen = {level: rows[level if level in rows else f"weights of {level}"].frequency for level in said}
    assert seen == said and Level("cms-1", 2, "steps") in model.levels()
    assert "weights" in rows and "exp_avg of weights" in rows  # and not "weights of weights"
    assert rows["memory"].objective.startswith("L2") and rows["memory"].bytes


def test_levels_that_learn_in_context_as_they_report():
    model = reading.make(levels=(InnerLevel("cms-3", 4, 0.9), InnerLevel("cms-1", 16, 0.5)), nested=True)
    optimizer, tokens = torch.optim.AdamW(model.parameters(), 1e-3), reading.tokens(2, 33)
    with probe.listen():
        first = model(tokens)
    rows = loops(found := xray(model, optimizer, tokens, lambda output: reading.loss_of(output.logits, tokens)))
    for i, (name, updates) in enumerate({"cms-3 in context": 8, "cms-1 in context": 2}.items()):
        row, update = rows[name], first.reports["continuum"][f"update/{name}"]
        assert row.frequency == len(update) == updates and row.state == "InContext" and "next-token" in row.objective
        assert row.bytes == sum(x.nbytes for part in first.state[:2] for x in part[i])
        assert next(r for r in found.records if r["level"] == name)["update_norm"] == pytest.approx(update.mean().item())
        assert kinds(found)["weights", name] == "initialisation"
    rest = xray(model, optimizer, tokens[:, :9], lambda output: output.logits.sum())  # too short for the slow one
    assert loops(rest)["cms-1 in context"].period == "not seen to change in 4 steps"
