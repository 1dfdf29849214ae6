# %% [markdown]
# # 10 · Hope: the whole
#
# **After this notebook** you can write Hope in forty lines of your own, equal to `nlcore` to the last digits; answer,
# each by a run, the four questions that everybody asks of such a model; say what each of its levels holds after a text
# was read; and read the paper's tables about it beside what came of them here.
#
# **You need** chapters 06 to 09. **Time:** 55 minutes, exercises apart; all cells together take about a minute on a
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
# The map is full. Nine chapters have built its boxes and its lines, and the paper needs one more equation to join them:
# [Hope](glossary.md#hope) is the [memory](glossary.md#memory) of chapter 09, followed by the chain of chapter 08, a
# [continuum memory](glossary.md#continuum-memory). Why these two? Because each has what the other lacks, says section
# 8.3. The chain has "larger capacity" and a "simple learning rule"; the [self-modifying](glossary.md#self-modifying)
# memory has "a small capacity" and a "complex and expressive" one, so that they "seem to be complementary". How large
# are both in `tiny`, the smallest Hope here, and how often do they learn?

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
# What belongs to one text is an eighth of the chain in size. It is written every 64 tokens, which is four times in a
# training step, since `tiny` trains on texts of 256 bytes. The chain's fastest link is written once in such a step, and
# its slowest once in sixteen. (On the map the [main memory](glossary.md#main-memory) keeps a shorter time than the
# [projections](glossary.md#projection); `tiny` lets both wait for 64 tokens, which was best for its time in chapter
# 09's table.)

# %% [markdown]
# The chapter takes Hope apart in three ways. It is written anew, in forty lines; then a trained one is cut open, and
# the state of one [level](glossary.md#level) exchanged for another; and last, parts are left out before training, as in
# the paper's Table 6.
#
# First a question about time. Chapter 09 said that the main memory can be read as its [chunk](glossary.md#chunk) began,
# before a token's own write, or after it. What does a token then know of the others?

# %% [markdown]
# ## Who hears whom?
#
# Say that an output *hears* a token if it changes with it. Below, an untrained layer reads 24 tokens; then one of them
# is changed, and we look which outputs change. A column is a changed token, a row an output. The
# [short convolution](glossary.md#short-convolution) is left out, since it shows a token the three before it in any
# case.

# %%
from nlcore.viz.explorers.who_hears import who_hears

who_hears().predict("10-hears")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Chunks of 8, read as the chunk began.* A token is heard by its own output, because it makes its own query, and from then
# on by nobody before its chunk is written: outputs 9 to 16 hear tokens 1 to 8, and no other token of their own chunk. On
# the right, that is a staircase. Read inside the chunk, the staircase becomes a slope, and every output hears all tokens
# before it. Nothing above the diagonal is ever bright, because no reading shows the future.
#
# </details>

# %% [markdown]
# How loud is it? Through the untrained memory a token moves a later output by a few hundredths, at most a sixth, of what
# it does to its own.
#
# | letter | here | elsewhere |
# |---|---|---|
# | $o_t$ | what the main memory answers | |
# | $y_t$ | the block's output | in 78 to 90 what the memory answers |
# | $\square$ | any one of the memories | |
# | $k_t$ | a [key](glossary.md#key) | in 97, $f_k$, how many links the chain has; we write $K$ |
# | $\sigma$ | silu, the memories' non-linearity | left open |
# | $S$ | the weights a memory starts with | $\mathcal{M}_0$; in chapter 09 how far it is from there |
# | $W, x, \delta$ | a layer's weights, its input, and the gradient at its output | in 94, $x_t$ is the token |
# | $C_0, C_1$ | the chunk of the main memory, and of the projections | one $C$ |

# %% [markdown]
# ## Hope in forty lines
#
# So far Hope was something that a package computes. One knows a model when one has written it, and this one is short.
# For one token the paper prints (94 to 96 of the long version; 96 for each $\square \in \{k, v, q, \eta, \alpha, \text{memory}\}$):
#
# $$o_t = \mathcal{M}_{\text{memory},t-1}(q_t), \quad k_t = \mathcal{M}_{k,t-1}(x_t), \quad v_t = \mathcal{M}_{v,t-1}(x_t), \quad \eta_t = \mathcal{M}_{\eta,t-1}(x_t), \quad \alpha_t = \mathcal{M}_{\alpha,t-1}(x_t)$$
#
# $$\hat v_{\square,t} = \mathcal{M}_{\square,t-1}(v_t)$$
#
# $$\mathcal{M}_{\square,t} = \mathcal{M}_{\square,t-1} \left( \alpha_t I - \eta_t k_t k_t^\top \right) - \eta_t \nabla \mathcal{L}_{\mathcal{M}_{\square,t-1}} \left( \mathcal{M}_{\square,t-1}; k_t, \hat v_{\square,t} \right)$$

# %% [markdown]
# These are the equations of chapter 09. New is only what becomes of $o_t$ (97, with $K$ for the number of links):
#
# $$y_t = \mathrm{MLP}^{(f_K)}(\mathrm{MLP}^{(f_{K-1})}(\cdots \mathrm{MLP}^{(f_1)}(o_t)))$$
#
# "We remove the normalization and convolution layers for the sake of clarity", the paper says, and then names them: $q$
# and $k$ get length one, and there is a convolution of width 4. They have to come back before anything can run.

# %% [markdown]
# **What the print leaves to decide.** Line 94 makes no $q_t$, and yet 96 writes a memory for it. In 8.1 the query is
# $x_t W_q$, "the only non-adaptive projection", while Table 6 has a row without its inner learning. So both exist, and
# our default is the matrix. Section 8.3 says that the memory generates "its own keys"; the equations let it generate
# its own [values](glossary.md#self-generated-value). And 97 lets $f_1$ read first, the slowest by section 7.1; chapter
# 08 ran both orders, and we let the fastest read first. None of this is an error of the mathematics, but whoever
# implements Hope has to choose.

# %% [markdown]
# Four more choices are chapter 09's. All states are those of the chunk's start (90). Values have length one too.
# [Retention](glossary.md#retention) pulls towards the [start](glossary.md#start) $S$, and not towards zero. And the
# tokens of a chunk share a [budget](glossary.md#budget), because beyond it a memory may run away.

# %% [markdown]
# How large is that budget? [Delta GD](glossary.md#delta-gd) takes out twice what a layer answers, once by the rule and
# once by the error, so that a [rate](glossary.md#rate) of $\tfrac12$ takes out all of it: this is the outer layer's
# budget. The inner layer's error comes back through the outer one, which makes it up to $c$ times as large, where $c$
# is the square of the outer matrix's largest singular value, times that of silu's steepest slope, 1.1. So $1 + c$ takes
# the place of 2, and the budget is $1 / (1 + c)$ where that is less.

# %% [markdown]
# For one layer, 96 then reads
#
# $$W \leftarrow S + \alpha\,(W - S) - \eta\,(W x + \delta)\, x^\top$$
#
# The last term joins two of 96: $W x\,x^\top$ is what the rule takes out, and $\delta\, x^\top$ is the gradient. Only the
# gradient is as old as the chunk, while $W$ is what the token before has left. Below, the line marked `eq. 96` says this,
# and the line of `c` bounds the singular value from above by a norm, which is cheaper than to find it.

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
# $\tfrac12$, that is 4; each token may write with an eighth, and all four together with one half. And four orthogonal
# keys? Each overlaps with itself alone, so that the load is 1, and nothing is taken off.

# %%
def rates(x, eta, budget=0.5):
    return eta / ((x @ x.mT).abs() @ eta / budget).clamp(min=1)


four = {"four equal keys": torch.tensor([[1.0, 0.0]]).repeat(4, 1), "four orthogonal keys": torch.eye(4)}
for words, keys in four.items():
    found = rates(keys, torch.full((4, 1), 0.5))
    strongest = torch.linalg.eigvalsh(keys.T @ (found * keys)).max()
    print(f"{words:21} each writes with {found[0, 0].item():.3f}; strongest direction {strongest:.3f}")

# %% [markdown]
# Either way no direction of the memory is written with more than a half. Remember the first line: had each token asked for
# $\tfrac14$, the load would be 2, and each would still get its eighth.

# %% [markdown]
# A token is a row in this code, so that a chunk of them is a matrix, and all memories and heads are leading dimensions of
# it. Next comes the layer: the convolution, the keys, values and rates that the projections make, and two clocks. The
# projections are written once per $C_1$ tokens, with a tenth of the rate, because they make the key of their own next
# write; the main memory is written once per $C_0$, where $C_0$ divides $C_1$.

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
# The rates are vectors at first, like all that a memory answers, and one slow vector per head reads a number from each.
# The last line of `titans` joins the heads. What remains is what every language model has: an embedding, blocks with a
# residual around each half, and the embedding once more, for the logits. A link of the chain is the usual gated MLP, in
# which silu of one product multiplies another.

# %%
def norm(x, gain):
    return F.rms_norm(x, gain.shape, gain, 1e-6)


def hope(w, tokens, heads, C, mixer=titans):
    x = w["embedding.weight"][tokens]
    for block in sorted({name.split(".")[1] for name in w if name.startswith("blocks.")}):
        x = x + mixer(w, f"blocks.{block}.mixer.", norm(x, w[f"blocks.{block}.norm.weight"]), heads, C)
        for link in [f"blocks.{block}.channel.levels.cms-{level}." for level in (3, 2, 1)]:  # eq. 97
            gate, up = (norm(x, w[link + "norm.weight"]) @ w[link + "w_in.weight"].T).chunk(2, -1)
            x = x + (F.silu(gate) * up) @ w[link + "w_out.weight"].T
    return norm(x, w["norm.weight"]) @ w["embedding.weight"].T


# %% [markdown]
# Those are forty lines, blank ones and the imports apart. Are they Hope? `nlcore` computes the same without a loop over
# tokens, by solving a triangular system per chunk (chapter 09). So take a model of it, knock all its weights about, give
# both the same weights and tokens, and compare everything that training would ever see: all outputs, and the gradient of
# each weight, through every write. The lengths are awkward on purpose.
#
# One thing of `tiny` is not in the forty lines. To save numbers, its memories of $\eta$ and $\alpha$ answer one number
# per head, not a vector. `narrow_rates=False` takes that back.

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
sources = [inspect.getsource(part).splitlines() for part in (unit, answer, write, titans, norm, hope)]
print(sum(bool(line) for part in sources for line in part), "lines")

# %%
for length in (1, 3, 4, 5, 15, 16, 17, 53):
    tokens = torch.randint(64, (2, length), generator=torch.Generator().manual_seed(length))
    ours, theirs = hope(weights, tokens, small.heads, small.chunks), model(tokens).logits
    off = (ours - theirs).abs().max().item()
    worst = max((a - b).abs().max().item() for a, b in zip(gradients(ours, model), gradients(theirs, model)))
    print(f"{length:>3} tokens: outputs differ by {off:.0e}, gradients by {worst:.0e}")
    assert off < 1e-10 and worst < 1e-9

# %% [markdown]
# Equal to the last digits, in outputs and in gradients; and for up to four tokens bit by bit, since nothing is read yet
# that was written. So you know what `nlcore` computes, because you have written it yourself, narrow rates apart, for which
# its tests have a loop of their own.
#
# With chunks of one token the same lines are the equations token by token. What, then, does `nlcore` have that they lack?
# Speed. The second half of the cell is a race at the size and the chunks of `tiny`, forward and backward.

# %%
token_by_token = knocked(build("hope", replace(small, chunks=(1, 1)), 64))
tokens = torch.randint(64, (2, 30), generator=torch.Generator().manual_seed(0))
ours = hope(dict(token_by_token.named_parameters()), tokens, small.heads, (1, 1))
print(f"chunks of one token: {(ours - token_by_token(tokens).logits).abs().max().item():.0e}")
assert torch.allclose(ours, token_by_token(tokens).logits, atol=1e-10)

larger = build("hope", replace(PRESETS["tiny"], narrow_rates=False), 256)
text, spent = torch.randint(256, (4, 128), generator=torch.Generator().manual_seed(0)), []
for read in (lambda: hope(dict(larger.named_parameters()), text, 2, (64, 64)), lambda: larger(text).logits):
    took = []
    for _ in range(2):
        began = time.perf_counter()
        gradients(read(), larger)
        took.append(time.perf_counter() - began)
    spent.append(min(took))
print(f"4 texts of 128 bytes, forward and backward, the better of two runs: nlcore is {spent[0] / spent[1]:.1f} times as fast")

# %% [markdown]
# ### Hope-Attention
#
# "We also use another variant of Hope, in which we simply replace the self-modifying [Titans](glossary.md#titans) with
# softmax global [attention](glossary.md#attention)" (8.3). So all it takes is another `mixer`. Attention is chapter
# 06's, with rotary positions, which turn a pair of numbers by an angle that grows with the token's place.

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
ours = hope(dict(hope_attention.named_parameters()), tokens, small.heads, small.chunks, mixer=attention)
assert torch.allclose(ours, hope_attention(tokens).logits, atol=1e-10)

one_link = knocked(build("hope-attention", replace(small, periods=(1,)), 64))
transformer = build("transformer", small, 64).double()
transformer.load_state_dict({name.replace("levels.cms-1.", ""): p for name, p in one_link.state_dict().items()})
assert torch.equal(one_link(tokens).logits, transformer(tokens).logits)
print("Hope-Attention, by its own lines; and with one link of period 1 it is the Transformer, bit by bit")

# %% [markdown]
# The second half is worth a thought. In a forward pass, Hope-Attention is a Transformer with three thinner MLP blocks
# in a row where one stood; its continuum is only in *when* they are updated. So a comparison of the two, such as the
# paper's Table 1, tests two things at once even at equal size, the longer chain and the [periods](glossary.md#period).
# For the periods alone one needs the same chain with all periods 1, which was chapter 08's
# [control](glossary.md#control).

# %% [markdown]
# ## Does anything learn at test time?
#
# Four questions come back wherever somebody builds such a model. Does anything learn at test time? What is read before the
# write, and what after? What if a text is shorter than a chunk? And why NaN? Each gets a run.
#
# The course brings a trained model, `tiny-hope`, and for the first question the test is chapter 06's: scale the inner rate
# down to 0, and leave all else as it is.

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
# So yes. The weights are the same in all four lines; what the last has over the first, 0.18
# [bits per byte](glossary.md#bits-per-byte), was learnt from the text itself, while it was read. Why does nearly all of
# it come with the first quarter of the rate? Think of the four equal keys: where the tokens of a chunk ask for much
# more than the budget has, a quarter of the rate leaves each its share.

# %% [markdown]
# One caution. The model was trained with its memories writing, so that $\eta = 0$ is a state it never met. The gap says
# what writing is worth *to this model*, and not what a model without memories would have reached.

# %% [markdown]
# ## What is read before the write, and what after?
#
# The explorer answered for an untrained layer. Here is the trained model, of two blocks, with chunks of 64 bytes. Byte 70
# of a text is changed, counted from 0, so that it stands in the second chunk, 64 to 127. Which outputs change at all? And
# which do if the same weights are read inside the chunk, before a token's own write or after it?

# %%
import matplotlib.pyplot as plt
from nlcore.viz.show import show
from nlcore.viz.theme import COLOURS, GREY, tidy

text = texts[:1, :256]
changed = text.clone()
changed[0, 70] = ord("Q")
for reads in ("after", "before", "boundary"):  # the last is how it was trained
    for block in trained.blocks:
        block.mixer.reads = reads
    with torch.no_grad():
        moved = (trained(text).logits - trained(changed).logits)[0].abs().amax(-1)
    deaf = [t for t in range(70, 256) if not moved[t]]
    assert not moved[:70].any() and deaf == (list(range(77, 128)) if reads == "boundary" else [])
    print(f"{reads:9} outputs 70 to 255 change", f"but for {deaf[0]} to {deaf[-1]}" if deaf else "")

# %%
figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
axes.bar(range(256), moved, width=1.0, color=COLOURS[0])
for boundary in (64, 128, 192):
    axes.axvline(boundary, color=GREY, linewidth=1, linestyle="dotted")
tidy(axes, "Byte 70 is changed; dotted: where a chunk is written", "byte read", "largest change of a logit")
show(figure, alt="Bars over 256 bytes. Seven stand at 70 to 76; then nothing until byte 128, where a chunk is written; from "
     "there on every output has changed a little.")

# %% [markdown]
# *Seven outputs at once, then a silence, then all.* The convolution shows a byte to the three after it, and two blocks
# make six. The memory hears it only when its chunk is written, after byte 127. The outputs in between are blind to the
# byte: not nearly, but exactly, since the difference is zero.

# %% [markdown]
# Reads inside the chunk have no such silence, as the first two lines say, and cost one more product per chunk. Trained so,
# models of size `tiny` are better by 0.04 bits per byte after as many steps, and worse by 0.10 after as many minutes
# (`python -m experiments.reads`), so that `tiny` lives with the silence.

# %% [markdown]
# ## What if a text is shorter than a chunk?
#
# The third question comes from whoever tries such a model on a short prompt. The memories of `tiny-hope` are written once
# in 64 bytes. What do you expect of a text of 40?

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
# Nothing was written, so that nothing could be read: on a prompt of 40 bytes this memory does nothing at all. But nothing is
# lost either. The tokens of an open chunk wait in the state, and two calls give what one gives, up to rounding, wherever
# the cut. A model that generates byte by byte relies on that.
#
# Two wrong ways lie near, and neither raises an error. Who writes at the end of each *call* makes the result depend on how
# a text was cut; and who drops the open chunk forgets up to $C - 1$ tokens per call.

# %% [markdown]
# ## Why NaN?
#
# The fourth question. An inner step is an optimizer's step, and it can diverge for the reasons for which optimizers do, only that it happens
# inside one forward pass. Here three memories as in eq. 91, for keys, for values and the main one, read random tokens, and
# are written after each: with all guards in place, and then with one of them taken out. A column is a draw.

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
# Without either guard it takes less than two hundred tokens. Without a budget, a **step is too long for its key**: the
# outer layer's key, $\sigma(W_2 k)$, may be longer than one, and a rate of a half then overshoots, as in chapter 05. (The
# inner layer has kept its $1 / (1 + c)$ here.) And where nothing bounds a value, a memory that learns what it made itself
# makes a longer value of a longer one.

# %% [markdown]
# Chapter 09 lists three more ways, each with its guard: [momentum](glossary.md#momentum), whose echoes add up; outer
# weights that training has made long, for which there is the $1 / (1 + c)$; and retention as printed, the opposite
# death, which pulls towards zero until there is nothing left that could be NaN (`python bench/stability.py causes`).

# %% [markdown]
# ## What does each level hold after a text was read?
#
# Now to the heart of it. A text has been read; what of it is where? The question can be put to each level by surgery. Let
# the model read, and then exchange one level's state, alone, for what it was before the first byte. What follows is then
# read with the exchanged state, and if it costs more bits, something was held there.

# %% [markdown]
# The texts are files of the four languages of the built-in corpus, none of which the model has seen. It reads 1,024 bytes
# from a random place of a file; then the next 256 are predicted. The first 64 of these have a column of their own, because
# while they are read nothing new is written yet.

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
# It is the main memory that holds the text. Without what it has read, each of the next 64 bytes costs 0.28 bits more; over
# 256 it is less, because the memory is written anew meanwhile. The projections' zero in the first column had to be, since
# they act only through what the main memory is given to write, and it writes nothing there. Their zero in the second says
# that in this model they have learnt nothing from the text that would be missed.

# %% [markdown]
# And the convolution holds the last three bytes. To lose them costs 0.121 bits as a mean over 63 bytes, and 0.030 over 255.
# That is 7.6 bits in both cases, so that all of the loss falls on the first 64.

# %% [markdown]
# So look at the main memory alone. Its state after one text is put into the reading of another, and compared with a
# memory that has read nothing. What happens to a Python file whose memory comes from an English one?

# %%
predict("10-swap")

# %%
saved = torch.zeros(4, 5, N)  # by language, by whose memory it is, by text
for row, language in enumerate(LANGUAGES):
    nothing = cost(exchanged(after[language], fresh, "memory"), language).mean(1)
    donors = [after[language], shifted(after[language]), *(after[other] for other in LANGUAGES if other != language)]
    for place, donor in enumerate(donors):
        saved[row, place] = nothing - cost(exchanged(after[language], donor, "memory"), language).mean(1)


def within(saved):
    """Two standard errors over the texts."""
    return 2 * saved.std(-1) / saved.shape[-1] ** 0.5


columns = torch.cat([saved[:, :2], saved[:, :1] - saved[:, 1:2], saved[:, 2:]], 1)
print("bits per byte saved over a memory that has read nothing, next 64 bytes; the memory had read")
print(f"{'':12}{'this text':15}{'another file':15}{'difference':15}texts of the other three languages")
for language, means, halves in zip(LANGUAGES, columns.mean(2).tolist(), within(columns).tolist()):
    print(f"{language:12}" + "".join(f"{value:+.2f} ± {half:.2f}   " for value, half in zip(means, halves)))

# %%
DONORS = {"this text": ([0], COLOURS[0]), "another file of its language": ([1], (COLOURS[0], 0.45)),
          "other languages": ([2, 3, 4], GREY)}
figure, axes = plt.subplots(figsize=(8.5, 3.6), layout="constrained")
for place, (words, (columns, colour)) in enumerate(DONORS.items()):
    bars, look = saved[:, columns].mean(1), dict(color=colour, ecolor="black", error_kw={"elinewidth": 1})
    axes.barh(np.arange(4) + 0.28 * (place - 1), bars.mean(1), 0.26, xerr=within(bars), label=words, **look)
axes.axvline(0, color="black", linewidth=0.8)
axes.set_yticks(range(4), LANGUAGES)
axes.invert_yaxis()
tidy(axes, "What the main memory is worth, by what it had read", "bits per byte saved over a memory that has read nothing", "")
axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
show(figure, name="whose_memory",
     alt="For each of four languages three bars with intervals. A memory that had read this text saves a quarter to a third of a "
     "bit per byte. One that had read another file saves nearly as much in English and half in Python; in C++ and JavaScript its "
     "interval includes 0. One that had read another language costs 0.12 to 0.34 bits.")

# %% [markdown]
# *Bars are means, lines two standard errors over 24 texts.* A memory of another language is worse than one that has read
# nothing, by the mean of each of the twelve pairs. Another file of the *same* language is worth less than the text itself,
# as the differences say: in English a little less, in Python half, and in C++ and JavaScript nothing that could be told
# from zero. So the memory does not hold "this is Python" alone; it holds something of the text that it has just read. In
# which bytes does it show?

# %%
kinds = {"letters": lambda byte: chr(byte).isalpha(), "digits": lambda byte: chr(byte).isdigit(),
         "spaces, line ends": lambda byte: byte in b" \n", "punctuation": lambda byte: not chr(byte).isalnum() and byte not in b" \n"}
gain = torch.stack([cost(exchanged(after[language], fresh, "memory"), language) - cost(after[language], language)
                    for language in LANGUAGES])
following = torch.stack([pieces[language][:, READ + 1 : READ + 64] for language in LANGUAGES])
for kind, belongs in kinds.items():
    there = torch.tensor([belongs(byte) for byte in following.flatten().tolist()]).view_as(following)
    if there.any():
        print(f"{kind:18} {there.float().mean():4.0%} of the bytes, saved {gain[there].mean():+.2f} bits each")

# %% [markdown]
# Byte for byte, in the punctuation above all: a bracket or a comma becomes cheaper by almost a whole bit, a letter or a
# space by a fifth of one. Only one byte in eight is punctuation, so that in sum it brings about as much as all letters do.

# %% [markdown]
# ### Does it hold names?
#
# A file has names of its own, too. So here is a direct test. An invented name of eight letters is put three times into a
# Python text; 64 bytes later it is due again. The control is the same text with another name told before.

# %%
predict("10-names")

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
# Nothing. A letter of the name costs seven bits, whether it was told or another one was. Whatever this memory holds of a
# text, such names are not in it. Models that hold names in context exist, and chapter 06 trained some on nothing else;
# `tiny-hope` was trained on text, and has not learnt it there.

# %% [markdown]
# ### And the chain?
#
# It is written in training alone, so that a text leaves nothing in it. What it holds is what texts have in common, and the
# plainest way to see how much that is worth is to leave a link out.

# %%
from nlcore.train.worth import worth

sample = torch.cat([pieces[language][: N // 4 or 1, -256 if not FAST else -128:] for language in LANGUAGES])
for level, lost in worth(trained, sample).items():
    print(f"{level:12} without it: {lost.mean():+.2f} bits per byte")

# %% [markdown]
# Three to ten times what the memory is worth, link by link. (The memory's 0.17 is less than the 0.28 above, because these
# texts begin afresh, and their first 64 bytes have nothing to read.) But be careful with the word *hold* here. A chain is
# run through in order, and whoever leaves a link out hands the next one an input that it never met. Chapter 08 put levels
# back to where they had been before a change of domain, which is the fairer question.

# %% [markdown]
# ## Which part is worth what?
#
# Surgery says what a trained model has put where. It cannot say what the model would have become without a part, because
# the others might have taken its place. To learn that one has to train without it, as section 9.6 does, which removes or
# changes one part of Hope at a time. The text does not state the size. By arithmetic it is 1.3B: the mean of that model's two
# perplexities in Table 2, 14.39 and 10.08, is 12.235.

# %%
from experiments.paper import TABLES

TABLES["6"]

# %% [markdown]
# Momentum has a row there, though no equation of Hope contains any. So we read the ablated model as that of 96 with
# Titans' momentum, and with a memory for the query, which has a row too. Each row but the chain's is an argument of
# `SelfModifyingTitans`, and is checked against a plain loop over tokens before anything is said of what it is worth.

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
# the lowest-frequency level". Without weight [decay](glossary.md#decay) nothing is forgotten, so that no memory has to make an
# $\alpha$. And without CMS, the chain is one link, as large as the three.

# %% [markdown]
# Before you see ours, read theirs again. "All components of Hope are positively contributing", says the caption; but
# without an inner query the perplexity is better, and only the accuracy worse. The text has it more carefully: each removal
# "can damage the model's perplexity in language modeling and/or accuracy". No row has seeds or an interval.

# %% [markdown]
# Now ours: size `tiny`, three thousand times smaller, trained on the built-in text for 380 steps, three seeds, about the
# same number of parameters for all, and for each arm its own rate. A ninth arm lacks momentum *and* the query's memory,
# and is the Hope of this course. `python -m experiments.ablation` makes it again.

# %% [markdown]
# What would an outcome mean? Each arm's bits per byte are set against Hope's, seed by seed. If all three are larger, the
# part was worth something here; if they lie on both sides of Hope's, three seeds do not tell. The control is the column
# `eta 0`: the same trained model while nothing is written. Its distance from the score is what all memories together are
# worth to it, and a row about one of them should hardly show more than that.

# %%
from experiments.experiment import load

ablation = load("ablation")
ablation

# %%
def against_hope(results, title, figure_name):
    """Each arm's score minus Hope's, seed by seed."""
    score, found = results.experiment["score"], {row["arm"]: row["scores"] for row in results.rows if row["scores"]}
    arms = [arm for arm in found if arm != "Hope"]
    figure, axes = plt.subplots(figsize=(8, 0.36 * len(arms) + 1.1), layout="constrained")
    means = []
    for place, arm in enumerate(arms):
        gaps = [value - found["Hope"][seed] for seed, value in found[arm].items() if seed in found["Hope"]]
        means.append(f"{arm} {np.mean(gaps):+.3f}")
        axes.plot(gaps, [-place] * len(gaps), "o", color="black", markersize=5, clip_on=False)
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set_yticks([-place for place in range(len(arms))], arms)
    tidy(axes, title, f"{score.replace('_', ' ')} minus that of Hope; right of 0 is worse", "")
    show(figure, name=figure_name, alt=f"{title}: for each arm a mark per seed; the line at 0 is Hope. Means: {', '.join(means)}.")


against_hope(ablation, "Table 6 at size tiny, on text", "ablation")

# %% [markdown]
# *A mark is a seed; right of 0 the model without the part is worse.* Three parts are worth something with every seed, beyond
# the ranges of both arms: weight decay (0.16 bits), the query's memory (0.08) and the key's (0.05). About Delta GD, momentum
# and the value's memory three seeds do not tell, and without the continuum memory the mean is even better by 0.03, which they
# do not tell either. So the printed order comes again in part; and for the query it is the other way round.

# %% [markdown]
# Now the control. All memories together are worth 0.05 bits to Hope, so what is 0.16 cannot be something that they hold. Read
# the column `eta 0`: with nothing written the three gaps are still 0.16, 0.07 and 0.05. So what the memory of the query
# or of the key is worth here is hardly that it is written. It is that a small network stands where otherwise a matrix
# does. And weight decay is worth so much because all else was trained along with a memory that never forgets.

# %% [markdown]
# On text a memory is only one way to know the next byte. So here are the same rows on a task that nothing but a memory can
# do (chapter 06): pairs of a key and a value are told, and after a gap as long as a chunk the keys are asked in another
# order. The pairs are drawn anew for each text, so that weights alone get one answer in 32. That is the control: if the
# column `2 pairs, nothing written` is far above 0.03, something else than a memory knew.

# %% [markdown]
# The error is the share of wrong answers, a mean over texts of 2, 4 and 8 pairs. A part that is worth something here, and
# nothing on text, is a part for holding; one for which it is the other way round helps by some other means.
# `python -m experiments.ablation_recall` makes it again.

# %%
recall = load("ablation_recall")
against_hope(recall, "Table 6 in small, on recall", "ablation_recall")
recall

# %% [markdown]
# *As above: a mark is a seed, and right of 0 is worse than Hope.* The control is quiet: with nothing written all arms are at
# chance. And two rows lie far to the left with every seed. Without a memory that makes keys the error is 0.17 instead of
# 0.40, and without one that makes values 0.12. So on this task modifying itself is a price and not a gain. One can see
# why: a pair is told once, and its key asked for a chunk later. By then the memory that makes keys has been written too,
# and makes another key of the same token.

# %% [markdown]
# The course's own Hope, without momentum and the query's memory, is ahead of the printed one as well, if narrowly (the worst
# of its seeds has 0.34, the best of Hope's 0.36), where on text it is behind by 0.08. So the query's memory looks like a
# trade: a better guess at the next byte, for pairs that are found less surely. About the other rows three seeds say nothing:
# their marks lie on both sides, or their ranges overlap with Hope's.

# %% [markdown]
# ## Does it recall, copy, compress?
#
# MAD is a set of six small synthetic tasks, made to tell layers apart before anybody trains a large model (Poli et al.,
# 2024). Table 4 has five of them, all but noisy recall, and the paper says that Hope "outperforms all the baselines,
# including Transformers".
#
# | task | what a text is, and what is asked |
# |---|---|
# | in-context recall | keys and values in turn; at a key that comes again, its value |
# | noisy recall | the same, with noise in between |
# | fuzzy recall | the same, with keys and values of several tokens |
# | selective copying | tokens among blanks; afterwards the tokens, in order |
# | compression | random tokens; all of them, from the model's last output alone |
# | memorization | keys of one table that never changes: nothing is told, the weights have to know |

# %%
TABLES["4"]

# %% [markdown]
# A score in MAD depends on how long one trains, so that numbers of two harnesses cannot stand in one table. What can be
# compared is the *order* of models that one harness has trained. Ours takes the first setting of each task, models of two
# blocks, width 64, and 100 to 400 steps (`python -m experiments.mad`); `--protocol` runs MAD's own sizes on a larger
# machine. The claim counts as reproduced if no model is above Hope at any task, by its whole range over the seeds, and
# Hope is above all at one or more.

# %% [markdown]
# Two controls stand beside it. Hope begins with a convolution, which shows a value its key, and a Transformer has none; so
# attention behind the same convolution is an arm of its own. And `nothing written` is what is right while no memory writes:
# where that is well above `chance`, the weights knew it, as in memorization they should.

# %%
mad = load("mad")
mad

# %% [markdown]
# Read along a task, and not down a model: two tasks have different chances, and so different zeros. In the two plain kinds
# of recall the convolution decides before any memory does. A Transformer without one, of two blocks and after 300 steps,
# gets 0.29 of the answers right; behind a convolution it gets all, noise or no noise. Titans nearly keep up with it (0.99,
# and 0.965 with noise). Hope does not: without noise its three seeds lie between 0.40 and 0.995, and with noise at 0.27, where the
# plain Transformer is. The paper's order is not reproduced here.

# %% [markdown]
# Why does Hope recall less than Titans, of which it is made? They differ in who makes keys and values, and the section
# before this one took just that away: without a memory for either, the error of its recall was less than half. So both tables
# point at the same part. Neither says what becomes of it with more steps, or at a size at which a wrong key in a hundred is
# made good by the next layer; MAD's own protocol would.

# %% [markdown]
# The other tasks part nobody. In compression and fuzzy recall all stay near chance after so few steps, and at copying the
# best, attention behind a convolution, has 0.28. Memorization is known by all. Look at its control there, though:
# nothing is told in that task, and still linear attention and DeltaNet fall to chance when nothing is written. What their
# weights know has learnt to pass through a memory that a token writes and reads itself. So a silent memory does not prove
# that the memory knew; a memory that is silent and a model that is right prove that it did not.

# %% [markdown]
# ## Can it count?
#
# Recall asks a state to hold; Table 5 asks it to *change*, letter by letter. A model reads a string and gives a label after
# each letter, and the string counts only if all its labels are right. Bin 0 has the lengths of training, bin 1 longer ones.
#
# | language | what the label says |
# |---|---|
# | [parity](glossary.md#parity) | is the number of ones so far even? |
# | $(aa)^*$, $(abab)^*$ | is the length so far a multiple of two, of four? |
# | $a^n b^n$, $a^n b^n c^n$ | which letter may come next? |
# | shuffle-2 | which of two kinds of brackets are still open? |
#
# In print Hope has 100 in every cell, and a Transformer gets under half of the parities at lengths that it was trained on,
# and none at longer ones.

# %%
TABLES["5"]

# %% [markdown]
# Three traps stand around this table. Languages such as $(aa)^*$ have one string per length, so that bin 0 tests what was
# learnt by heart. Bin 1 chose the best epoch in the benchmark that the table follows, and is no test. And the labels of
# $(aa)^*$ and $(abab)^*$ are functions of the position alone: a model whose chunk is a multiple of four can read them off
# its own clock.

# %% [markdown]
# The last trap has a reverse side, which fits in three lines. Read 90 literally: keys, values and answers of a chunk are
# made at the chunk's first state. Then all $a$ of one chunk look the same to the layer, whatever was written before, and
# to the next layer, which gets equal inputs, too. So without a convolution, with $C > 1$, and read as the chunk began,
# $(aa)^*$ is not hard but *impossible*.

# %%
layer = SelfModifyingTitans(16, 2, 5, (4, 4), reads="boundary").double()
layer.convolution.data.copy_(torch.eye(4)[3].expand_as(layer.convolution))  # no look at earlier tokens
a = torch.randn(16, generator=torch.Generator().manual_seed(0), dtype=torch.float64).expand(1, 12, 16)
with torch.no_grad():
    out = layer(a)[0][0]
equal = [torch.allclose(out[t], out[t - 1], rtol=0, atol=1e-12) for t in range(1, 12)]  # but for rounding
print("output t equals output t - 1:", "".join("=" if one else "x" for one in equal))
assert equal == [t % 4 != 0 for t in range(1, 12)]

# %% [markdown]
# An `x` is where a chunk begins. Inside a chunk neighbours get the same output, and every label has to differ from its
# neighbour's. So a 100 in that column needs chunks of one token, a read inside the chunk, or a convolution and the clock.
# The paper does not say which it has.

# %% [markdown]
# Ours says it, arm by arm (`python -m experiments.formal`). *Hope, linear* has matrices, the dot product and reads after the
# token, with which a state can be turned round in chunks of any length; *Hope, MLP* is the layer as it stands (both in
# chapter 09). *Hope, adding* is for the languages in which one has to count. A count is a sum in which every letter weighs
# the same; so nothing is erased there, nothing decays, no budget is shared, and no memory makes its own keys, values or
# rates: what is left is a sum of $\eta\, v\, k^\top$ in a model of several levels.

# %% [markdown]
# Beside them stand an LSTM, a Transformer with and without positions, Titans, and of chapter 06
# [linear attention](glossary.md#linear-attention) and DeltaNet, plain and with negative eigenvalues. Where a clock might
# help, chunks of 15 stand beside 16: who passes $(aa)^*$ with 16 alone has read the clock.

# %% [markdown]
# The rate and the best step of each arm were chosen by bins 0 and 1. So there is a third window, bin 2, of strings that are
# longer still, looked at once. A cell has the three bins in percent, a mean over three seeds.

# %%
from experiments.paper import page
from IPython.display import Markdown

formal = load("formal")
by_arm = {tuple(row["arm"].split(", ", 1)): row["figures"] for row in formal.rows}  # (language, model)
languages, models = (list(dict.fromkeys(names)) for names in zip(*by_arm))


def by_language(cell):
    """A line for each model, a column for each language; a cell says something of the arm's figures."""
    lines = [[model, *(cell(by_arm.get((language, model))) for language in languages)] for model in models]
    return Markdown(page([["", *languages], ["---", *["---:"] * len(languages)], *filter(lambda line: any(line[1:]), lines)]))


def bins(found):
    return "" if found is None else "·".join(str(int(100 * found[f"bin_{n}"])) for n in range(3))  # 100 is every string


by_language(bins)

# %% [markdown]
# The same for the controls: bin 0 as it is while no memory writes, and behind it the most that can be had there by looking at
# one letter at a time. What is well above both was in a memory. (Everything else, each arm's rate, the others tried, the range
# over the seeds, is shown by a cell that says `formal`.)

# %%
def control(found):
    written = found and found["frozen"]
    return "" if written is None else f"{100 * written:.0f}·{100 * found['chance']:.0f}"


by_language(control)

# %% [markdown]
# Begin with bins 0 and 1, as in print. *Hope, linear* has parity, $(aa)^*$ and $(abab)^*$, and *Hope, adding* has the three
# languages that count: so the paper's row comes again, but for two strings of a thousand in one seed at parity, and three
# at shuffle-2. Yet it takes two forms. Longer strings of $a^n b^n$, $a^n b^n c^n$ and shuffle-2 are right in *Hope, linear*
# to 16, 0 and 57 percent: what erases at a key cannot keep a count there. And what only adds cannot turn a state round, as
# linear attention shows at parity. One Hope with 100 in every cell we have not found.

# %% [markdown]
# Is it self-modification that does it? The control is DeltaNet with negative eigenvalues, whose keys and values are plain. It
# too has $(aa)^*$, $(abab)^*$ and nearly all of parity, and it too fails to count. DeltaNet as it is gets next to nothing
# beyond the lengths of training. So what turns a state round is the sign, whoever makes the keys. And the only one without
# a mistake at $a^n b^n$ in all three bins is linear attention, which has nothing but a sum.

# %% [markdown]
# Is it the clock? *Hope, MLP*, read as its chunk began, has of bin 0 exactly what it has while nothing is written, and
# nothing longer: a few strings by heart. With chunks of 15, *Hope, linear* is as good at $(abab)^*$ as with 16. At $(aa)^*$
# two seeds are, and the third has 85 percent in bin 1 and nothing in bin 2. So the clock is not needed. That it never helps
# one cannot say.

# %% [markdown]
# Last bin 2, by which nothing was chosen. "Perfect" is a smaller word there. At $a^n b^n$ the LSTM falls to 64, a
# Transformer without positions to 85, and *Hope, adding* to 41, one seed with all, one with none. All three had every string
# up to twice the length of training. To be right up to 80 is not yet to count, and the printed table cannot tell the two
# apart.

# %% [markdown]
# ## Does it find a needle?
#
# Table 1 hides needles, such as "One of the special magic numbers for this key is: 1234567", in up to 16,000 tokens of text,
# and asks for them at the end. In S-NIAH there is one needle: a number in idle sentences (1), a number in essays (2), a long
# code in essays (3). In RULER, from which all come, MK hides four keys and asks for one, MQ asks for all four, and MV gives
# one key four values. Here is what the table has on Hope and on the three that belong beside it.

# %%
Markdown(TABLES["1"].markdown(["Transformer", "Hope-Attention", "Titans", "Hope"]))

# %% [markdown]
# Hope is level with Titans or above it in sixteen of the eighteen cells, and Hope-Attention above the Transformer in eleven.
# The text claims more than that, as the list of claims below says.

# %% [markdown]
# Ours is S-NIAH-2 in RULER's own words, but of bytes and short: models of 0.1 million parameters learn to answer in texts of
# 448 bytes, and then get texts of once, twice and four times that length (`python -m experiments.needles`). So the question is
# what a memory makes of a length that it has never met. The control is a sliding
# [window](glossary.md#window), which cannot know what lies farther back than its blocks together reach; and
# `nothing written`, as before. Since it is not the paper's test, no number of ours
# stands in a row with theirs.

# %%
needles = load("needles")
needles

# %% [markdown]
# A sample is found if all seven digits of its number are right; a single digit is guessed once in ten. In 400 steps only
# attention behind a convolution learns to find some at the length of training, and at twice that length it finds next to
# none. Titans learn most digits in one seed; in the second they diverge, and in the third they guess. Hope gets one digit in
# nine at every rate that was tried, hardly more than the window that cannot see.

# %% [markdown]
# So the question, what a memory makes of a length that it never met, is not answered here: first the task has to be learnt,
# and at this size Hope has not learnt it.

# %% [markdown]
# ## What became of each claim?
#
# Every claim on these tables, what the paper's own numbers say of it, what we ran, and what came of it. The status is
# computed when the cell runs, and never typed. A claim is *wrong in print* where the paper's own numbers say something
# else, and *untestable at this scale* where no command of ours bears on it. It is *open* while its command has not run to
# its end, and then *reproduced* or *not reproduced*; one model is better than another only if its whole range over the
# seeds is.

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
        output = learner(batch)
        F.cross_entropy(output.logits[:, :-1].mT, batch[:, 1:]).backward()
        reports = by_level.step(step)[1]
    for name, (period, memories) in MEMORIES.items():
        its = output.reports["block-0"]
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
# *A notch is an update; brightness is its size, as a share of what it changes.* Who writes? Above, the memories themselves,
# by Delta Gradient Descent on values of their own making; below, AdamW. Into what? Above, into the state that a text
# carries; below, into weights. How often? Four times and twice in a text of 33 tokens; every step, every second, every
# fourth. From which [context](glossary.md#context-flow)? The text so far; and batches.

# %% [markdown]
# And to whom is knowledge handed? The slow part hands the fast one its starts, which chapter 07 called
# [initialisation](glossary.md#transfer-by-initialisation). The projections hand the main memory its keys, values and
# rates, which is [generation](glossary.md#transfer-by-generation). And back down goes nothing but the gradient, through
# every write. What the upper rows knew is gone when the text ends.

# %% [markdown]
# ## Summary
#
# 1. Hope is a memory that modifies itself, then a chain of links with periods; forty lines equal `nlcore`.
# 2. Read as the chunk began, a token is shown at once by the convolution, and by the memory after its chunk.
# 3. In the trained model the main memory holds something of the text just read, but no names; that of another language is
#    worse than none.
# 4. NaN comes from steps too long for their keys, and from values that grow; each guard stands against one such way.
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
# `"sound"`. Each of the faults is easily made, and none raises an error. Name them.

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
two_texts = torch.randn(2, 12, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
for name, suspect in SUSPECTS.items():
    print(name, "gives outputs of size", tuple(suspect(two_texts).shape))
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
# beginning of lines, and little punctuation in a row.
#
# </details>
#
# <details><summary>Solution</summary>
#
# For example `"|---|---|" * 120`, the rule of a table: 0.4 bits. But much of what looks hostile even helps: 512 times `0,`
# does, and so does a row of spaces. Being written at all seems to be worth something to this model, which was never
# trained with silent memories.
#
# </details>

# %%
yours = "The quick brown fox jumps over the lazy dog. " * 23
print("bits per byte of harm:", harm(yours))
print(check_harm(yours))

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
