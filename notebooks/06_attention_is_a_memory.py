# %% [markdown]
# # 06 · Attention is a memory too, and the family it belongs to
#
# **After this notebook** you can say what linear attention, the delta rule, Oja, Omega and softmax attention each hold
# of a text; derive the first as gradient descent and the last as an average; count what a byte of state is worth; and
# tell from one number whether a memory can count.
#
# **You need** chapters 00 and 01, and of 05 the sections up to "Where does it settle?". **Time:** 60 minutes, exercises apart; all cells
# together take about half a minute on a laptop.

# %% [markdown]
# The chapter follows sections 3.1 and 5 of *Nested Learning: The Illusion of Deep Learning Architectures* (Behrouz,
# Razaviyayn, Zhong, Mirrokni, 2025; long version, [arXiv 2512.24695](https://arxiv.org/abs/2512.24695)).

# %% [markdown]
# ## What becomes of a fact that is corrected?
#
# Chapters 02 to 05 lived in the slow part of the [nest](glossary.md#nested-system), where weights change once per
# training step. This chapter moves into its fast part: inside one forward pass, while a text is read, something changes
# with **every token**. That something is a [memory](glossary.md#memory), and the layers of the last ten years differ in
# which memory it is.
#
# A good way to tell memories apart is to correct them. Below, seven of them, and one [control](glossary.md#control),
# read sixteen statements of who is where. Ann moves halfway; and near the end Mia joins Dan, so that one place has two
# guests.

# %% [markdown]
# A statement is a token: the name is its [key](glossary.md#key), the place its value, both random vectors of length
# one. A column is a memory, and red says how well it [recalls](glossary.md#recall) a statement once all have been read.
# *Sum* is [linear attention](glossary.md#linear-attention), *[decay](glossary.md#decay)* fades it, *gated* is a
# [delta rule](glossary.md#delta-rule) that fades; chapter 01 met *delta*, *[Oja](glossary.md#oja-rule)* and
# *[Omega](glossary.md#omega-rule)*. *[Window](glossary.md#window)* is [attention](glossary.md#attention) over the
# newest pairs, as many as have the bytes of one matrix.

# %%
from nlcore.viz.explorers.seven_memories import seven_memories

seven_memories().predict("06-corrected")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Left, recall of each statement at width 24, mean of 32 draws; right, what the answer to "Ann" is made of.* The sum
# answers with both places, and with noise of everybody else. Delta answers with the new one, and with less noise.
# Attention answers with half of each and no noise at all, because it keeps all pairs and hardly looks at keys that are
# unlike the query; its window forgets whoever came before the last twelve. Oja has forgotten Dan, and knows only Mia in Cairo.
#
# </details>

# %% [markdown]
# Do not read it as a race: the sum recalls Ben better than delta does, since nothing ever erases him. Each memory is
# good at what its rule asks for, and this chapter takes the rules one by one.
#
# | letter | here | elsewhere in the paper |
# |---|---|---|
# | $\mathcal{M}$ | the matrix that changes with every token | in 62 and 63 also one answer; we write that $m$ |
# | $T$ | how many tokens there are | $L$, which is also the loss; here $L$ is a mask |
# | $m$ | an answer (62); at the end, a state of one number | |
# | $\mathrm{s}(k, q)$, $s$ | how alike two vectors are; upright $\mathrm{s}$ is a function, $s$ an index of tokens | |
# | $c$ | the window's length | |
# | $\tau$ | attention's bandwidth | inside $\mathrm{s}$, unnamed |
# | $\mu$ | what a write multiplies a state by | |

# %% [markdown]
# ## Three tokens for the whole chapter
#
# We want numbers that fit on paper. So the world is a round island of radius one, and a place on it is two numbers:
# $(1, 0)$ is its east coast and $(0, 1)$ its north. Ann is in the east; Ben is in the north-east, at $(0.6, 0.8)$; then
# Ann is in the north.
#
# The names are keys, and they resemble each other: $k_\text{Ann} = (1, 0)$ and $k_\text{Ben} = (0.6, 0.8)$, whose
# product is 0.6. What does each memory say of Ann?

# %%
import torch
from nlcore.memory import L2, AssociativeMemory, Decay, DotProduct, GradientDescent, Linear, Oja, Omega, Rates

torch.set_printoptions(precision=3, sci_mode=False)
double = torch.float64
k = torch.tensor([[1.0, 0.0], [0.6, 0.8], [1.0, 0.0]], dtype=double)  # Ann, Ben, Ann
v = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], dtype=double)  # east, north-east, north
ann, ben = k[0], k[1]


def learn(objective, rule, k, v, eta=1.0, alpha=1.0, start=None):
    """The matrix after the pairs were written in turn."""
    memory = AssociativeMemory(Linear(2, 2), objective, rule, Decay())
    start = torch.zeros(2, 2, dtype=double) if start is None else start
    state = memory.start((), (start,))
    for key, value in zip(k, v):
        rates = Rates(torch.tensor(eta, dtype=double), torch.tensor(alpha, dtype=double))
        state, report = memory.write(state, key, value, rates)
    return state.memory[0]


def place(x):
    """A vector of few numbers, in words."""
    return "(" + ", ".join(f"{a + 0.0:.2f}" for a in x.tolist()) + ")"


# %%
descent = GradientDescent()
says = {
    "sum": learn(DotProduct(), descent, k, v) @ ann,
    "decay": learn(DotProduct(), descent, k, v, alpha=0.5) @ ann,
    "delta": learn(L2(), descent, k, v) @ ann,
    "gated": learn(L2(), descent, k, v, alpha=0.5) @ ann,
    "Oja": learn(DotProduct(), Oja(), k, v) @ ann,
    "Omega": learn(L2(), Omega((1.0, 1.0)), k, v) @ ann,
    "attention": torch.softmax(k @ ann / 0.05, 0) @ v,
}
for name, answer in says.items():
    print(f"{name:10} Ann is at {place(answer)}")

# %% [markdown]
# Check two by hand. The sum adds the three values, each as loudly as its key is like Ann's:
# $(1, 0) + 0.6 \cdot (0.6, 0.8) + (0, 1) = (1.36, 1.48)$. Delta stands after two tokens at
# $\begin{pmatrix} 1 & 0 \\ 0.48 & 0.64 \end{pmatrix}$ and says of Ann $(1,\ 0.48)$; what is wrong with that is
# $(-1,\ 0.52)$, and written under $(1, 0)$ it changes the first column alone, to $(0, 1)$: the new place, exactly.

# %%
import matplotlib.pyplot as plt
from nlcore.viz.family import LOOKS
from nlcore.viz.show import show
from nlcore.viz.theme import GREY, tidy

figure, axes = plt.subplots(figsize=(5.6, 5.2), layout="constrained")
axes.add_patch(plt.Circle((0, 0), 1, fill=False, color=GREY, linewidth=1))
for (x, y), words in zip(v.tolist(), ("Ann, first", "Ben", "Ann, now")):
    axes.plot(x, y, "o", markersize=16, markerfacecolor="none", markeredgecolor=GREY)
    axes.annotate(words, (x, y), (0, 13), textcoords="offset points", color=GREY, ha="center", fontsize=9)
for name, answer in says.items():
    size = 13 if name == "delta" else 8  # Omega gives the same answer here, and lies on it
    axes.plot(*answer, LOOKS[name].marker, color=LOOKS[name].colour, markersize=size, label=name, linestyle="none")
axes.set(xlim=(-0.5, 1.8), ylim=(-0.25, 1.8), aspect="equal")
tidy(axes, "Where each memory says that Ann is", "east (radius of the island)", "north (radius of the island)")
axes.legend(frameon=False, loc="lower right", fontsize=9)
show(figure, alt="A map of a round island. Delta and Omega say that Ann is where she is now, on the north coast; attention "
     "says halfway between her old place and her new one; the sum puts her far outside the island, Oja at (1, 1), decay north-east "
     "of the north coast, and the gated delta rule inside the island, a little south-west of her.")

# %% [markdown]
# *What each memory answers to "Ann".* Only delta and Omega give her new place. The sum puts her farthest into the sea,
# because it adds where it should choose, and decay, which lets what it has added fade, not quite so far. The gated delta
# rule finds her, but half of her has faded. Attention puts her where nobody ever was, because it averages. Oja, at
# $(1, 1)$, took nothing from Ann, and we shall see from whom it takes.

# %% [markdown]
# ## Where in the nest does this happen?
#
# Nothing above was trained, and yet something learnt. To see which [level](glossary.md#level) it belongs to, look at a
# whole layer. It makes keys, values and queries from its input, by three matrices, its
# [projections](glossary.md#projection) (eq. 14), and then writes and reads (15, 16):
#
# $$k_t = W_k x_t, \quad v_t = W_v x_t, \quad q_t = W_q x_t \qquad \mathcal{M}_t = \mathcal{M}_{t-1} + v_t k_t^\top \qquad y_t = \mathcal{M}_t\, q_t$$

# %% [markdown]
# The three $W$ change once per *training step*, by gradient descent. $\mathcal{M}$ changes once per *token*, and starts
# anew with each text. Two [frequencies](glossary.md#frequency), so two levels: the fast one lives inside one step of
# the slow one.
#
# (Eq. 61 prints the same projections as $x_t W_k$, a row times a matrix. Both conventions are sound; we keep columns.)

# %% [markdown]
# The paper adds a remark that is easy to misread: the outer level has "no gradient with respect to parameter
# $\mathcal{M}$", and the inner one "no backpropagation through projection layers". So each level has parameters of its
# own, and trains no others. But the training gradient still *passes* through all the writes on its way to $W_k$, and
# that is how $W_k$ learns which keys are worth writing.

# %%
draw = torch.Generator().manual_seed(0)
W_k, W_v, W_q = (torch.randn(2, 2, generator=draw, dtype=double, requires_grad=True) for _ in range(3))
x = torch.randn(3, 2, generator=draw, dtype=double)
M, changes = torch.zeros(2, 2, dtype=double), []
for x_t in x:  # the inner level: three tokens, three changes
    before = M
    M = M + torch.outer(W_v @ x_t, W_k @ x_t)
    changes.append((M - before).norm().item())
loss = (M @ W_q @ x[-1] - x[0]).square().sum()
loss.backward()  # the outer level: one text, one gradient
assert torch.allclose(x @ W_k.T, torch.stack([W_k @ x_t for x_t in x]))  # rows of 61, columns of 14
print("changes of M, one per token:  ", [round(change, 2) for change in changes])
print("gradient of W_k, one per text:", [round(g, 2) for g in W_k.grad.flatten().tolist()])

# %% [markdown]
# ## Is linear attention learning?
#
# Writing "$+\, v k^\top$" looks like bookkeeping. Why call it [learning](glossary.md#learning)? Because it is a step of
# gradient descent. Take the loss $\tilde{\mathcal{L}} = -\langle \mathcal{M} k_t, v_t \rangle$, small when the answer
# points along the value. Its gradient is $-v_t k_t^\top$, whatever $\mathcal{M}$ is, so that a step of
# [rate](glossary.md#rate) 1 adds $v_t k_t^\top$. The paper writes it as a [proximal step](glossary.md#proximal-step),
# the answer to a small problem: agree with the new pair and stay near (eq. 17 and 18):
#
# $$\mathcal{M}_{t+1} = \arg\min_{\mathcal{M}} -\langle \mathcal{M} k_{t+1}, v_{t+1} \rangle + \tfrac{1}{2} \lVert \mathcal{M} - \mathcal{M}_t \rVert_2^2
#   \;\Rightarrow\; \mathcal{M}_{t+1} = \mathcal{M}_t + v_{t+1} k_{t+1}^\top$$

# %% [markdown]
# The cell solves that problem numerically, token by token, without being told the answer.

# %%
from nlcore.memory import proximal_step

M = torch.zeros(2, 2, dtype=double)
for key, value in zip(k, v):
    written = M + torch.outer(value, key)  # eq. 15 and 18
    asked = proximal_step(lambda m: -(m @ key) @ value, M, eta=1.0)  # eq. 17, solved
    assert torch.allclose(written, asked, atol=1e-12)
    M = written
without_half = proximal_step(lambda m: -(m @ key) @ value, M, eta=0.5)  # the same problem without the 1/2
assert torch.allclose(without_half, M + torch.outer(value, key) / 2, atol=1e-12)
print("after three tokens\n", M.numpy())

# %% [markdown]
# The half in 17 matters: with $\lVert \mathcal{M} - \mathcal{M}_t \rVert^2$ alone, the answer would be half a step, as
# the second assertion says. The paper prints the half, and so 17 gives exactly 18. (64 and 65 leave such factors of two
# to the rate, as we shall see.)
#
# So a linear Transformer that reads is an optimizer that trains: its data are the pairs, its weights are $\mathcal{M}$,
# which the field calls [fast weights](glossary.md#fast-weights), and it takes one step per token. All that the earlier
# chapters found out about steps applies.

# %% [markdown]
# ## What is read before the write, and what after?
#
# Eq. 16 reads $\mathcal{M}_t$: a token is answered *after* its own pair was written. Some layers read
# $\mathcal{M}_{t-1}$. Does the order matter? Ask each memory for Ann at the third token, just before her correction is
# written and just after.

# %%
for name, objective in {"sum": DotProduct(), "delta": L2()}.items():
    before, after = (learn(objective, descent, k[:n], v[:n]) @ ann for n in (2, 3))
    print(f"{name:6} before {place(before)}, after {place(after)}; the surprise is {place(v[2] - before)}")
assert torch.allclose(learn(L2(), descent, k, v) @ ann, v[2])

# %% [markdown]
# Before the write you hear what the past predicts; after it, with the delta rule at rate 1, you hear the token itself.
# What the answer was off by before the write, $v_t - \mathcal{M}_{t-1} k_t = (-1,\ 0.52)$, is the
# **[surprise](glossary.md#surprise)**, and it is all that delta writes. A layer that reads after the write with
# $q_t = k_t$ therefore hears little new, whereas one that reads before it can compare. Chapter 09 meets this choice
# again.

# %% [markdown]
# ## Does anything learn at test time?
#
# Everybody who meets such a layer asks this first. The cleanest test is to switch the inner rate off, and to leave all
# else as it is: the same keys, the same values, $\eta = 0$.

# %%
for eta in (0.0, 0.5, 1.0):
    M = learn(L2(), descent, k, v, eta=eta)
    print(f"eta {eta}: Ann at {place(M @ ann)}, off by {(M @ ann - v[2]).norm():.2f}")
assert not learn(L2(), descent, k, v, eta=0.0).any()

# %% [markdown]
# With $\eta = 0$ the memory stays where it started, at zero, and is [silent](glossary.md#silence); with $\eta = 0.5$ it
# goes half of the way at each write. Half of the way by hand: before the correction Ann is at $(0.59,\ 0.24)$, and half
# of the error $(-0.59,\ 0.76)$ brings her to $(0.295,\ 0.62)$, which is printed as 0.29. So yes: what differs between
# these lines was learnt while reading.

# %% [markdown]
# ## Can all tokens be read at once?
#
# A loop over tokens is slow on a machine that likes large products. For the sum it can be written out (chapter 01 did
# so with decay): $y_t = \sum_{s \le t} (k_s \cdot q_t)\, v_s$, and for all tokens together, rows being tokens,
#
# $$Y = \left( Q K^\top \odot L \right) V \qquad L_{ts} = 1 \text{ if } s \le t, \text{ else } 0$$
#
# where $\odot$ multiplies entry by entry. This is attention without its softmax: the weights are plain products, and
# the mask $L$ keeps the future out.

# %%
scores = (k @ k.T).tril()  # here the queries are the keys
at_once = scores @ v
one_by_one = torch.stack([learn(DotProduct(), descent, k[: t + 1], v[: t + 1]) @ k[t] for t in range(3)])
assert torch.allclose(at_once, one_by_one, atol=1e-12)
print(scores.numpy(), "\nanswers at once\n", at_once.numpy())

# %% [markdown]
# The last row, $(1,\ 0.6,\ 1)$, is how loudly Ann's query hears each token: her old place as loudly as her new one. The
# product costs $T^2 d$ multiplications where the loop costs $T d^2$, so that long texts are cut in
# [chunks](glossary.md#chunk): products inside, a loop between.
#
# Delta writes depend on each other, and yet they too can be made a chunk at a time, at the price of one small
# triangular system (Yang et al., 2024; `nlcore/ops/delta_rule` derives it). Are the answers still the same?

# %%
from nlcore.ops.delta_rule import delta_rule_chunked, delta_rule_naive

draw = torch.Generator().manual_seed(0)
keys, values, queries = torch.randn(3, 100, 8, generator=draw, dtype=double)
keys = torch.nn.functional.normalize(keys, dim=-1)
rates = torch.rand(100, generator=draw, dtype=double)
log_alpha = torch.rand(100, generator=draw, dtype=double).clamp(min=0.5).log()
told = (keys, -values, rates, log_alpha, torch.zeros(8, 8, dtype=double))  # the error is M k - v, and the op makes M k
slow, M_slow, _ = delta_rule_naive(*told, q=queries)
fast, M_fast, _ = delta_rule_chunked(*told, q=queries, chunk=16)
assert torch.allclose(slow, fast, atol=1e-10) and torch.allclose(M_slow, M_fast, atol=1e-10)
print(f"100 tokens, chunks of 16: answers differ by at most {(slow - fast).abs().max():.0e}")

# %% [markdown]
# ## What if nothing is compressed?
#
# All matrices here share a weakness: three tokens or three million, they have the same few numbers. Attention keeps the
# pairs. Is it then still a memory that *learns*? The paper's answer is a classical one (eq. 62): at a query $q$, look
# for the one answer $m$ that is nearest to all values, where a value counts the more, the more its key is like the
# query:
#
# $$m^{*} = \arg\min_m \sum_{i} \mathrm{s}(k_i, q)\, \lVert v_i - m \rVert_2^2 = \sum_i \frac{\mathrm{s}(k_i, q)}{\sum_j \mathrm{s}(k_j, q)}\, v_i
#   \qquad \mathrm{s}(k, q) = \exp\!\left( k \cdot q / \tau \right)$$

# %% [markdown]
# Why is it so? The gradient in $m$ is $2 \sum_i \mathrm{s}(k_i, q)\,(m - v_i)$, and it vanishes where
# $m \sum_i \mathrm{s} = \sum_i \mathrm{s}\, v_i$. That is a weighted mean, found by Nadaraya and by Watson in 1964, and
# with this $\mathrm{s}$ it is softmax attention. There are no weights that a step could change: the problem is solved
# anew, and exactly, at each query. Hence *[non-parametric](glossary.md#non-parametric)*.
#
# For Ann with $\tau = 0.2$: her two pairs weigh the same, and Ben's weighs $e^{-0.4 / 0.2} = e^{-2} = 0.135$ of either,
# because his key's product with the query is lower by 0.4.

# %%
import torch.nn.functional as F
from nlcore.viz.family import attend

tau = 0.2
s = torch.exp(k @ ann / tau)
m = (s[:, None] * v).sum(0) / s.sum()  # eq. 62
assert torch.allclose(m, attend(ann[None], k, v, tau)[0], atol=1e-12)
assert torch.allclose(m, F.scaled_dot_product_attention(ann[None], k, v, scale=1 / tau)[0], atol=1e-12)
print("weights", place(s / s.sum()), " answer", place(m))

draw = torch.Generator().manual_seed(0)
loss = lambda m: (s * (v - m).square().sum(-1)).sum()
worse = [(loss(m + 0.1 * torch.randn(2, generator=draw, dtype=double)) - loss(m)).item() for _ in range(1000)]
assert min(worse) > 0
print(f"1,000 perturbed answers: the best has a loss higher by {min(worse):.1e}, none a lower one")

# %% [markdown]
# The **bandwidth** $\tau$ says how alike is alike. In a Transformer it is $\sqrt{d}$, where $d$ is the number of entries
# of a key; but trained keys may be long or short, which narrows or widens it at will. Below, keys of length one lie on
# half a circle; the values follow a sine, and carry noise.

# %%
from nlcore.viz.explorers.bandwidth import bandwidth

bandwidth().predict("06-wide")

# %% [markdown]
# *Attention at a bandwidth of 0.03; each pair is drawn as large as its weight at the query.* The curve follows the
# sine, the *rule* in the legend, and not each point, because neighbours' noise averages out; only in the gap near the end,
# where no key is near, does it miss. Too narrow, and it repeats
# the nearest value, noise included; too wide, and it says the same to everybody. It is chapter 01's question, learn or
# memorise, in another dress. On the right stands the problem of 62 itself: whatever you move, the least point of that
# parabola is attention's answer.

# %%
from nlcore.viz.explorers.bandwidth import BANDWIDTHS, compute

off = {tau: compute(tau, 60).off for tau in BANDWIDTHS}
print("\n".join(f"tau {tau:<6g} off the rule by {error:.2f}" for tau, error in off.items()))
best = min(off, key=off.get)
assert best not in (BANDWIDTHS[0], BANDWIDTHS[-1])

# %% [markdown]
# ## What if only the newest pairs count?
#
# Keeping everything costs what the text is long. The cheapest way out is to forget by age: only the last $c$ tokens
# (eq. 63). It is sliding-window attention. With $c = 2$ our third token sees Ben and Ann's new place, and the
# correction comes for free, because the old fact has left the room.

# %% [markdown]
# **Erratum, eq. 63.** The long version prints
#
# $$\mathcal{M}^{*} = \arg\min_{\mathcal{M}} \sum_{i=t-c+1}^{t} \mathrm{s}(k_i, q_i)\, \lVert v_i - \mathcal{M} \rVert_2^2
#   = \sum_{i=t-c+1}^{t} \frac{\mathrm{s}(k_i, q)}{\sum_{j=t-c+1}^{t} \mathrm{s}(k_j, q)}\, v_i$$
#
# with $q_i$ on the left and $q$ on the right. Only $q$ can be meant: with $q_i$ every pair is weighed by its own query,
# and the answer no longer depends on what is asked.

# %%
def averaged(weights, values):
    return (weights[:, None] * values).sum(0) / weights.sum()


for name, asked in {"Ann": ann, "Ben": ben}.items():
    seen = slice(1, 3)  # c = 2, at the third token
    printed = averaged(torch.exp((k[seen] * k[seen]).sum(-1) / tau), v[seen])  # q_i = k_i here
    meant = averaged(torch.exp(k[seen] @ asked / tau), v[seen])
    print(f"asked for {name}: with q_i {place(printed)}, with q {place(meant)}")

# %% [markdown]
# ## What is a byte worth?
#
# Here is the control that could kill the whole family. A matrix has $d^2$ numbers, a pair $2d$. So a matrix of width
# $d$ has the bytes of $d/2$ pairs, and whoever compresses must beat the dumbest rival of all: **the last $d/2$ pairs,
# kept as they are**.
#
# Below, random pairs are written once, to four matrices and to a window of the same bytes. Each rule has its own best
# rate of nine, at each number of pairs. (Nothing is corrected here, so a [retention](glossary.md#retention) below 1
# gains next to nothing, and decay and gated drop out.)

# %%
from nlcore.viz.explorers.same_bytes import same_bytes

same_bytes().predict("06-bytes")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Pairs recalled at width 16, mean of eight streams with 95% intervals.* If the right value need only be the nearest of
# all, as when a language model picks a word, a matrix names up to twenty pairs and the window eight. If the answer
# itself must be right within a tenth, the window has eight, delta and Omega one or two, the sum and Oja hardly any.
#
# </details>

# %% [markdown]
# So the claim lives, with a condition: a matrix pays where a blurred answer is good enough to choose by. And look at
# the four rules on the left. They read the same streams, so that they can be compared stream by stream, and up to one and
# a half times the width they tie; beyond it the sum names two to four pairs fewer than delta. For random pairs that come
# once and never change, **it hardly matters how you write**. What sets rules apart is correction, as in the first picture.
# The gain over the window grows with the width, as the cell counts.

# %%
from nlcore.viz.explorers.same_bytes import EXACT, NEAREST, RULES, compute as same

for width in (8, 16, 32):
    found = same(width)
    row = ", ".join(f"{rule} {found.pairs[NEAREST][rule].max():.0f}" for rule in RULES)
    exact = max(found.pairs[EXACT][rule].max() for rule in RULES)
    print(f"width {width:2}: window {width // 2:2}; named: {row}; within a tenth: {exact:.1f}")
    assert min(found.pairs[NEAREST][rule].max() for rule in RULES) > 1.5 * (width // 2) and exact < width // 2
print("rates of delta, few pairs to many:", same(32).eta[NEAREST]["delta"].tolist())

# %% [markdown]
# At small loads many rates are equally good, and the smallest is shown; a tiny rate makes delta a sum, because nothing
# is there yet that it could correct. In a layer that is *trained*, the keys are learnt as
# well, which is the next question.

# %% [markdown]
# ## How many pairs does a trained layer hold?
#
# Random keys were nobody's choice. In a layer, training chooses them, and it might choose keys under which the rules
# come apart sooner. So we ask the same question again, at equal bytes, of layers that are trained for nothing but recall.

# %% [markdown]
# The task is *multi-query recall* (Arora et al., 2023). A text is so many pairs, each a key and then its value, drawn
# anew from 64 keys and 64 values. Then the keys come once more, in another order; at each the model must name the
# value, and then it is shown. A blind guess is right once in 64. Somebody who knows which values came, but not with whom,
# is right about once in as many tries as there are pairs.

# %% [markdown]
# One detail decides whether this can be learnt at all. A pair is two tokens, but a memory writes one token at a time.
# So a *[short convolution](glossary.md#short-convolution)* stands before each memory: it mixes into every token
# something of the three before it, and the token of a value then knows its key. Attention gets the same convolution
# here, so that no *arm*, as the compared models are called, lacks it.

# %% [markdown]
# Each arm is one block of width 64, trained for 1,200 steps with three seeds, at a rate of its own, which was tuned at 32
# pairs with the first seed. The large states are two matrices of 32 by 32, the small ones four of 16 by 16, and the window
# keeps as many tokens as have their bytes. Bytes are counted on the state as the layer hands it on: besides the matrices,
# 0.8 kB hold three tokens of the convolution; linear attention has one more row, and Omega its window.
#
# In our words, RetNet is *decay*, DeltaNet is *delta*, and Gated DeltaNet is *gated*.

# %% [markdown]
# The memory of *[Titans](glossary.md#titans)* is a small network (chapter 09). Besides it, the layer hands on that
# network's [momentum](glossary.md#momentum), and a copy from the start of the chunk. At equal bytes this leaves 3 and 5
# hidden units, with which one of the small one's seeds diverged; and so it runs once more with 32 of them, and six
# times the bytes.

# %% [markdown]
# The control is *DeltaNet without erasing*, which is our *sum*. It is DeltaNet to the last parameter, keys of length
# one included, but its [objective](glossary.md#objective) is linear attention's, so that a write only adds. Whatever
# differs between these two is due to erasing.

# %%
import numpy as np
from experiments.experiment import load

mqar = load("mqar")
loads = mqar.runs[0]["configuration"]["held_out"]["loads"]
recall, kilobytes = {}, {}
for row in mqar.rows:
    name, runs = row["arm"], [run for run in mqar.runs if (run["arm"], run["rate"]) == (row["arm"], row["rate"])]
    whole = [run["figures"] for run in runs if run["figures"]["error"] is not None]  # the others diverged
    if whole:
        recall[name] = np.array([figures["recall"] for figures in whole])  # (seeds, loads)
        kilobytes[name] = whole[0]["kilobytes"]
        shares = "  ".join(f"{share:.3f}" for share in recall[name].mean(0))
        print(f"{name:31}{kilobytes[name]:5.1f} kB   {shares}", "" if len(whole) == 3 else "  (2 of 3 seeds)")
print(f"recall of {', '.join(map(str, loads))} pairs; chance is {1 / 64:.3f}")

# %%
from nlcore.viz.theme import GREYS, Look

drawn = {
    "linear attention": Look(GREYS[0], "dashed", "o"), "RetNet": LOOKS["decay"], "DeltaNet": LOOKS["delta"], "Gated DeltaNet": LOOKS["gated"],
    "Oja": LOOKS["Oja"], "Omega": LOOKS["Omega"], "attention": LOOKS["attention"], "window": LOOKS["window"],
    "DeltaNet without erasing": LOOKS["sum"], "Titans": Look(GREYS[1], "dashdot", "*"),
}  # fmt: skip


def bars(seeds):
    """How far below the mean the lowest seed is, and how far above it the highest."""
    return np.abs(np.stack([seeds.min(0), seeds.max(0)]) - seeds.mean(0))


# %%
figure, axes = plt.subplots(figsize=(9, 4.4), layout="constrained")
for name, look in drawn.items():
    for arm in recall:
        if arm.split(",")[0] == name and not arm.endswith(("small", "bytes")):
            axes.errorbar(loads, recall[arm].mean(0), bars(recall[arm]), label=name, **look.line())
axes.plot(loads, 1 / np.array(loads), color=GREY, linewidth=0.8, linestyle="dotted")
axes.set_xscale("log", base=2)
axes.set_xticks(loads, loads)
tidy(axes, "States of about 9 kB, and attention with 66 kB", "pairs in a text", "share of values named")
figure.legend(frameon=False, loc="outside right center", fontsize=9)
show(figure, name="recall_in_equal_bytes",
     alt="The share of values named against the pairs in a text, for states of about 9 kB and for attention, which stays at 1. "
     "Linear attention falls latest, to 0.76 at 64 pairs; Oja, Omega, DeltaNet and Gated DeltaNet hold until 16 pairs and then "
     "fall steeply; DeltaNet without erasing falls earlier and less steeply; RetNet and Titans are low throughout, and the window "
     "is down to 0.15 at 16.")

# %% [markdown]
# *Means over the seeds, with bars from the lowest to the highest; the thin line at the bottom is a guess among the values
# seen.* Attention names nearly everything, and pays with bytes for every token. The window names what it still holds, and
# that is little: a pair takes two tokens of it, and each question pushes two more out.
#
# And what is a byte worth? Here each memory stands with all its sizes.

# %%
from nlcore.viz.chart import Explorer, Line, Plot
from nlcore.viz.controls import stops


def at_load(pairs):
    """Of each memory its sizes' bytes, and the recall of so many pairs."""
    by = {name: [] for name in drawn}
    for arm, seeds in recall.items():
        by[arm.split(",")[0]].append((kilobytes[arm], seeds[:, loads.index(pairs)].mean()))
    return pairs, {name: np.array(sorted(sizes)).T for name, sizes in by.items()}


def by_bytes(found):
    pairs, sizes = found
    lines = tuple(Line(name, *both, drawn[name], style="both") for name, both in sizes.items())
    return (Plot(f"{pairs} pairs in a text", "state (kB)", "share of values named", lines, x_range=(4, 80), y_range=(0, 1.05),
                 x_log=True, x_ticks={5: "5", 10: "10", 20: "20", 50: "50"}, references={1 / pairs: "a guess"}),)


# %%
Explorer(
    at_load, {"pairs": stops("Pairs in a text", 32, loads)}, by_bytes, name="recall_by_bytes",
    alt="The share of 32 values named against the bytes of the state, from 5 to 66 kB. Most rules gain from twice the bytes; "
    "linear attention and RetNet lose; Titans rises from almost nothing to 0.97 at 50 kB; attention is at 1 with 66.",
    try_this="Go down to 4 pairs, and up to 64. At which load do bytes begin to part the rules? Which memory needs them most?",
)  # fmt: skip

# %% [markdown]
# *Texts of 32 pairs, means over the seeds.* Twice the bytes help most rules, but not all.

# %% [markdown]
# The rules no longer tie, but look who wins. Of all that have these bytes, **linear attention names most**: 92% of 32
# pairs (90 to 95% over the seeds), and then Oja with 82%, while DeltaNet names 71% (53 to 82%). But this is not the bare
# sum of our first sections. Its keys are made positive, its answers are divided by the sum of their weights, and it
# always writes at rate 1. A bare sum is the control, and names 74%. Which of the three helps, the run does not say.

# %% [markdown]
# What does erasing do? With the large state and 16 pairs, DeltaNet is ahead of the control with every seed, 98% against
# 93%, since a clean write leaves less noise. At 64 pairs it is behind with every seed. A likely cause is that 64 keys
# leave no free direction in 32, so that what one write adds it takes from others. Yet with the small state erasing costs
# at every load, even at 4 pairs (98.4% against 99.8%), and why, the run does not say.

# %% [markdown]
# So on pairs that never change, erasing paid only in the large state, up to 16 pairs. Do not read it as a verdict: where
# facts are corrected, the first picture of this chapter speaks, and it speaks for erasing. Nor was Oja put to the test,
# which loses a key when its value comes under another: in these texts each value has one key.

# %% [markdown]
# And why do linear attention and RetNet lose by twice the bytes? Here these are also half the heads. RetNet's slowest
# head fades by 1/256 a token where there are four, and by 1/64 where there are two, which may be why it loses; what ails
# linear attention, the run does not say.
#
# `python -m experiments.mqar --table` prints what is stored, the rates included. To run it again, in about 25 minutes
# on two cores, move `experiments/results/mqar.json` away first.

# %% [markdown]
# ## What do the rules of the family erase?
#
# Now the family in one table. Chapter 01 derived 64 to 68, with their [errata](glossary.md#erratum); here we ask each
# the question of this chapter: *when a pair comes, what goes?*
#
# | memory | a write, at rate $\eta$ | what goes | in the literature |
# |---|---|---|---|
# | sum (15, 64) | $\mathcal{M} + \eta v k^\top$ | nothing | linear attention |
# | decay (64) | $\alpha \mathcal{M} + \eta v k^\top$ | all, by age | RetNet, GLA |
# | delta (65) | $\mathcal{M}(I - \eta k k^\top) + \eta v k^\top$ | the key's old value | DeltaNet, Longhorn |
# | gated delta | $\mathcal{M}(\alpha I - \eta k k^\top) + \eta v k^\top$ | both | Gated DeltaNet (almost: see below), RWKV-7 |
# | Oja (66-67) | $(I - \eta v v^\top)\mathcal{M} + \eta v k^\top$ | the value's old key | OjaNet |
# | Omega (68) | $\mathcal{M} - \eta \sum_i \gamma_i \nabla \tilde{\mathcal{L}}_i$ | as delta, for $c$ keys | Atlas |
#
# ($\gamma_i$ says how much each of the newest $c$ pairs counts, and $\tilde{\mathcal{L}}_i$ is that pair's loss.)

# %% [markdown]
# None of this stays on paper. Each row is a layer that can be trained, `make train SIZE=tiny MODEL=oja` for example,
# and such a layer is a few choices, written down as data. The cell first checks that the objectives and rules of three
# do what the table says, and then lists them all.

# %%
from dataclasses import replace

from nlcore.layers import FAMILY, FastWeight

identity = torch.eye(2, dtype=double)
table = {
    "linear-attention": lambda M, k, v: M + torch.outer(v, k),
    "deltanet": lambda M, k, v: M @ (identity - torch.outer(k, k)) + torch.outer(v, k),
    "oja": lambda M, k, v: (identity - torch.outer(v, v)) @ M + torch.outer(v, k),
}
for name, write in table.items():
    M = torch.zeros(2, 2, dtype=double)
    for key, value in zip(k, v):
        M = write(M, key, value)
    assert torch.allclose(M, learn(FAMILY[name].objective, FAMILY[name].rule, k, v), atol=1e-12)

members = FAMILY | {"titans, asked at each token": replace(FAMILY["titans"], at="token")}
print(f"{'layer':29}{'objective':12}{'rule':17}{'gradient at':13}{'alpha':8}{'eta':8}run by")
for name, member in members.items():
    objective, rule = type(member.objective).__name__, type(member.rule).__name__
    alpha = {"all": "1", "head": "fixed", "token": "0 to 1"}[member.alpha]
    eta = "1" if member.eta_max is None else f"0 to {member.eta_max:g}"
    print(f"{name:29}{objective:12}{rule:17}{member.at:13}{alpha:8}{eta:8}{FastWeight(16, 2, member).form.__name__}")

# %% [markdown]
# *Gradient at* tells the orders apart. With `token` a write asks the memory as it finds it, as in the table. With
# `retained` it asks what retention has left of it, and this is Gated DeltaNet as published,
# $\alpha \mathcal{M}(I - \eta k k^\top) + \eta v k^\top$. With `chunk` it asks the memory that the chunk began with.
#
# Where $\alpha$ or $\eta$ has a range, the layer makes it of each token; RetNet fixes one $\alpha$ a head. Titans alone
# writes a small network, and with momentum.

# %% [markdown]
# `chunked` is a closed form that reads many tokens at once, as above. The last row has none, because what a network
# answers is not linear in what was written to it: there, a loop writes token by token.

# %% [markdown]
# **Erratum, eq. 64.** The long version states the objective
# $\tilde{\mathcal{L}} := -2 \langle \mathcal{M} k_t, v_t \rangle$ and prints
#
# $$\mathcal{M}_t = \alpha_t \mathcal{M}_{t-1} - \eta \underbrace{\nabla_{\mathcal{M}_{t-1}} \tilde{\mathcal{L}}(\mathcal{M}_{t-1}; \phi(k_t), v_t)}_{-v_t \phi(k_t^\top)}
#   = \alpha_t \mathcal{M}_{t-1} + \eta_t v_t \phi(k_t^\top)$$
#
# ($\phi$ may change a key before it is used; here it does nothing.) The gradient of that objective is
# $-2 v_t \phi(k_t)^\top$, and $\eta$ gains its index on the way. Neither does harm: the factor belongs to the rate. It is
# only that $\eta$ in the middle and $\eta_t$ on the right differ by a factor of two. (65's objective,
# $\lVert \mathcal{M}_t k_t - v_t \rVert^2$, has the same spare factor.)

# %%
M = torch.tensor([[1.0, 0.0], [0.48, 0.64]], dtype=double, requires_grad=True)  # delta's matrix after two tokens
key, value = k[2], v[2]
(hebb,) = torch.autograd.grad(-2 * (M @ key) @ value, M)
(error,) = torch.autograd.grad((M @ key - value).square().sum(), M)
assert torch.allclose(hebb, -2 * torch.outer(value, key))  # 64: twice what its brace says
assert torch.allclose(error, 2 * torch.outer(M @ key - value, key))  # 65: likewise
print("64, gradient of the stated objective:", place(hebb.flatten()))
print("    what stands under the brace:      ", place(hebb.flatten() / 2))

# %% [markdown]
# And whom does Oja take from? Its factor stands on the *value's* side, so a value that returns leaves its old key. On
# the island: Ann comes to the north coast first, then Cal, under a key at a right angle to hers. Delta has both there.
# Ask Oja for Ann.

# %%
cal = torch.tensor([0.0, 1.0], dtype=double)
north = v[2]
two_k, two_v = torch.stack([ann, cal]), torch.stack([north, north])
for name, (objective, rule) in {"delta": (L2(), descent), "Oja": (DotProduct(), Oja())}.items():
    M = learn(objective, rule, two_k, two_v)
    print(f"{name:6} Ann {place(M @ ann)}, Cal {place(M @ cal)}, and who is in the north? {place(M.T @ north)}")

# %% [markdown]
# Oja lost Ann, as it lost Dan in the first picture. Yet read backwards, $\mathcal{M}^\top v$, it gives *one* name for
# the north, the newest, where delta gives the sum of both. So Oja is the delta rule of the question "who is where I
# point?". For language one mostly asks the other way, which may be why models with Oja's rule are reported to do worse
# than those with delta (Irie et al., 2022). In our recall runs, where no value had two keys, it was the other way round.

# %% [markdown]
# ## What if the memory starts empty?
#
# Most linear Transformers start $\mathcal{M}_0$ at zero and multiply the output by a *gate*,
# $y_t = g(x_t) \odot \mathcal{M}_t q_t$. Why that helps is not settled. The paper has a thought: if $\mathcal{M}_0$ is
# not learnt, the block holds nothing of [pre-training](glossary.md#pre-training), and the gate "acts as a
# [persistent memory](glossary.md#persistent-memory) and the initialization of the memory module". First, what a
# *learnt* [start](glossary.md#start) is, for the sum:
#
# $$\mathcal{M}_t\, q = \mathcal{M}_0\, q + \sum_{s \le t} (k_s \cdot q)\, v_s$$
#
# a plain linear layer $\mathcal{M}_0$, and beside it a memory that started empty. Can a gate do the same?

# %%
start = torch.tensor([[0.2, 0.5], [-0.1, 0.3]], dtype=double)
for t in range(4):
    held = learn(DotProduct(), descent, k[:t], v[:t], start=start) @ ben
    beside = start @ ben + learn(DotProduct(), descent, k[:t], v[:t]) @ ben
    gated = torch.sigmoid(start @ ben) * (learn(DotProduct(), descent, k[:t], v[:t]) @ ben)
    assert torch.allclose(held, beside, atol=1e-12)
    print(f"after {t} tokens: learnt start {place(held)}, empty start and a gate {place(gated)}")

# %% [markdown]
# Before the first token the gate multiplies nothing, and is silent: it can weigh what the memory says, but it cannot
# say anything itself. How much is each worth? Suppose four facts are known from training and never told, and four
# others are told in each text, under names at a right angle to the first four. The best start and the best linear gate
# are both least-squares problems, so no rate can spoil the comparison.

# %%
def facts(seed, texts=500):
    """Queries (2 texts, 8): never told, then told; what an empty memory answers; the right values."""
    draw, known = torch.Generator().manual_seed(seed), torch.eye(8, dtype=double)  # fact i: name i, place 7 - i
    keys, values = F.normalize(torch.randn(2, texts, 4, 8, generator=draw, dtype=double), dim=-1)
    keys = F.normalize(torch.cat([0 * keys[..., :4], keys[..., 4:]], -1), dim=-1)  # told: the last four numbers only
    M, i = values.mT @ keys, torch.randint(0, 4, (texts,), generator=draw)  # the sum
    q = torch.cat([known[i], keys[:, 0]])
    return q, (torch.cat([M, M]) @ q[..., None])[..., 0], torch.cat([known[7 - i], values[:, 0]])


def with_one(q):
    return torch.cat([q, torch.ones(len(q), 1, dtype=double)], 1)


q, empty, right = facts(0)
W_start = torch.linalg.lstsq(q, right - empty).solution
gates = [torch.linalg.pinv(with_one(q) * empty[:, [row]]) @ right[:, [row]] for row in range(8)]
q, empty, right = facts(1)  # texts that neither has seen
by_gate = torch.cat([with_one(q) @ gate * empty[:, [row]] for row, gate in enumerate(gates)], 1)
for name, answer in {"empty": empty, "gate": by_gate, "start": empty + q @ W_start}.items():
    off = (answer - right).square().sum(-1).view(2, -1).mean(1)
    print(f"{name:6} squared error: never told {off[0]:.2f}, told {off[1]:.2f}   (silence: 1)")

# %% [markdown]
# By hand: the answer to a told fact holds three others as well, each as loudly as its key is like the query. Keys of
# four numbers have a squared product of $1/4$ on average, and so the squared error is $3/4$. A gate that turns all
# answers down to $0.57$ makes that $0.57^2 \cdot 0.75 + 0.43^2 = 0.43$.

# %% [markdown]
# So the two help in different ways. The start knows what was never told, and leaves the rest as it was; the gate stays
# silent there, and instead learns how far to trust the context. Here, then, a gate is *not* a persistent memory. In a
# deep network it sees more than a query, and may do more than the formula alone.

# %% [markdown]
# ## Can a matrix count?
#
# Everything so far was about *recall*. There is a second thing that a state can do: keep track. Is the number of ones
# so far odd? (This is called their *[parity](glossary.md#parity)*.) Attention must look at all of them again; a state
# could simply flip. Look at what a write does to the answer under its own key, of length one:
#
# | rule | the old answer is multiplied by $\mu$ | for $\alpha$ and $\eta$ from 0 to 1 |
# |---|---|---|
# | decay | $\alpha$ | 0 to 1 |
# | delta | $\alpha - \eta$ | $-1$ to 1, but with $\alpha = 1$: 0 to 1 |
# | [Delta GD](glossary.md#delta-gd) (chapter 05) | $\alpha - 2\eta$ | $-2$ to 1 |
#
# The matrix that a write multiplies $\mathcal{M}$ by, such as $\alpha I - \eta k k^\top$, is called its *transition*,
# and $\mu$ is the eigenvalue of that matrix along the key. Below, each 1 multiplies a state by $\mu$ and adds 1.

# %%
from nlcore.viz.explorers.transitions import transitions

transitions().predict("06-parity")

# %% [markdown]
# *Delta at $\alpha = 1$ and $\eta = 0.2$.* The factor is 0.8, and the state climbs to 5 and stays: after 24 ones, odd
# and even are 0.006 apart. Only at $\mu = 1$ does it count, and only at $-1$ does it alternate between two numbers.

# %% [markdown]
# Is that more than a picture? Let $m_n$ be the state after $n$ ones, so $m_{n+1} = \mu\, m_n + 1$. Subtract two
# neighbours:
#
# $$m_{n+1} - m_n = \mu\, (m_n - m_{n-1}) = \mu^n (m_1 - m_0)$$
#
# For $\mu$ in $[0, 1]$ all these steps have one sign. The state marches in one direction, even, odd, even, odd, so no
# threshold can part odd from even; and for $\mu < 1$ the steps shrink, so that in the end not even the number format
# can. For $\mu = -1$ the steps change sign for ever and keep their size.

# %% [markdown]
# Grazzi et al. (2024) prove the same for matrices: in numbers of finite precision, a linear layer whose transitions
# have all their eigenvalues in $[0, 1]$ cannot tell the parity of texts of arbitrary length.
#
# With $-1$ it can, so let us build it. The write is Delta GD of nothing, $v = 0$, at $\eta = 1$ for a 1 and $\eta = 0$
# for a 0; the start is 1.

# %%
from nlcore.memory import DeltaGradientDescent

bits = torch.randint(0, 2, (5000,), generator=torch.Generator().manual_seed(0))
memory = AssociativeMemory(Linear(1, 1), L2(), DeltaGradientDescent(), Decay())
one, nothing = torch.ones(1), torch.zeros(1)
state, signs = memory.start((), (torch.ones(1, 1),)), []
for bit in bits:
    state, report = memory.write(state, one, nothing, Rates(bit.float(), torch.ones(())))
    signs.append(state.memory[0].item())
assert signs == (1 - 2 * (bits.cumsum(0) % 2)).tolist()  # exactly, at every one of 5,000 tokens
print("state after the last bit:", signs[-1], "  ones:", bits.sum().item())

for mu in (0.5, 0.9, 0.99):
    state, n = torch.zeros((), dtype=torch.bfloat16), 0
    while (after := (mu * state.float() + 1).bfloat16()) != state:
        state, n = after, n + 1
    print(f"mu {mu}: odd and even are one number in bfloat16 after {n} ones; exactly, {mu**n:.1e} apart")

# %% [markdown]
# The flip is exact at any length, since multiplying by $-1$ rounds nothing. The fading memories end at one number for
# both answers, soon. A plain delta rule flips as well if its rate may reach 2. Layers make their rate with a sigmoid,
# and twice the sigmoid is all it takes: in the list above this is `gated-deltanet-negative`. And Delta GD, of which
# chapter 05 showed that it halves what it stores, has found its use: its factor reaches $-1$ with rates up to 1.

# %% [markdown]
# ## What does a long text cost?
#
# Recall asks for bytes, and tracking for the right factor; what remains is the bill. It needs no clock, since it can be
# counted. Per token and head, attention reads $2 d T$ numbers and multiplies each once; the sum passes through its
# $d^2$ numbers twice, to write and to read; delta three times, since it asks first.

# %%
from nlcore.viz.explorers.cost_of_context import cost_of_context

cost_of_context()

# %% [markdown]
# *A head of width 64, numbers of two bytes.* Attention has the bytes of a matrix after 32 tokens, and the work of delta
# after 96; at a million tokens it holds 31,000 times as much. The window is attention with a ceiling. In the left plot
# the sum and delta share one line, because their states are the same. Nothing here says which is *better*: that was the
# question of equal bytes, and its answer depends on what you ask of an answer.

# %% [markdown]
# ## Where are we in the nest?
#
# To close, both levels at once, in a small model that is trained. Its inner level is a delta memory of width 8,
# written with each of 8 tokens; its outer level are two projections, changed once per step, which must find a name of 8
# numbers in a noisy input of 16, for writing and for asking. We record by how much each level changes.

# %%
draw = torch.Generator().manual_seed(0)
hidden = F.normalize(torch.randn(16, 8, generator=draw), dim=0)  # where the key hides in the input
W_k, W_q = (torch.nn.Parameter(torch.randn(8, 16, generator=draw) / 4) for _ in range(2))
optimizer = torch.optim.SGD([W_k, W_q], lr=2.0)
memory = AssociativeMemory(Linear(8, 8), L2(), GradientDescent(), Decay())
inner, outer, losses = [], [], []
for step in range(100):
    names, values = F.normalize(torch.randn(2, 8, 32, 8, generator=draw), dim=-1)  # 8 tokens of 32 texts
    told, asked = names @ hidden.T + 0.2 * torch.randn(2, 8, 32, 16, generator=draw)
    keys, queries = F.normalize(told @ W_k.T, dim=-1), F.normalize(asked @ W_q.T, dim=-1)
    state = memory.start((32,))
    for key, value in zip(keys, values):  # the inner level
        state, report = memory.write(state, key, value, Rates(torch.full((32,), 0.7), torch.ones(32)))
        inner.append((report.update / state.memory[0].norm(dim=(-1, -2))).mean().item())
    loss = (queries.transpose(0, 1) @ state.memory[0].mT - values.transpose(0, 1)).square().sum(-1).mean()
    optimizer.zero_grad()
    loss.backward()  # through all eight writes
    before = W_k.detach().clone()
    optimizer.step()  # the outer level
    outer.append(((W_k - before).norm() / before.norm()).item())
    losses.append(loss.item())
print(f"loss {sum(losses[:20]) / 20:.2f} over the first twenty steps, {sum(losses[-20:]) / 20:.2f} over the last (silence: 1)")

# %%
from nlcore.viz.roll import Row, roll
from nlcore.viz.theme import level_looks

steps, tokens = 10, 80  # the first ten steps
change, fired = np.zeros((2, tokens)), np.zeros((2, tokens), dtype=int)
change[0], fired[0] = inner[:tokens], 1
change[1, 7::8], fired[1, 7::8] = outer[:steps], 1
rows = [Row(name, every, level_looks([name])[name].colour)
        for name, every in (("memory", "every token"), ("projections", "every step, 8 tokens"))]
figure, axes = plt.subplots(figsize=(10, 1.9), layout="constrained")
roll(axes, rows, np.arange(tokens), np.arange(tokens) + 1, change, fired)
axes.set(xlim=(0, tokens), xlabel="tokens read (eight are a text, and a step)")
show(figure, name="two_levels_of_attention",
     alt="A level score of two rows over 80 tokens. The memory changes at every token, most at the first of each text, and less "
     "and less until the text ends; the projections change once after every eighth token, and by less.")

# %% [markdown]
# *A [level score](glossary.md#level-score): brightness is the size of a change.* Who writes? Above, the delta rule;
# below, gradient descent. Into what: the matrix $\mathcal{M}$; the projections. How often: every token; every step.
# From which [context](glossary.md#context-flow): this text alone; all texts so far. To whom is knowledge handed? The
# projections make keys and queries for the memory; back comes a gradient, through all eight writes. The first write of
# each text is the brightest, as the memory starts empty.

# %% [markdown]
# Where would attention stand? It has no row, since nothing in it changes by steps: it keeps the pairs, and solves its
# problem anew at each query. The paper therefore gives it the frequency infinity, and gives 0 to the weights of a model
# that is only used. Between these two a Transformer has nothing, and everything in this chapter is a way to put
# something there.

# %%
from nlcore.viz.hope_map import hope_map

hope_map(6)

# %% [markdown]
# *New: the last third of `memory`, its place in a model.* It now stands where attention stands in a Transformer, gets keys,
# values and queries made from the tokens, and hands its answers to the layers above. What makes the keys is still a part
# of the weights here; in chapter 09 the projections learn within a text themselves.

# %% [markdown]
# ## Summary
#
# 1. Linear attention takes one gradient step per token; its state is the fast level.
# 2. Softmax attention solves a weighted least-squares problem at each query: a mean of values, narrow or wide.
# 3. A correction tells them apart: the sum adds, delta overwrites the key, Oja the value, attention keeps both and
#    averages.
# 4. In the same bytes a matrix names more pairs than a window, and fewer of them exactly; for random pairs rules tie,
#    and in trained layers erasing paid only while there was room.
# 5. What a write multiplies the state by decides what it tracks: 1 counts, $-1$ flips, all between fades.

# %% [markdown]
# ## Sources
#
# - Behrouz, Razaviyayn, Zhong, Mirrokni (2025), [Nested Learning](https://arxiv.org/abs/2512.24695), sections 3.1 and
#   5.
# - Fast weights: Schmidhuber (1992), [Learning to control fast-weight
#   memories](https://doi.org/10.1162/neco.1992.4.1.131); Ba et al. (2016), [Using fast weights to attend to the recent
#   past](https://arxiv.org/abs/1610.06258); Schlag et al. (2021), [Linear Transformers are secretly fast weight
#   programmers](https://arxiv.org/abs/2102.11174).
# - Attention: Vaswani et al. (2017), [Attention is all you need](https://arxiv.org/abs/1706.03762); Katharopoulos et
#   al. (2020), [Transformers are RNNs](https://arxiv.org/abs/2006.16236).

# %% [markdown]
# - Averages: Nadaraya (1964), [On estimating regression](https://doi.org/10.1137/1109020); Watson (1964), Smooth
#   regression analysis, Sankhya A 26, 359-372.
# - Decay and delta: Sun et al. (2023), [RetNet](https://arxiv.org/abs/2307.08621); Yang et al. (2024), [DeltaNet in
#   parallel](https://arxiv.org/abs/2406.06484) and [Gated DeltaNet](https://arxiv.org/abs/2412.06464).
# - Oja (1982), [A simplified neuron model](https://doi.org/10.1007/BF00275687); Irie et al. (2022), [Neural
#   differential equations for learning to program neural nets](https://arxiv.org/abs/2206.01649).
# - Recall: Arora et al. (2023), [Zoology](https://arxiv.org/abs/2312.04927).
# - Counting: Grazzi et al. (2024), [Unlocking state-tracking in linear RNNs through negative
#   eigenvalues](https://arxiv.org/abs/2411.12537); Siems et al. (2025),
#   [DeltaProduct](https://arxiv.org/abs/2502.10297), which is exercise 4 grown up.
# - Behrouz et al., [Titans](https://arxiv.org/abs/2501.00663), [Miras](https://arxiv.org/abs/2504.13173) and
#   [Atlas](https://arxiv.org/abs/2505.23735) (2025).

# %% [markdown]
# ## Exercise 1: a window for all tokens (middle, 10 minutes)
#
# Write sliding-window attention for all tokens at once, without a loop. Token $t$ sees itself and the $c - 1$ before
# it; `q`, `k` are (T, d) and `v` is (T, d_v).
#
# <details><summary>Hint</summary>
#
# `age = torch.arange(T)[:, None] - torch.arange(T)` says how old token $s$ is for token $t$. What must a score be so that its
# weight is exactly 0?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `age = torch.arange(len(q))[:, None] - torch.arange(len(q))`
# then `scores = (q @ k.T / tau).masked_fill((age < 0) | (age >= c), -torch.inf)` and `return torch.softmax(scores, -1)
# @ v`
#
# </details>

# %%
from nlcore.exercises.chapter_06 import SUSPECTS, check_stream, check_suspects, check_turn, check_window


def attend_window(q, k, v, tau, c):
    """The answers of all tokens, (T, d_v)."""
    return None


print(check_window(attend_window))

# %% [markdown]
# ## Exercise 2: four suspects (middle, 15 minutes)
#
# *Diagnose.* Four memories of width 4 hide behind `SUSPECTS[name](k, v, q)`: they write pairs `k`, `v` (T, 4) in turn,
# at rate 1, and answer queries (Q, 4). One is the sum, one decays, one is delta, one Oja. You may write whatever you
# like. Which is which?
#
# <details><summary>Hint</summary>
#
# Two experiments suffice. Under two keys at a right angle, write the same value: whose older answer is whole, whose is
# smaller, whose is gone? Then write one key twice.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `{"A": "delta", "B": "Oja", "C": "sum", "D": "decay"}`
#
# </details>

# %%
eye = torch.eye(4)
for name, box in SUSPECTS.items():
    print(name, "answers", box(eye[:1], eye[:1], eye[:1])[0].tolist())  # one pair: they are all alike
named = {"A": "", "B": "", "C": "", "D": ""}
print(check_suspects(named))

# %% [markdown]
# ## Exercise 3: make Oja forget (middle, 10 minutes)
#
# *Break.* Find two pairs of width 4, all vectors of length one, after which delta still answers the first key exactly
# and Oja answers it with nothing. Then ask yourself which text would do this to a language model.
#
# <details><summary>Hint</summary>
#
# Delta erases along the key, Oja along the value. What must the two keys not share, and what must the two values share?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `eye = torch.eye(4)` then `return eye[:2], eye[[2, 2]]`. For example a list of people who all live in one town.
#
# </details>

# %%
def stream():
    """Keys and values, (2, 4) each."""
    return None


print(check_stream(stream))

# %% [markdown]
# ## Exercise 4: count to three (hard, 20 minutes)
#
# *Build.* At rate 2 and with $v = 0$ a delta write multiplies the state by $I - 2 k k^\top$ from the right: a
# reflection, $\mu = -1$ along $k$ and 1 across it. One key counts to two. Find *two* keys in the plane such that
# writing both with each token turns the state by a third of a circle, so that it counts modulo 3.
#
# <details><summary>Hint</summary>
#
# Two reflections one after the other are a rotation, by twice the angle between their keys.
#
# </details>
#
# <details><summary>Solution</summary>
#
# 60 degrees: `return torch.tensor([[1.0, 0.0], [0.5, 0.75**0.5]])`
#
# </details>

# %%
def two_keys():
    """Two keys of length one, (2, 2)."""
    return None


print(check_turn(two_keys))
