"""A small model whose levels learn in context, and what it is to equal: a token loop, and an unrolled function."""

import copy
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch.func import functional_call
from torch.utils._pytree import tree_map

from nlcore.models import PRESETS, InContext, InnerLevel, build

SMALL = replace(PRESETS["tiny"], dim=16, depth=2, heads=2, hidden=8, chunks=(4, 8), context=32)
LEVELS = (InnerLevel("cms-3", 4, 0.9), InnerLevel("cms-2", 8, 0.7, clip=0.2), InnerLevel("cms-1", 16, 0.5, clip=0.4))
KINDS = ("hope-attention", "hope")
FORMS = [(kind, nested) for kind in KINDS for nested in (False, True)]
VOCABULARY, LENGTH = 13, 39


def make(kind="hope-attention", levels=LEVELS, nested=False, second_order=False, **choices):
    torch.manual_seed(0)
    net = build(kind, replace(SMALL, **choices), VOCABULARY).double()
    for p in net.parameters():
        p.data.mul_(1.5)  # so that the losses of a fresh model have gradients worth a step
    return InContext(net, levels, nested, second_order)


def tokens(batch=3, length=LENGTH, seed=1):
    return torch.randint(VOCABULARY, (batch, length), generator=torch.Generator().manual_seed(seed))


def flat(tensors):
    return torch.cat([x.detach().flatten() for x in tensors])


def of_level(net, name):
    return [p for place in net.places(name) for p in net.get_submodule(place).parameters()]


class Loop:
    """One sequence, token after token, with torch's own descent on the parameters of a copy of the model."""

    def __init__(self, model):
        self.net, self.nested, self.inner = copy.deepcopy(model.model), model.nested, model.inner
        self.own = [of_level(self.net, level.name) for level in self.inner]
        self.starts = [[p.detach().clone().requires_grad_() for p in own] for own in self.own]
        self.held = [own + (self.starts[i - 1] if self.nested and i else []) for i, own in enumerate(self.own)]
        self.descents = [torch.optim.SGD(held, lr=level.rate) for held, level in zip(self.held, self.inner)]
        self.net.requires_grad_(False)
        for p in (p for own in self.own for p in own):
            p.requires_grad_()

    def read(self, text):
        chunk, found, losses, state = self.inner[0].period, [], [], None
        for t, token in enumerate(text):
            if t and t % chunk == 0:
                self.learn(torch.stack(losses).mean(), t)
                state, losses = tree_map(lambda x: x.detach() if torch.is_tensor(x) else x, state), []
            logits, state, _ = self.net(token.view(1, 1), state)
            found.append(logits[0, 0].detach())
            if t + 1 < len(text):
                losses.append(F.cross_entropy(logits[0], text[t + 1 : t + 2]))
        return torch.stack(found)

    def learn(self, loss, read):
        before = [[p.grad.clone() if p.grad is not None else 0 for p in own] for own in self.own]
        loss.backward()
        if self.nested:  # a start gathers what its level's weights do
            for own, starts, old in zip(self.own, self.starts, before):
                for p, start, o in zip(own, starts, old):
                    start.grad = p.grad - o + (0 if start.grad is None else start.grad)
        due = [i for i, level in enumerate(self.inner) if read % level.period == 0]
        for i in due:
            level = self.inner[i]
            for p in self.held[i]:
                p.grad *= self.inner[0].period / level.period
            torch.nn.utils.clip_grad_norm_(self.held[i], level.clip)
            self.descents[i].step()
            self.descents[i].zero_grad()
        for i in due:
            if self.nested and i:
                for p, start in zip(self.own[i - 1], self.starts[i - 1]):
                    p.data.copy_(start)


def assert_is_the_loop(model, x):
    """Logits, and the weights of all levels after the text, are those of a `Loop` of each sequence's own."""
    output = model(x)
    weights = model._weights(output.state.moved)
    for row, text in enumerate(x):
        loop = Loop(model)
        torch.testing.assert_close(output.logits[row], loop.read(text), rtol=0, atol=1e-11)
        for level, found, own in zip(model.inner, weights, loop.own):
            ours = flat(w[row] for w in found)
            torch.testing.assert_close(ours, flat(own), rtol=0, atol=1e-11)
            assert (ours - flat(of_level(model.model, level.name))).abs().max() > 1e-3 or model.nested
    return output.logits


def loss_of(logits, x):
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), x[:, 1:].flatten())


def unrolled(model, text, second_order):
    """The logits of one sequence as a function of the parameters, by `functional_call` on the whole model."""
    net, nested, inner = model.model, model.nested, model.inner
    now = dict(net.named_parameters())
    names = [[f"{place}.{n}" for place, n in own] for own in model.own]
    starts = dict(now)
    sums = {("own", n): 0 for own in names for n in own} | {("start", n): 0 for own in names for n in own}
    chunk, state, found = inner[0].period, None, []
    for a in range(0, len(text), chunk):
        logits, after, _ = functional_call(net, now, (text[None, a : a + chunk], state))
        found.append(logits[0])
        read = a + chunk
        if read >= len(text):
            break
        # Without copies the gradient would go on through the state into chunks that were read with the same tensors.
        copies = {n: now[n].clone() for own in names for n in own}
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            again = functional_call(net, now | copies, (text[None, a : a + chunk], state)).logits[0]
        loss = F.cross_entropy(again, text[a + 1 : read + 1])
        for n, g in zip(copies, torch.autograd.grad(loss, copies.values(), create_graph=second_order)):
            sums["own", n], sums["start", n] = sums["own", n] + g, sums["start", n] + g
        now, state = dict(now), after
        due = [i for i, level in enumerate(inner) if read % level.period == 0]
        for i in due:
            level = inner[i]
            held = [("own", n) for n in names[i]] + [("start", n) for n in names[i - 1] if nested and i]
            mean = {key: sums[key] * chunk / level.period for key in held}
            norm = sum(g.square().sum() for g in mean.values()).sqrt()
            factor = level.rate * (level.clip / (norm + 1e-6)).clamp(max=1)
            for (which, n), g in mean.items():
                into = now if which == "own" else starts
                into[n] = into[n] - factor * g
                sums[which, n] = 0
        for i in due:
            if nested and i:
                now |= {n: starts[n] for n in names[i - 1]}
    return torch.cat(found)
