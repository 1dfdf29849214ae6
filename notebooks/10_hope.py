# %% [markdown]
# # 10 · Hope: the whole
#
# **After this notebook** you can write Hope in forty lines of your own, equal to `nlcore` to the last digits; say what
# each of its levels holds after a text was read; answer the four questions that everybody asks of such a model; and read
# the paper's tables about it beside what came of them here.
#
# **You need** chapters 06, 08 and 09. **Time:** 50 minutes, exercises apart; all cells together take about a minute on a
# laptop.

# %% [markdown]
# The chapter follows sections 8.3, 9.2 and 9.4 to 9.6 of *Nested Learning: The Illusion of Deep Learning Architectures*
# (Behrouz, Razaviyayn, Zhong, Mirrokni, 2025; long version, [arXiv 2512.24695](https://arxiv.org/abs/2512.24695)).

# %%
from nlcore.viz.hope_map import hope_map

hope_map(10)

# %% [markdown]
# ## What do you get from all of it?
#
# The map is full. Nine chapters have built its boxes and its lines, and the paper needs one more line to join them: Hope
# is the memory of chapter 09, followed by the chain of chapter 08. Why these two? Because each has what the other lacks,
# says section 8.3. The chain has "larger capacity" and a "simple learning rule"; the self-modifying memory has "a small
# capacity" and a "complex and expressive" one, so that they "seem to be complementary". How large are both, and how often
# do they learn?

# %%
from nlcore.models import PRESETS, build, state_bytes
import torch

tiny = build("hope", PRESETS["tiny"], 256)
block = tiny.blocks[0]
with torch.no_grad():
    state = tiny(torch.zeros(1, 64, dtype=torch.int64)).state
carried = state_bytes(tiny, state) // 4 // len(tiny.blocks)
print(f"a block's chain:              {sum(p.numel() for p in block.channel.parameters()):>7,} numbers, the same for all texts")
print(f"what it carries of one text:  {carried:>7,} numbers, each text its own")
for level in tiny.levels():
    print(f"{level.name:12} changes every {level.period:>2} {level.unit}")

# %% [markdown]
# So what is a text's own is an eighth of the chain in size. While 256 bytes are read it is written four times, the chain's
# fastest link once, and the slowest once in sixteen such steps. The chapter takes this thing apart in three ways: it is
# written anew in forty lines, its levels are exchanged one by one, and its parts are left out, as in the paper's Table 6.
#
# First a question about time. Chapter 09 said that the main memory can be read as its chunk began, before a token's own
# write, or after it. So who hears whom?

# %% [markdown]
# ## Who hears whom?
#
# Below, an untrained layer reads 24 tokens. Then one token is changed, and we look which outputs change with it: a column
# is a changed token, a row an output. The short convolution is left out, since it shows a token the three before it in
# any case.

# %%
from nlcore.viz.explorers.who_hears import who_hears

who_hears().predict("10-hears")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Chunks of 8, read as the chunk began.* A token is heard by itself, because it makes its own query, and from then on by
# nobody before its chunk is written: outputs 9 to 16 hear tokens 1 to 8, and none of their own chunk. On the right, that
# is a staircase. Read inside the chunk, the staircase becomes a slope, and every output hears all tokens before it.
# Nothing above the diagonal is ever bright, because no reading shows the future.
#
# </details>

# %% [markdown]
# How loud is it? A token that is heard through the memory moves an output by a tenth or a hundredth of what it does to its
# own. And a chunk that is longer than the text writes nothing at all, which will be one of the four questions.
#
# | letter | here | elsewhere in the paper |
# |---|---|---|
# | $o_t$ | what the main memory answers | |
# | $y_t$ | the block's output | in 78 to 90 what the memory answers |
# | $\square$ | any one of the memories | |
# | $k_t$ | a key | in 97, $f_k$, how many links the chain has; we write $K$ |
# | $\sigma$ | silu, the memories' non-linearity | left open |
# | $S$ | the weights a memory starts with | $\mathcal{M}_0$ |

# %% [markdown]
# ## Hope in forty lines
#
# For one token the paper prints (94 to 96, the long version; 96 for each $\square \in \{k, v, q, \eta, \alpha, \text{memory}\}$):
#
# $$o_t = \mathcal{M}_{\text{memory},t-1}(q_t), \quad k_t = \mathcal{M}_{k,t-1}(x_t), \quad v_t = \mathcal{M}_{v,t-1}(x_t), \quad \eta_t = \mathcal{M}_{\eta,t-1}(x_t), \quad \alpha_t = \mathcal{M}_{\alpha,t-1}(x_t)$$
#
# $$\hat v_{\square,t} = \mathcal{M}_{\square,t-1}(v_t)$$
#
# $$\mathcal{M}_{\square,t} = \mathcal{M}_{\square,t-1} \left( \alpha_t I - \eta_t k_t k_t^\top \right) - \eta_t \nabla \mathcal{L}_{\mathcal{M}_{\square,t-1}} \left( \mathcal{M}_{\square,t-1}; k_t, \hat v_{\square,t} \right)$$

# %% [markdown]
# They are the equations of chapter 09, and new is only what becomes of $o_t$ (97, with $K$ for the number of links):
#
# $$y_t = \mathrm{MLP}^{(f_K)}(\mathrm{MLP}^{(f_{K-1})}(\cdots \mathrm{MLP}^{(f_1)}(o_t)))$$
#
# "We remove the normalization and convolution layers for the sake of clarity", the paper says, and then names them: $q$
# and $k$ get length one, and there is a convolution of width 4. They have to come back before anything can run.

# %% [markdown]
# **What the print leaves to decide.** Line 94 makes no $q_t$, and yet 96 writes a memory for it. In 8.1 the query is
# $x_t W_q$, "the only non-adaptive projection"; Table 6 has a row without its inner learning. So both exist, and our
# default is the matrix. Section 8.3 says that the memory generates "its own keys"; the equations, here and in 8.1, let it
# generate its own values. And 97 lets $f_1$ read first, the slowest by section 7.1; chapter 08 ran both orders, and we
# let the fastest read first. None of this is an error of the mathematics, but whoever implements Hope has to choose.

# %% [markdown]
# Three more choices are chapter 09's: all states are those of the chunk's start (90); values have length one too; and the
# tokens of a chunk share a budget, because beyond it a memory may run away: one half, and for the inner layer $1 / (1 + c)$
# where that is less, $c$ being how strongly the answer depends on it. Retention pulls towards the start $S$.

# %% [markdown]
# So a layer with input $x$ and gradient $\delta$ is written, token after token, as
#
# $$W \leftarrow S + \alpha\,(W - S) - \eta\,(W x + \delta)\, x^\top$$
#
# That is 96 with its two terms in $x^\top$ joined. In code it is the line marked so.

# %%
import torch.nn.functional as F


def unit(x):
    return x * (x.square().sum(-1, keepdim=True) + 1e-6).rsqrt()


def answer(W, x):  # eq. 91: M(x) = x + W_1 silu(W_2 x); then what each layer is given
    z = x @ W[1].mT
    return x + F.silu(z) @ W[0].mT, (F.silu(z), x), z


def write(W, S, k, v, eta, alpha, share, budget=0.5, value=unit):
    out, inputs, z = answer(W, k)
    error, s = out - value(answer(W, v)[0]), z.sigmoid()  # eq. 95: the value is the memory's own
    deltas = error, (error @ W[0]) * (s + z * s * (1 - s))  # gradients at both layers' outputs
    c = 1.21 * torch.linalg.matrix_norm(torch.linalg.matrix_power(W[0].mT @ W[0], 2), keepdim=True) ** 0.5
    for w, start, x, d, most in zip(W, S, inputs, deltas, (budget, (1 / (1 + c)).clamp(max=budget))):
        rates = share * eta / ((x @ x.mT).abs() @ eta / most).clamp(min=1)  # tokens share a budget
        for x, d, e, a in zip(*(y.split(1, -2) for y in (x, d, rates, alpha))):
            w = start + a * (w - start) - e * (x @ w.mT + d).mT @ x  # eq. 96
        yield w

# %% [markdown]
# Try the budget by hand, before anything is built on it. Four equal tokens come in a row, all with $\eta = \tfrac12$, and
# keys of length one. Each key overlaps with all four keys by 1, so the load is $4 \cdot \tfrac12$ over a budget of
# $\tfrac12$, that is 4; each token may write with an eighth, and all four together with one half.

# %%
def rates(x, eta, budget=0.5):
    return eta / ((x @ x.mT).abs() @ eta / budget).clamp(min=1)


same, apart = torch.tensor([[1.0, 0.0]]).repeat(4, 1), torch.eye(4)
for words, x in {"four equal keys": same, "four orthogonal keys": apart}.items():
    found = rates(x, torch.full((4, 1), 0.5))
    strongest = torch.linalg.eigvalsh(x.T @ (found * x)).max()
    print(f"{words:21} each writes with {found[0, 0].item():.3f}; strongest direction {strongest:.3f}")

# %% [markdown]
# A token is a row now, so that a chunk of them is a matrix, and all memories and heads are leading dimensions of it. Next
# comes the layer: the convolution, the tokens that the projections make, and two clocks. The projections are written once
# per $C_1$ tokens, with a tenth of the budget, and the main memory once per $C_0$, where $C_0$ divides $C_1$.

# %%
def titans(w, at, x, heads, C):
    split = lambda y: y.unflatten(-1, (heads, -1)).transpose(1, 2)[:, None]  # (batch, memory, head, token, width)
    x = F.conv1d(F.pad((x @ w[at + "w_in.weight"].T).mT, (3, 0)), w[at + "convolution"], groups=x.shape[-1]).mT
    q, x, o = unit(split(x @ w[at + "w_q.weight"].T)), unit(split(x)), []
    P, M = P0, M0 = [[w[f"{at}{group}.w{i}"][None] for i in (1, 2)] for group in ("projections", "memory")]
    for now in torch.arange(x.shape[3]).split(C[1]):
        k, v, eta, alpha = answer(P, x[..., now, :])[0].split(1, 1)  # eq. 94
        eta, alpha = (torch.sigmoid(made @ w[f"{at}read_{rate}"][..., None] + w[f"{at}bias_{rate}"][:, None, None])
                      for rate, made in (("eta", eta), ("alpha", alpha)))
        tokens = unit(k), unit(v), 0.5 * eta, alpha
        for part in torch.arange(len(now)).split(C[0]):
            o.append(answer(M, q[..., now[part], :])[0])
            M = list(write(M, M0, *(y[..., part, :] for y in tokens), share=1))
        P = list(write(P, P0, *tokens, share=0.1))
    return norm(torch.cat(o, 3)[:, 0], w[at + "norm.weight"]).transpose(1, 2).flatten(2) @ w[at + "w_out.weight"].T


# %% [markdown]
# The rates are vectors at first, like all that a memory answers, and a slow vector a head reads a number from each. The
# last line of `titans` joins the heads. What remains is what every language model has: an embedding, blocks with a
# residual around each half, and the embedding again as the head. The link of the chain is the gated one of chapter 08.

# %%
def norm(x, gain):
    return F.rms_norm(x, gain.shape, gain, 1e-6)


def hope(w, tokens, heads, C):
    x = w["embedding.weight"][tokens]
    for block in sorted({name.split(".")[1] for name in w if name.startswith("blocks.")}):
        x = x + titans(w, f"blocks.{block}.mixer.", norm(x, w[f"blocks.{block}.norm.weight"]), heads, C)
        for link in [f"blocks.{block}.channel.levels.cms-{level}." for level in (3, 2, 1)]:  # eq. 97
            gate, up = (norm(x, w[link + "norm.weight"]) @ w[link + "w_in.weight"].T).chunk(2, -1)
            x = x + (F.silu(gate) * up) @ w[link + "w_out.weight"].T
    return norm(x, w["norm.weight"]) @ w["embedding.weight"].T


# %% [markdown]
# Those are forty lines, blank ones and the imports apart. Are they Hope? `nlcore` computes the same without a loop over
# tokens, by solving a triangular system per chunk (chapter 09). So take a model of it, knock all its weights about, give
# both the same weights and tokens, and compare everything that training would ever see: all outputs, and the gradient of
# each weight, through every write. The lengths are awkward on purpose.

# %%
import inspect
import time
from dataclasses import replace

small = replace(PRESETS["tiny"], dim=16, heads=2, hidden=5, chunks=(4, 16), narrow_rates=False)


def knocked(model, seed=0):
    """In float64, with every weight moved at random."""
    draw = torch.Generator().manual_seed(seed)
    for p in model.double().parameters():
        p.data += 0.1 * torch.randn(p.shape, generator=draw, dtype=p.dtype)
    return model


def gradients(logits, model):
    return torch.autograd.grad(logits.sin().sum(), model.parameters(), allow_unused=True, materialize_grads=True)


model = knocked(build("hope", small, 64))
weights = dict(model.named_parameters())
mine = [inspect.getsource(part).splitlines() for part in (unit, answer, write, titans, norm, hope)]
print(sum(bool(line) for part in mine for line in part), "lines")

# %%
for length in (1, 3, 4, 5, 15, 16, 17, 53):
    tokens = torch.randint(64, (2, length), generator=torch.Generator().manual_seed(length))
    ours, theirs = hope(weights, tokens, small.heads, small.chunks), model(tokens).logits
    off = (ours - theirs).abs().max().item()
    worst = max((a - b).abs().max().item() for a, b in zip(gradients(ours, model), gradients(theirs, model)))
    print(f"{length:>3} tokens: outputs differ by {off:.0e}, gradients by {worst:.0e}")
    assert off < 1e-10 and worst < 1e-9

# %% [markdown]
# Equal to the last digits, in outputs and in gradients. From here on `nlcore` may be used without a doubt about what it
# computes, because you have written it yourself. With chunks of one token the same lines are the equations token by
# token. And what does `nlcore` do better? Time: at the size and the chunks of `tiny`, with gradients, it needs no loop.

# %%
token_by_token = knocked(build("hope", replace(small, chunks=(1, 1)), 64))
tokens = torch.randint(64, (2, 30), generator=torch.Generator().manual_seed(0))
ours = hope(dict(token_by_token.named_parameters()), tokens, small.heads, (1, 1))
print(f"chunks of one token: {(ours - token_by_token(tokens).logits).abs().max().item():.0e}")
assert torch.allclose(ours, token_by_token(tokens).logits, atol=1e-10)

larger = build("hope", replace(PRESETS["tiny"], narrow_rates=False), 256)
text, spent = torch.randint(256, (4, 128), generator=torch.Generator().manual_seed(0)), []
for read in (lambda: hope(dict(larger.named_parameters()), text, 2, (64, 64)), lambda: larger(text).logits):
    began = time.perf_counter()
    gradients(read(), larger)
    spent.append(time.perf_counter() - began)
print(f"4 texts of 128 bytes, forward and backward: nlcore is {spent[0] / spent[1]:.1f} times as fast")

# %% [markdown]
# ### Hope-Attention
#
# "We also use another variant of Hope, in which we simply replace the self-modifying Titans with softmax global
# attention" (8.3). So one line of `hope` changes. Attention is chapter 06's, with rotary positions, which turn a pair of
# numbers by an angle that grows with the token's place.

# %%
def rotate(x):
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[-2])[:, None] * 10_000.0 ** (-torch.arange(half, dtype=x.dtype) / half)
    a, b = x.chunk(2, -1)
    return torch.cat([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], -1)


def attention(w, at, x, heads, C):  # in the place of `titans`
    q, k, v = (x @ w[at + "w_qkv.weight"].T).unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    scores = rotate(q) @ rotate(k).mT / q.shape[-1] ** 0.5
    seen = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
    return (scores.masked_fill(~seen, -torch.inf).softmax(-1) @ v).transpose(1, 2).flatten(2) @ w[at + "w_out.weight"].T


# %%
hope_attention = knocked(build("hope-attention", small, 64))
itself, titans = titans, attention  # `hope` now finds attention by that name
ours = hope(dict(hope_attention.named_parameters()), tokens, small.heads, small.chunks)
titans = itself
assert torch.allclose(ours, hope_attention(tokens).logits, atol=1e-10)

one_link = knocked(build("hope-attention", replace(small, periods=(1,)), 64))
transformer = build("transformer", small, 64).double()
transformer.load_state_dict({name.replace("levels.cms-1.", ""): p for name, p in one_link.state_dict().items()})
assert torch.equal(one_link(tokens).logits, transformer(tokens).logits)
print("Hope-Attention, by its own lines; and with one link of period 1 it is Transformer++, bit by bit")

# %% [markdown]
# The second half is worth a thought. Hope-Attention differs from a Transformer in nothing that can be seen in one forward
# pass: three links stand where one stood, and that is all. Its continuum is *when* they are updated. So a comparison of the
# two, such as the paper's Table 1, tests frequencies and nothing else, if both have equal size.

# %% [markdown]
# ## Does anything learn at test time?
#
# The first of the four questions. The course brings a trained model, `tiny-hope`, and the test is chapter 06's: scale the
# inner rate down to 0, and leave all else as it is.

# %%
import math
import os
from nlcore import tasks, train
from nlcore.models import frozen_memories, set_memory_rate
from nlcore.train.worth import bits

FAST = os.environ.get("NL_FAST") == "1"  # few texts only, for the tests
trained, tokenizer = train.load("tiny-hope")
unseen = tasks.prepare(tasks.load("builtin"), tokenizer).validation
texts, _ = next(tasks.sequential(unseen, 4 if FAST else 32, 512, 4 if FAST else 32))
for scale in (0.0, 0.25, 0.5, 1.0):
    set_memory_rate(trained, scale)
    print(f"eta times {scale:4}: {bits(trained, texts).mean():.3f} bits per byte of text it has not seen")

# %% [markdown]
# So yes, and most of it comes with the first quarter of the rate. The weights are the same in all four lines; what the
# last has over the first was learnt from the text itself, while it was read.
#
# One caution. The model was trained with its memories writing, so that $\eta = 0$ is a state it never met. The gap says
# what writing is worth *to this model*, and not what a model without memories would have reached.

# %% [markdown]
# ## What is read before the write, and what after?
#
# The explorer answered for an untrained layer. Here is the trained model, of two blocks, with chunks of 64 bytes read at
# their start. Byte 70 of a text is changed. Which outputs change at all?

# %%
import matplotlib.pyplot as plt
from nlcore.viz.show import show
from nlcore.viz.theme import COLOURS, GREY, tidy

text = texts[:1, :256]
changed = text.clone()
changed[0, 70] = ord("Q")
with torch.no_grad():
    moved = (trained(text).logits - trained(changed).logits)[0].abs().amax(-1)
heard = moved.nonzero()[:, 0].tolist()
first = next(t for t in heard if t >= 128)
assert [t for t in heard if t < 128] == list(range(70, 77)) and first == 128
print(f"changed: outputs 70 to 76, none from 77 to 127, and again from {first} on")

# %%
figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
axes.bar(range(256), moved, width=1.0, color=COLOURS[0])
for boundary in (64, 128, 192):
    axes.axvline(boundary, color=GREY, linewidth=1, linestyle="dotted")
tidy(axes, "Byte 70 is changed; dotted: where a chunk is written", "byte read", "largest change of a logit")
show(figure, alt="Bars over 256 bytes. Seven stand at 70 to 76; then nothing until byte 128, where a chunk is written; from "
     "there on nearly every output has changed a little.")

# %% [markdown]
# *Seven outputs at once, then a silence, then all.* The convolution shows a byte to the three after it, and two blocks
# make six. The memory hears it only when its chunk is written, at byte 128. What stands in between is blind to the byte: not
# nearly, but exactly, since the difference is zero.
#
# Reads inside the chunk have no such silence, and cost one more product per chunk. At size `tiny` they are better by 0.04
# bits per byte after as many steps, and worse by 0.10 after as many minutes (`python -m experiments.reads`), so that `tiny`
# lives with the silence.

# %% [markdown]
# ## What if a text is shorter than a chunk?
#
# People who try such a model with a short prompt often report that "the memory does nothing". What do you expect of a
# text of 40 bytes?

# %%
from nlcore.viz.predictions import predict

predict("10-short")

# %%
short, rest = texts[:4, :40], texts[:4, 40:80]
with torch.no_grad():
    written = trained(short)
    with frozen_memories(trained):
        silent = trained(short).logits
    on = trained(rest, written.state).logits  # a second call, from the state of the first
    whole = trained(texts[:4, :80]).logits[:, 40:]
print("40 bytes, memories on or off:", "the same, bit by bit" if torch.equal(written.logits, silent) else "different")
print("tokens that wait in the state:", written.state[0].open.k.shape[2], "of 64")
print(f"40 bytes and then 40 more, against 80 at once: {(on - whole).abs().max():.0e}")
assert torch.equal(written.logits, silent) and torch.allclose(on, whole, atol=1e-3)

# %% [markdown]
# They are right: nothing was written, so that nothing could be read. But nothing is lost either. The tokens of an open
# chunk wait in the state, and two calls give what one gives, wherever the cut. A model that generates byte by byte relies on that.
#
# Two wrong ways are found in the wild, and both are quiet. Who writes at the end of each *call* makes the result depend on
# how a text was cut; and who drops the open chunk forgets up to $C - 1$ tokens per call.

# %% [markdown]
# ## Why NaN?
#
# The question that is asked most often of every such model. An inner step is an optimizer's step, and it can diverge for
# the reasons for which optimizers do, only that it happens inside one forward pass. Here a single memory of eq. 91 reads
# random tokens with chunks of 16, all guards in place; and then with one of them taken out.

# %%
def survives(value=unit, budget=0.5, seed=0, T=1024, d=32, hidden=16):
    """Memories for k, v and the main one read random tokens, and are written after each: what becomes of them."""
    draw = torch.Generator().manual_seed(seed)
    S = [torch.randn(3, d, hidden, generator=draw) * 1.5 / (d * hidden) ** 0.5, torch.randn(3, hidden, d, generator=draw)]
    W, x, eta, alpha = S, unit(torch.randn(T, 1, d, generator=draw)), torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.98)
    for t in range(T):
        k, v, _ = answer(W, x[t].expand(3, 1, d))[0]
        W = list(write(W, S, unit(k).expand(3, 1, d), value(v).expand(3, 1, d), eta, alpha, 1, budget, value))
        if not all(w.isfinite().all() for w in W):
            return f"NaN at token {t + 1}"
    return f"norm {sum(w.square().sum() for w in W) ** 0.5:.0f}"


cases = {"all guards": {}, "values as long as they come": {"value": lambda v: v}, "no budget": {"budget": torch.inf}}
for words, guards in cases.items():
    print(f"{words:28} " + ", ".join(f"{survives(seed=seed, **guards):15}" for seed in range(3)))

# %% [markdown]
# So it takes less than two hundred tokens. Without a budget, a **step is too long for its key**: the outer layer's key,
# $\sigma(W_2 k)$, may be longer than one, and a rate of a half then overshoots, as in chapter 05. (The inner layer has kept its
# $1 / (1 + c)$ here.) And where nothing bounds a value, a memory that learns what it made itself makes a longer value of a
# longer one.

# %% [markdown]
# Three causes more, from the study in chapter 09 (`python bench/stability.py causes`), in the order in which they bite:
#
# - **Momentum.** Its echoes add up to $1 / (1 - \theta)$ times a step. So rates *and* budget are scaled by $1 - \theta$.
# - **Weights that have grown.** The inner layer's error comes back through the outer matrix; where training has made that
#   longer than one, a half is too much, and the budget $1 / (1 + c)$ is the guard.
# - **Retention as printed** is the opposite death: it pulls towards zero and not towards the start, until there is nothing
#   left that could be NaN.

# %% [markdown]
# ## What does each level hold after a text was read?
#
# Now to the heart of it. A text has been read; what of it is where? The question can be put to each level by surgery.
# Let the model read, and then exchange one level's state, alone: for what it was before the first byte, or for what the
# same level held after *another* text. What follows is then read with the exchanged state. If the bits go up, something
# was held there.

# %% [markdown]
# The texts are files of the four languages of the built-in corpus, none of which the model has seen. It reads 1,024 bytes
# from the middle of a file; then the next 256 are predicted, of which the first 64 have a column of their own: until then
# nothing new has been written.

# %%
import numpy as np

LANGUAGES = ("python", "cpp", "javascript", "english")
N, READ, NEXT = (4, 256, 128) if FAST else (24, 1024, 256)
held_out = tasks.load("builtin").validation


def passages(language, seed=0):
    """N pieces of READ + NEXT bytes, from as many places of the language's held-out files."""
    draw = np.random.default_rng(seed)
    files = [file.content for file in held_out if file.domain == language and len(file.content) > 2 * (READ + NEXT)]
    starts = [(files[i % len(files)], draw.integers(len(files[i % len(files)]) - READ - NEXT)) for i in range(N)]
    return torch.tensor([list(file[at : at + READ + NEXT]) for file, at in starts])


pieces = {language: passages(language) for language in LANGUAGES}
set_memory_rate(trained, 1.0)
with torch.no_grad():
    after = {language: trained(piece[:, :READ]).state for language, piece in pieces.items()}
fresh = trained.blocks[0].mixer.start(N), trained.blocks[1].mixer.start(N)

# %%
def exchanged(state, other, *parts):
    """The state with these parts of every block taken from another."""
    return tuple(own._replace(**{part: getattr(given, part) for part in parts}) for own, given in zip(state, other))


def shifted(state):
    """Each text's memories given to another text of the same language, in another file."""
    move = lambda w: tuple(m.roll(N // 2 + 1, 0) for m in w)
    return tuple(own._replace(memory=type(own.memory)(*map(move, own.memory))) for own in state)


@torch.no_grad()
def cost(state, language, length=64):
    """Bits of each of the next bytes but the first, (N, length - 1)."""
    following = pieces[language][:, READ : READ + length]
    logits = trained(following, state).logits[:, :-1]
    return F.cross_entropy(logits.mT, following[:, 1:], reduction="none") / math.log(2)


def mean(gaps):
    """Over all texts, with two standard errors."""
    by_text = torch.cat([gap.mean(1) for gap in gaps])
    return f"{by_text.mean():+.3f} ± {2 * by_text.std() / len(by_text) ** 0.5:.3f}"

# %%
PARTS = {"main memory": ["memory"], "projections": ["projections", "rate_memories"], "convolution's last bytes": ["tail"]}
print("bits per byte that the text costs more, if a part is put to what it was before the first byte")
print(f"{'':26}{'next 64 bytes':18}next {NEXT} bytes")
for name, parts in PARTS.items():
    lost = []
    for length in (64, NEXT):
        whole = {language: cost(after[language], language, length) for language in LANGUAGES}
        cut = {language: cost(exchanged(after[language], fresh, *parts), language, length) for language in LANGUAGES}
        lost.append(mean([cut[language] - whole[language] for language in LANGUAGES]))
    print(f"{name:26}{lost[0]:18}{lost[1]}")

# %% [markdown]
# The main memory holds the text, and hardly anybody else does. Without what it has read, the next 64 bytes cost 0.28 bits
# more each; over 256 it is less, because the memory is written anew meanwhile. The projections act only through
# what they write, so that their zero in the first column had to be; that in the second says that in this model they have
# learnt nothing from the text that would be missed. The convolution holds three bytes, which matter to the next few.

# %% [markdown]
# So look at the main memory alone. Its state after one text is put into the reading of another, and compared with a
# memory that has read nothing. What happens to a Python file whose memory comes from an English one?

# %%
predict("10-swap")

# %%
saved = np.zeros((4, 5))
for row, language in enumerate(LANGUAGES):
    nothing = cost(exchanged(after[language], fresh, "memory"), language)
    donors = [after[language], shifted(after[language]), *(after[other] for other in LANGUAGES if other != language)]
    for place, donor in enumerate(donors):
        saved[row, place] = (nothing - cost(exchanged(after[language], donor, "memory"), language)).mean()
print("bits per byte saved over a memory that has read nothing, next 64 bytes; the memory had read")
print(f"{'':12}{'this file':>12}{'another one':>15}   files of the other three languages")
for language, row in zip(LANGUAGES, saved):
    print(f"{language:12}{row[0]:>+12.2f}{row[1]:>+15.2f}   " + "  ".join(f"{x:+.2f}" for x in row[2:]))

# %%
DONORS = {"this very file": ([0], COLOURS[0]), "another file of its language": ([1], COLOURS[5]),
          "another language": ([2, 3, 4], GREY)}
figure, axes = plt.subplots(figsize=(8.5, 3.6), layout="constrained")
for place, (words, (columns, colour)) in enumerate(DONORS.items()):
    axes.barh(np.arange(4) + 0.28 * (place - 1), saved[:, columns].mean(1), 0.26, color=colour, label=words)
axes.axvline(0, color="black", linewidth=0.8)
axes.set_yticks(range(4), LANGUAGES)
axes.invert_yaxis()
tidy(axes, "What the main memory is worth, by what it had read", "bits per byte saved over a memory that has read nothing", "")
axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
show(figure, name="whose_memory",
     alt="For each of four languages three bars. A memory that had read this very file saves a quarter to a third of a bit per "
     "byte; one that had read another file of its language less, and in JavaScript it harms; one of another language costs "
     "0.1 to 0.35 bits.")

# %% [markdown]
# A memory of another language is worse than none, in all twelve pairs: it costs about as much as the right one saves.
# Another file of the *same* language is worth less than this file: in English nearly as much, in Python and C++ less than
# half, and in JavaScript it does harm. So the memory does not only hold "this is Python"; it holds this very file. In which
# bytes does it show?

# %%
kinds = {"letters": lambda byte: chr(byte).isalpha(), "digits": lambda byte: chr(byte).isdigit(),
         "spaces, line ends": lambda byte: byte in b" \n", "signs": lambda byte: not chr(byte).isalnum() and byte not in b" \n"}
gain = torch.stack([cost(exchanged(after[language], fresh, "memory"), language) - cost(after[language], language)
                    for language in LANGUAGES])
following = torch.stack([pieces[language][:, READ + 1 : READ + 64] for language in LANGUAGES])
for kind, belongs in kinds.items():
    there = torch.tensor([belongs(byte) for byte in following.flatten().tolist()]).view_as(following)
    if there.any():
        print(f"{kind:18} {there.float().mean():4.0%} of the bytes, saved {gain[there].mean():+.2f} bits each")

# %% [markdown]
# In the signs, above all: a bracket or a comma becomes cheaper by almost a whole bit, a letter or a space by a fifth of one.
# They are what a file's way of writing shows in, and there are few of them.
#
# ### Does it hold names?
#
# A file also has names of its own. So here is a direct test. An invented name
# of eight letters is put three times into a Python text; 64 bytes later it is due again. The control is the same text
# with another name told before.

# %%
import random


def name_test(tells=3, gap=64, count=8 if FAST else 64):
    """Bits per letter of a name that was told before, that of another that was, and of the first while nothing writes."""
    draw = random.Random(0)
    invent = lambda: "".join(draw.choice("bcdfghklmnprstvz") + draw.choice("aeiou") for _ in range(4))
    told, others, python = [], [], passages("python", 1)
    for i in range(count):
        name, other, around = invent(), invent(), python[i % N]
        for page, shown in ((told, name), (others, other)):
            said = f"    {shown} = self.{shown}\n" * tells
            before, between, due = around[:128], around[128 : 128 + gap], f"    x = self.{name}"
            page.append(torch.cat([before, torch.tensor(list(said.encode())), between, torch.tensor(list(due.encode()))]))
    ours, theirs = (bits(trained, torch.stack(page))[:, -8:] for page in (told, others))
    with frozen_memories(trained):
        nothing = bits(trained, torch.stack(told))[:, -8:]
    return ours.mean(1), theirs.mean(1), nothing.mean(1)


ours, theirs, nothing = name_test()
print(f"bits per letter: told before {ours.mean():.2f}, another told {theirs.mean():.2f}, nothing written {nothing.mean():.2f}")
gain = theirs - ours
print(f"what hearing the name was worth: {gain.mean():.3f} ± {2 * gain.std() / len(gain) ** 0.5:.3f} bits per letter")

# %% [markdown]
# Nothing. A letter of a name costs seven bits, told or not. So "this very file" is not its names: what the memory of this
# small model has of a file is which signs it uses and how its lines are built. Models that hold names in
# context exist, and chapter 06 trained some on nothing else; `tiny-hope` read a million lines of text in which such a
# memory was seldom worth its price.

# %% [markdown]
# ### And the chain?
#
# It changes in training alone, so that a text leaves nothing in it. What it holds is what texts have in common, and the
# way to see that is to leave a link out.

# %%
from nlcore.train.worth import worth

sample = torch.cat([pieces[language][: N // 4 or 1, -256 if not FAST else -128:] for language in LANGUAGES])
for level, lost in worth(trained, sample).items():
    print(f"{level:12} without it: {lost.mean():+.2f} bits per byte")

# %% [markdown]
# Three to ten times what the memory is worth, link by link. But be careful with the word *hold* here. A chain is run
# through in order, and whoever leaves a link out hands the next one an input that it never met. Chapter 08 put levels back
# to where they had been before a change of domain, which is the fairer question.

# %% [markdown]
# ## Which part is worth what?
#
# Section 9.6 removes or changes one part of Hope at a time, and Table 6 has what came of it, at a size that the text does
# not state. By arithmetic it is 1.3B: the mean of that model's two perplexities in Table 2, 14.39 and 10.08, is 12.235.

# %%
from experiments.paper import TABLES

TABLES["6"]

# %% [markdown]
# Momentum has a row there, though no equation of Hope contains any. So the ablated model is the one of 96 with Titans'
# momentum, and with all six memories. Each of its rows is an argument of `SelfModifyingTitans`, and each is checked
# against a plain loop over tokens before anything is said of what it is worth.

# %%
from nlcore.layers import SelfModifyingTitans
from nlcore.layers.self_modifying_naive import self_modifying_naive
from nlcore.memory import GradientDescent, KeepAll

SIX = ("k", "v", "eta", "alpha", "q")
ROWS = {
    "Hope": {},
    "w/o DGD": {"rule": GradientDescent()},
    "w/o Momentum": {"momentum": False},
    "w/o weight decay": {"retention": KeepAll()},
    "w/o inner-projection k": {"adaptive": ("v", "eta", "alpha", "q")},
    "w/o inner-projection v": {"adaptive": ("k", "eta", "alpha", "q")},
    "w/o inner-projection q": {"adaptive": ("k", "v", "eta", "alpha")},
}
x = torch.randn(2, 37, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
for row, change in ROWS.items():
    torch.manual_seed(0)
    layer = SelfModifyingTitans(16, 2, 5, (4, 16), **{"momentum": True, "adaptive": SIX} | change).double()
    off = (layer(x)[0] - self_modifying_naive(layer, x)[0]).abs().max().item()
    made = [name for group in (layer.projections, layer.memory) for name in group.names]
    print(f"{row:24} memories: {', '.join(made):32} off the loop by {off:.0e}")
    assert off < 1e-10

# %% [markdown]
# What is no memory any more is a plain matrix of the slowest level, as the paper words it: "from higher-frequency level to
# the lowest-frequency level". The eighth row, without the chain, is a chain of one link. Before you see ours, read theirs
# again.

# %%
predict("10-table")

# %% [markdown]
# The caption says "All components of Hope are positively contributing". Without an inner query the perplexity is better,
# 12.19 against 12.24, and the accuracy worse, 57.4 against 58.1. The text has it more carefully: each removal "can damage
# the model's perplexity in language modeling and/or accuracy". No row of the table has seeds or an interval.

# %% [markdown]
# Now ours: size `tiny`, three thousand times smaller, trained on the built-in text for 380 steps. Every arm has its own
# rate, three seeds, and about the same number of parameters. `python -m experiments.ablation` makes it again.

# %%
from experiments.experiment import ExperimentError, load
from IPython.display import display


def stored(name):
    """The results of an experiment, shown; where there are none yet, what makes them."""
    try:
        display(found := load(name))
    except ExperimentError as error:
        print(error)
        found = None
    return found


ablation = stored("ablation")

# %%
def against_hope(results, title, figure_name):
    """Each arm's score minus Hope's, seed by seed."""
    score, found = results.experiment["score"], {row["arm"]: row["scores"] for row in results.rows if row["scores"]}
    arms = [arm for arm in found if arm != "Hope" and "Hope" in found]
    if not arms:
        return
    figure, axes = plt.subplots(figsize=(8, 0.36 * len(arms) + 1.1), layout="constrained")
    for place, arm in enumerate(arms):
        gaps = [value - found["Hope"][seed] for seed, value in found[arm].items() if seed in found["Hope"]]
        axes.plot(gaps, [-place] * len(gaps), "o", color="black", markersize=5, clip_on=False)
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set_yticks([-place for place in range(len(arms))], arms)
    tidy(axes, title, f"{score.replace('_', ' ')} minus that of Hope; right of 0 is worse", "")
    show(figure, name=figure_name, alt=f"{title}: a mark per seed for each of {len(arms)} arms, left and right of the line at 0.")


if ablation:
    against_hope(ablation, "Table 6 at size tiny, on text", "ablation")

# %% [markdown]
# <!-- RESULT: ablation -->
# A mark right of 0 is a seed in which the part was worth something. Look at the column `eta 0` too: what all memories
# together are worth at this size is the distance between it and the score, and no part of them can be worth much more.

# %% [markdown]
# Text is one task, and the memories are worth little on it at this size. So here are the same rows on a task that nothing
# but a memory can do: pairs are told, then asked in another order (chapter 06). `python -m experiments.ablation_recall`.

# %%
recall = stored("ablation_recall")
if recall:
    against_hope(recall, "Table 6 in small, on recall", "ablation_recall")

# %% [markdown]
# <!-- RESULT: ablation_recall -->
# Chance is one in 32, and `2 pairs, nothing written` says that without writing no arm is better than chance.

# %% [markdown]
# ## Does it recall, copy, compress?
#
# Table 4 has MAD, six small synthetic tasks made to tell layers apart before anybody trains a large model (Poli et al.,
# 2024). The paper shows five of them and says that Hope "outperforms all the baselines, including Transformers".

# %%
TABLES["4"]

# %% [markdown]
# A score in MAD depends on how long one trains, so that numbers of two harnesses cannot stand in one table. What can be
# compared is the *order*, and only beside a Transformer from the same harness. Ours is smaller than MAD's protocol; `python -m experiments.mad`
# makes it again, and `--protocol` runs MAD's own sizes on a larger machine.

# %%
mad = stored("mad")

# %% [markdown]
# <!-- RESULT: mad -->
# Read along a task, and not down a model: the scores of two tasks have different chances, and so have different zeros.

# %% [markdown]
# ## Can it count?
#
# Table 5: which strings belong to a language? A parity cannot be told by averaging, and a Transformer fails at it at
# lengths that it was trained on; Hope has 100 in every cell. A string counts only if every prefix is judged right. Bin 0
# has the lengths of training, bin 1 longer ones.

# %%
TABLES["5"]

# %% [markdown]
# Three traps stand around this table. Languages such as $(aa)^*$ have one string per length, so that bin 0 tests what was
# learnt by heart. Bin 1 chose the best epoch in the benchmark that the table follows, and is no test; ours has a third bin for that.
# And the labels of $(aa)^*$ and $(abab)^*$ are functions of the position alone: a model whose chunk is a multiple of four
# can read them off its own clock.

# %% [markdown]
# The last trap has a reverse side, which fits in three lines. Read 90 literally: keys, values and answers of a chunk are
# made at the chunk's first state. Then all $a$ of one chunk look the same to the layer, whatever was written before. So
# without a convolution, with $C > 1$, and read as the chunk began, $(aa)^*$ is not hard but *impossible*.

# %%
layer = SelfModifyingTitans(16, 2, 5, (4, 4), reads="boundary").double()
layer.convolution.data.copy_(torch.eye(4)[3].expand_as(layer.convolution))  # no look at earlier tokens
a = torch.randn(16, generator=torch.Generator().manual_seed(0), dtype=torch.float64).expand(1, 12, 16)
with torch.no_grad():
    out = layer(a)[0][0]
same = [torch.equal(out[t], out[t - 1]) for t in range(1, 12)]
print("output t equals output t - 1:", "".join("=" if equal else "x" for equal in same))
assert same == [t % 4 != 0 for t in range(1, 12)]

# %% [markdown]
# An `x` is where a chunk begins. Inside a chunk neighbours get the same output, and every label has to differ from its
# neighbour's. So a 100 in that column needs chunks of one token, a read inside the chunk, or a convolution and the clock. The paper
# does not say which it has. Ours says it, arm by arm: `python -m experiments.formal`.

# %%
formal = stored("formal")

# %% [markdown]
# <!-- RESULT: formal -->
# Bin 2 is the one to read, since nothing was chosen by it. `frozen` is what weights alone know.

# %% [markdown]
# ## Does it find a needle?
#
# Table 1 hides a sentence in up to 16,000 tokens of text and asks for it at the end. Here is what it has on Hope and on
# the two that belong beside it.

# %%
from IPython.display import Markdown

Markdown(TABLES["1"].markdown(["Transformer", "Hope-Attention", "Titans", "Hope"]))

# %% [markdown]
# What is claimed and what the numbers say differ in places. "Hope achieves the best performance across all tasks and
# levels of difficulties", among attention-free models: Titans has more in S-NIAH-2 and in S-NIAH-3 at 4K. "Hope-Attention
# achieves a better performance compared to Transformers": in six of the eighteen cells it has less. What the table does say
# is that Hope is level with Titans or above it in sixteen of eighteen cells.

# %%
needles = stored("needles")

# %% [markdown]
# <!-- RESULT: needles -->
# Ours are byte models trained on short texts. The tasks have the paper's names and RULER's form, and are not the same
# test, so that no number of ours stands in a row with theirs.

# %% [markdown]
# ## What became of each claim?
#
# Every claim on these tables, what the paper's own numbers say of it, what we ran, and what came of it. A status is
# computed from stored results when the cell runs, and never typed: *open* is what has not run to its end.

# %%
from experiments.paper import claims

Markdown(claims.markdown(("1", "4", "5", "6")))

# %% [markdown]
# ## Where are we in the nest?
#
# All of Hope at work: a small model in training, eight steps. The upper rows learn while a text is read, from a state of
# its own for every text; the lower ones learn across texts. Every update is real.

# %%
from fractions import Fraction
from nlcore import probe
from nlcore.levels import Component, NestedSystem
from nlcore.train.parts import optimizer as leveled
from nlcore.viz.nested import updates

STEPS = {"weights": 1, "cms-3": 1, "cms-2": 2, "cms-1": 4}
MEMORIES = {"memory": (8, ("memory",)), "projections": (16, ("k", "v", "eta", "alpha"))}
torch.manual_seed(0)
learner = build("hope", replace(small, chunks=(8, 16), periods=(1, 2, 4)), 64)
by_level, records = leveled(learner, 1e-3), []


def record(level, step, writes, update, norm, period, unit):
    records.append({"level": level, "step": step, "fired": writes > 0, "writes": writes, "update_norm": update,
                    "weight_norm": norm, "period": period, "unit": unit})

# %%
for step in range(1, 9):
    batch = torch.randint(64, (4, 33), generator=torch.Generator().manual_seed(step))
    with probe.listen():
        heard = learner(batch)
        F.cross_entropy(heard.logits[:, :-1].mT, batch[:, 1:]).backward()
        reports = by_level.step(step)[1]
    for name, (period, memories) in MEMORIES.items():
        its = heard.reports["block-0"]
        moved, size = (torch.stack([its[f"{what}/{m}"] for m in memories]).mean(0) for what in ("update", "norm"))
        record(name, step, len(moved), moved.mean().item(), size.mean().item(), period, "tokens")
    for name, period in STEPS.items():
        record(name, step, reports[name].firings, reports[name].update_norm, reports[name].weight_norm, period, "steps")

# %%
parts = [Component("memory", 4, context="a text"), Component("projections", 2, context="a text")]
parts += [Component(name, Fraction(1, n), context="batches") for name, n in STEPS.items()]
show(
    updates(NestedSystem(tuple(parts)), records), name="hope_score",
    alt="A level score of six rows over eight steps. The memory has four notches in each step and the projections two; below "
    "them weights and cms-3 have one in each step, cms-2 one in every second, cms-1 in the fourth and the eighth.",
)  # fmt: skip

# %% [markdown]
# *A notch is an update, brightness its size.* Who writes? Above, the memories themselves, by Delta Gradient Descent on
# values of their own making; below, AdamW. Into what? Above, into the state that a text carries; below, into weights. How
# often? Four times and twice in a text of 33 tokens; every step, every second, every fourth. From which context? The text
# so far; and batches.

# %% [markdown]
# And to whom is knowledge handed? The slow part hands the fast one its starts and its projections' matrices; the
# projections hand the main memory its keys, values and rates; and back down goes nothing but the gradient, through every
# write. What the upper rows knew is gone when the text ends.

# %% [markdown]
# ## Summary
#
# 1. Hope is a memory that modifies itself, then a chain of links with periods; forty lines equal `nlcore`.
# 2. Read as the chunk began, a token is heard at once by the convolution, and by the memory after its chunk.
# 3. In the trained model the main memory holds a text: this very file, but no names. A wrong one is worse than none.
# 4. NaN comes from inner steps that are too long for their keys; each guard stands against one way to get there.
# 5. Each row of Table 6 is an argument, and each claim on the tables has its status above.

# %% [markdown]
# ## Sources
#
# - Behrouz, Razaviyayn, Zhong, Mirrokni (2025), [Nested Learning](https://arxiv.org/abs/2512.24695), sections 8.3, 9.2, 9.4 to 9.6.
# - Titans: Behrouz, Zhong, Mirrokni (2025), [Titans: learning to memorize at test time](https://arxiv.org/abs/2501.00663).
#   A weight matrix that writes itself: Irie, Schlag, Csordás, Schmidhuber (2022), [A modern self-referential weight
#   matrix](https://arxiv.org/abs/2202.05780).
# - MAD: Poli et al. (2024), [Mechanistic design and scaling of hybrid architectures](https://arxiv.org/abs/2403.17844).
#   Formal languages: Irie, Csordás, Schmidhuber (2023), [Practical computational power of linear
#   transformers](https://arxiv.org/abs/2310.16076). Needles: Hsieh et al. (2024),
#   [RULER](https://arxiv.org/abs/2404.06654). Recall: Arora et al. (2023), [Zoology](https://arxiv.org/abs/2312.04927).
# - Why some recurrences cannot count: Grazzi et al. (2024), [Unlocking state-tracking in linear
#   RNNs](https://arxiv.org/abs/2411.12537).

# %% [markdown]
# ## Exercise 1: who hears whom (middle, 12 minutes)
#
# *Build.* Return a `T` by `T` table of truths: `[t][s]` says whether output `t` of one layer hears token `s`, both counted
# from 0. The memory is written every `C` tokens, there is no convolution, and `reads` is `"boundary"`, `"before"` or
# `"after"`. A token always hears itself, because it makes its own query.

# %% [markdown]
# <details><summary>Hint</summary>
#
# How many whole chunks are over when token $t$ comes? And do `"before"` and `"after"` differ in who is heard, if a token
# hears itself in any case?
#
# </details>
#
# <details><summary>Solution</summary>
#
# With reads as the chunk began, `return [[s < t // C * C or s == t for s in range(T)] for t in range(T)]`; else
# `return [[s <= t for s in range(T)] for t in range(T)]`. The two readings inside a chunk differ in what the memory says
# of token $t$ itself, not in whom it hears.
#
# </details>

# %%
from nlcore.exercises.chapter_10 import SUSPECTS, check_harm, check_heard, check_outgrown, check_suspects, harm


def heard_by(T, C, reads):
    """[t][s]: whether output t hears token s."""
    return None


print(check_heard(heard_by))

# %% [markdown]
# ## Exercise 2: four layers, three of them broken (middle, 15 minutes)
#
# *Diagnose.* `SUSPECTS[name](x)` takes texts `x` of the size (texts, tokens, 8) and returns as much. Chunks are 4 tokens. One
# layer `"leaks"` the future, one is `"deaf"` to all but the present token, one `"mixes"` the texts of a batch, and one is
# `"sound"`. All three faults have been published as Hope. Name them.

# %% [markdown]
# <details><summary>Hint</summary>
#
# Change one token of one text, and look which outputs move: of which text, and before or after it?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `{"A": "mixes", "B": "deaf", "C": "sound", "D": "leaks"}`. With a token of text 1 changed, A moves text 0 as well; B moves
# nothing but that token's own output, since it is called token by token and drops the open chunk; D moves outputs before the
# token, in its own chunk, which is read after it was written.
#
# </details>

# %%
x = torch.randn(2, 12, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
for name, layer in SUSPECTS.items():
    print(name, "gives outputs of size", tuple(layer(x).shape))
print(check_suspects({"A": "", "B": "", "C": "", "D": ""}))

# %% [markdown]
# ## Exercise 3: mislead it (middle, 10 minutes)
#
# *Break.* `harm(text)` lets `tiny-hope` read your text, at most its last 1,024 bytes, and then a few lines of a Python class.
# It returns how many bits per byte these cost *more* than if the memories had written nothing meanwhile. Find a text that
# does at least 0.25 bits of harm. What does the memory have to believe?

# %% [markdown]
# <details><summary>Hint</summary>
#
# Repeat something short, so that the memory is written with it again and again. Python has words, spaces at the
# beginning of lines, and few signs in a row.
#
# </details>
#
# <details><summary>Solution</summary>
#
# For example `"|---|---|" * 120`, the rule of a table: 0.4 bits. But much of what looks hostile even helps: 512 times `0,`
# does, and so does a row of spaces. Being written at all is worth something to this model, because it was never trained
# with silent memories.
#
# </details>

# %%
mine = "The quick brown fox jumps over the lazy dog. " * 23
print(harm(mine))
print(check_harm(mine))

# %% [markdown]
# ## Exercise 4: outgrown (easy, 8 minutes)
#
# A Hope of width `dim` carries for each text, in each block, so many `memories` per head, each of two matrices of `hidden`
# by the head's width; with momentum, as many numbers again. Attention of the same width carries a key and a value per
# token. At how many tokens does attention, for the first time, carry *more* numbers? (Leave the open chunk and the
# convolution's last inputs out.)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Count for all heads together: what is `heads` times the width of a head?
#
# </details>
#
# <details><summary>Solution</summary>
#
# All heads together have `memories * 2 * hidden * dim` numbers, and a token of attention leaves `2 * dim`. The width
# cancels: `return memories * hidden * (2 if momentum else 1) + 1`. With five memories of hidden width 16 that is 81 tokens.
#
# </details>

# %%
def outgrown(dim, hidden, memories, momentum):
    """The first number of tokens at which attention carries more numbers."""
    return None


print(check_outgrown(outgrown))
