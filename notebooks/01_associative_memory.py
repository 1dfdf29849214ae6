# %% [markdown]
# # 01 · Associative memory: the four choices
#
# **After this notebook** you can build a memory of the paper from four choices; say what a write adds, what it overwrites
# and what it damages; count how many pairs a memory holds; and choose a rule and a rate for a stream whose facts change.
#
# **You need** chapter 00, and matrix products. **Time:** 37 minutes, exercises apart; all cells together take about half a
# minute on a laptop.

# %% [markdown]
# The chapter follows sections 2, 3.1 and 5 of *Nested Learning* (Behrouz, Razaviyayn, Zhong, Mirrokni, 2025; long version,
# [arXiv 2512.24695](https://arxiv.org/abs/2512.24695)).

# %% [markdown]
# ## How many pairs can a memory hold?
#
# Chapter 00 drew a model as memories within memories, each written at its own pace. Before we nest them we take one,
# `memory`, the part on top of that chapter's map of Hope, and watch it being written.
#
# Below, six memories get the same random pairs of a [key](glossary.md#key) and a value, and are then asked for all values.
# You know the [Hebbian rule](glossary.md#hebbian-rule), which adds; [Oja's rule](glossary.md#oja-rule), the
# [delta rule](glossary.md#delta-rule), [ridge](glossary.md#ridge) and the MLP are explained in their turn. All vectors have
# length one, so that the answer zero, *[silence](glossary.md#silence)*, is off by a squared error of 1.

# %% [markdown]
# On the right, each column is the answer to one key, and each row says how much of one value is in that answer, not
# counting what the right value has of it anyway. How many pairs can a matrix of 32 by 32 numbers hold without error, and
# does it matter how they are written?

# %%
from nlcore.viz.explorers.store_and_recall import store_and_recall

store_and_recall().predict("01-hold")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Recall error at width 32, random keys.* Ridge is the best matrix there is, and it is exact up to 32 pairs, as many as a
# key has numbers. The rules that write each pair once into a matrix, Hebbian, Oja and delta, miss that; later we meet one
# that does not, at a price. The MLP, a small network, holds more, with eight times the numbers and 30 passes over the pairs.
#
# </details>

# %% [markdown]
# Colour off the diagonal is **[crosstalk](glossary.md#crosstalk)**: an answer contains the values of other pairs. Here the
# delta rule answers: its newest pairs, at the lower right, are clean, and the oldest have almost drowned.
#
# | letter | here | elsewhere |
# |---|---|---|
# | $W$ | a memory that is a matrix | a layer's weights; $\mathcal{M}$ is any memory |
# | $d$ | the width: how many numbers a key has | |
# | $P$ | the second matrix of least squares | other matrices, in 03 and 04 |

# %% [markdown]
# ## What are the four choices?
#
# An [associative memory](glossary.md#associative-memory) maps keys to values. One write, at a [rate](glossary.md#rate)
# $\eta$, changes it so that some loss on the new pair gets smaller:
#
# $$W_t = \mathrm{keep}(W_{t-1}, \alpha) - \eta\, \nabla_W\, \mathcal{L}(W_{t-1} k_t,\, v_t)$$
#
# Eq. 64 to 68 are this line, or variants of it, with four things chosen:
#
# | choice | question | in this chapter |
# |---|---|---|
# | architecture | which function of the key? | matrix, MLP |
# | [objective](glossary.md#objective) (“[attentional bias](glossary.md#attentional-bias)”) | which loss? | dot product, L2 (chapter 05 has more) |
# | rule | how is the loss lowered? | gradient descent, Oja, Omega |
# | [retention](glossary.md#retention) $\alpha$ | what is kept of the old? | decay, pull to start |

# %% [markdown]
# The paper keeps two words apart, as chapter 00 said: every write is [memory](glossary.md#memory), useful or not, and
# [learning](glossary.md#learning) is what makes writes useful. Here you do it, by choosing; in a model the slower levels
# do, because they make the keys, the rates and the [start](glossary.md#start).

# %% [markdown]
# Two pairs go with us through the chapter. Their keys have length one and are alike, since $k_1 \cdot k_2 = 0.6$; the
# values are $(1, 0)$ and $(0, 1)$. In the code the four choices are arguments of `AssociativeMemory`, and `learn` writes
# pairs one after the other.

# %%
import torch
from nlcore.memory import L2, AssociativeMemory, Decay, DotProduct, GradientDescent, Linear, Rates

double = torch.float64
k = torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=double)
v = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=double)


def learn(memory, k, v, eta=1.0, alpha=1.0):
    """The matrix after the pairs (T, d), or (T, streams, d), were written in turn; it starts at zero."""
    batch, zero = k.shape[1:-1], torch.zeros(v.shape[-1], k.shape[-1], dtype=double)
    state = memory.start(batch, (zero,))  # batch is () for a single memory
    rates = Rates(*(torch.tensor(rate, dtype=double).expand(batch) for rate in (eta, alpha)))
    for key, value in zip(k, v):
        state, report = memory.write(state, key, value, rates)
    return state.memory[0]


hebbian = AssociativeMemory(Linear(2, 2), DotProduct(), GradientDescent(), Decay())
W_hebbian = learn(hebbian, k, v)
print(W_hebbian.numpy(), "\nanswers, one per row:\n", (k @ W_hebbian.T).numpy())

# %% [markdown]
# ## What if we only add?
#
# Take the objective $-\langle W k, v \rangle$, the dot product of answer and value with a minus. Its gradient is
# $-v k^\top$, whatever $W$ answers, and so every write adds the pair in full (eq. 64). This is the **Hebbian** rule, and it
# has made the printout above: $W = v_1 k_1^\top + v_2 k_2^\top$.
#
# Asked for $k_1$ it answers $v_1 + (k_1 \cdot k_2)\, v_2 = (1,\ 0.6)$. The 0.6 is crosstalk: a key *hears* what was
# written under another, as loudly as the two are alike.

# %% [markdown]
# How loud is that for random keys? The squares of a key's $d$ entries add up to 1, so each is $1/d$ on average, along any
# axis; and $(k_i \cdot k_j)^2$ is such a square, along the axis $k_j$. Random values point in unrelated directions, so that
# squared errors add up, and of $n$ pairs each hears $(n - 1)/d$ from the others: 31/32 for 32 pairs at width 32, where the
# blue line above has 0.95, measured on four streams of pairs.

# %% [markdown]
# Such sums are among the oldest memories: Kohonen's (1972), and Hopfield's (1982), where keys are their own values.
# Schmidhuber (1992) let one network write such products into another's weights, its
# [fast weights](glossary.md#fast-weights). So does eq. 5, with a function $\phi$, the *feature map*, of each key and query
# $q$:
#
# $$W_t = \alpha W_{t-1} + v_t\, \phi(k_t)^\top \qquad\qquad y_t = W_t\, \phi(q_t)$$
#
# Write the sum out, and no matrix is left: $y_t = \sum_{s \le t} \alpha^{t-s}\, (\phi(k_s) \cdot \phi(q_t))\, v_s$. A value
# is the louder the younger it is, and the more its key is like the query. That is
# [linear attention](glossary.md#linear-attention) with decay, computed below in both ways.

# %%
import torch.nn.functional as F

T, d, alpha = 12, 8, 0.8
draw = torch.Generator().manual_seed(1)
keys, values, queries = torch.randn(3, T, d, generator=draw, dtype=double)
phi = lambda x: F.elu(x) + 1  # any map would do; this one keeps weights positive

age = torch.arange(T)[:, None] - torch.arange(T)
decay = torch.where(age >= 0, alpha ** age.clamp(min=0), 0.0)  # no weight for pairs that are not written yet
weights = (phi(queries) @ phi(keys).T) * decay
attention = weights @ values  # all tokens at once

memory = AssociativeMemory(Linear(d, d), DotProduct(), GradientDescent(), Decay())
for t in range(T):  # token by token
    W = learn(memory, phi(keys[: t + 1]), values[: t + 1], alpha=alpha)
    assert torch.allclose(W @ phi(queries[t]), attention[t], atol=1e-10)
print("the memory's answers are attention's, at each of", T, "tokens")

# %% [markdown]
# ## What if we write only what is wrong?
#
# Take the objective $\lVert W k - v \rVert^2 / 2$ instead. Its gradient is $(W k - v)\, k^\top$, so that what is written is
# the error of the memory's own answer. This is the **delta rule** of Widrow and Hoff (1960; eq. 65, with a retention
# $\alpha$ added):
#
# $$W_t = W_{t-1} (\alpha I - \eta\, k_t k_t^\top) + \eta\, v_t k_t^\top$$

# %% [markdown]
# Its point is **overwriting**. Suppose $k_1$ came with the value $v_1$, and now comes with $v_2$, as when somebody moves. The
# memory still answers $v_1$, so that what is wrong is $v_2 - v_1$, and this is what the write adds.

# %%
delta = AssociativeMemory(Linear(2, 2), L2(), GradientDescent(), Decay())
same = k[[0, 0]]  # one key twice, with both values
for name, memory in {"Hebbian": hebbian, "delta": delta}.items():
    print(f"{name:8} answers {(learn(memory, same, v) @ k[0]).tolist()}")

# %% [markdown]
# Adding answers $v_1 + v_2$, which nobody ever told it, and at any other rate both would still be equally loud, because it
# never looks at what it already says. The delta rule answers $v_2$: one write takes the old value out and puts the new one in.

# %% [markdown]
# **[Erratum](glossary.md#erratum), eq. 65.** The paper's long version prints the factor on the left, and no $\alpha$:
#
# $$\mathcal{M}_t = (I - \eta_t k_t k_t^\top)\, \mathcal{M}_{t-1} + \eta_t v_t k_t^\top$$
#
# Yet the gradient that it prints below, under a brace, is $(\mathcal{M}_{t-1} k_t - v_t)\, k_t^\top$, and this puts the
# factor on the right, where keys come in. So the left is a slip of the pen.
#
# Now our two pairs, each with its own key, are written with $\eta = 1$.

# %%
from nlcore.viz.predictions import predict

predict("01-exact")

# %%
W_delta = learn(delta, k, v)
first = torch.outer(v[0], k[0])
by_hand = first + torch.outer(v[1] - first @ k[1], k[1])  # the error, under the second key
assert torch.allclose(W_delta, by_hand, atol=1e-12)
print(W_delta.numpy(), "\nanswers, one per row:\n", (k @ W_delta.T).numpy().round(12) + 0.0)

# %% [markdown]
# The last pair is exact, and the first is damaged. Before the second write, $k_2$ was answered $(0.6, 0)$, because it is so
# much like $k_1$. So $(-0.6, 1)$ was written under $k_2$, and $k_1$ hears 0.6 of that: it now answers
# $(1 - 0.36,\ 0.6)$. At this rate the newest pair is always right, and those before it pay.

# %% [markdown]
# ## Who pays for the next pair?
#
# Keys at right angles hear nothing of each other. So $d$ of them fill a matrix of width $d$ without any error, under both
# rules, since there is nothing to correct. What happens with one more?

# %%
draw = torch.Generator().manual_seed(0)
d, streams = 16, 200
keys, _ = torch.linalg.qr(torch.randn(streams, d, d, generator=draw, dtype=double))  # d orthonormal rows each
values, one_more = F.normalize(torch.randn(2, d + 1, streams, d, generator=draw, dtype=double), dim=-1)
keys = torch.cat([keys.transpose(0, 1), one_more[:1]])
for name, objective in {"adding": DotProduct(), "correcting": L2()}.items():
    memory = AssociativeMemory(Linear(d, d), objective, GradientDescent(), Decay())
    for n in (d, d + 1):
        answers = torch.einsum("soi,tsi->tso", learn(memory, keys[:n], values[:n]), keys)
        off = (answers - values).square().sum(-1).mean(1)
        print(f"{name:10} {n} pairs: the first {d} are off by {off[:d].sum():.2f} in all", f"and the next by {off[d]:.2f}" if n > d else "")

# %% [markdown]
# In a full matrix the bill is on average the same, and only who pays differs. The new key is a sum of the old ones, each of
# which hears its share of what is written. Adding writes the value, of squared length 1, and leaves the new pair wrong by
# what it hears itself, about 1 as well. Correcting writes the value *less* what is heard, of squared length about 2, and the
# old pairs hear it all.

# %% [markdown]
# With random keys correcting is cheaper, since a pair hears only those written *after* it. As they write a little more than
# a value, the green line of the first picture is at about six tenths of the blue one's height, not at half.

# %% [markdown]
# Why $\eta = 1$? After a write the answer to the same key is $(1 - \eta \lVert k \rVert^2)$ times the old answer plus
# $\eta \lVert k \rVert^2 v$: exact at $\eta = 1 / \lVert k \rVert^2$, and beyond $2 / \lVert k \rVert^2$ more wrong with each
# write, which is why layers bring their keys to length one. At the exact rate the write is Kaczmarz's projection (1937), the
# smallest change that makes the newest pair right; engineers call it normalised LMS, for least mean squares.

# %% [markdown]
# ## What keeps a matrix from growing?
#
# The Hebbian matrix grows with each repetition. To stop that, **Oja's rule** (eq. 66-67) erases along the *value*, where
# the delta rule erases along the key:
#
# $$W_t = (I - \eta v_t v_t^\top) W_{t-1} + \eta v_t k_t^\top = W_{t-1} + \eta v_t (k_t - W_{t-1}^\top v_t)^\top$$
#
# Read the right side: it is the delta rule for $W^\top$, a memory that is given a value and answers with its key. So below
# each matrix is asked both ways, and its [recall](glossary.md#recall) is the cosine of its answer and the right one.

# %%
import matplotlib.pyplot as plt
from nlcore.memory import Oja
from nlcore.viz.explorers.store_and_recall import LOOKS
from nlcore.viz.show import show
from nlcore.viz.theme import GREYS, tidy

draw = torch.Generator().manual_seed(0)
keys, values = F.normalize(torch.randn(2, 8, 100, 16, generator=draw, dtype=double), dim=-1)  # 100 streams
choices = {"Hebbian": (DotProduct(), GradientDescent()), "Oja": (DotProduct(), Oja()), "delta": (L2(), GradientDescent())}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", width_ratios=(1.3, 1))
for at, (name, (objective, rule)) in enumerate(choices.items()):
    memory = AssociativeMemory(Linear(16, 16), objective, rule, Decay())
    by_round = [learn(memory, keys.repeat(n, 1, 1), values.repeat(n, 1, 1)) for n in range(11)]
    left.plot([W.norm(dim=(1, 2)).mean() for W in by_round], **LOOKS[name].line(), markersize=4, label=name)
    W = by_round[-1]
    heard = F.cosine_similarity(torch.einsum("soi,tsi->tso", W, keys), values, dim=-1).mean()
    backwards = F.cosine_similarity(torch.einsum("soi,tso->tsi", W, values), keys, dim=-1).mean()
    right.bar([at, at + 4], [heard, backwards], color=LOOKS[name].colour)
    print(f"{name:8} forwards {heard:.2f}, backwards {backwards:.2f}")
tidy(left, "8 pairs, written again and again", "rounds over all pairs", "size of the matrix (norm)")
tidy(right, "Asked both ways, after ten rounds", "", "recall (cosine; 1 is exact)")
right.set_xticks([1, 5], ["key given,\nvalue asked", "value given,\nkey asked"])
left.legend(frameon=False)
show(figure, alt="Left, the Hebbian matrix grows in a straight line to 28, while Oja's and the delta rule's settle near 4. Right, "
     "cosines: asked for values, delta is exact and Oja the worst; asked for keys, Oja is exact and delta the worst.")

# %% [markdown]
# *Width 16, mean of 100 streams.* Under both rules that erase, the matrix all but stops growing. But Oja perfects the
# question that nobody asks here, and spoils the other, because each write takes out what the *other* pairs have along its
# value. This is why Oja lies above the Hebbian rule in the first picture, up to 32 pairs; the paper, too, says that it has
# been seen to “underperform” the delta rule.

# %% [markdown]
# **Erratum, eq. 66-67.** The long version prints the rule, and the gradient under a brace in 67, as
#
# $$\mathcal{M}_t = \alpha_t \mathcal{M}_{t-1} + \eta_t v_t \left( \phi(k_t)^\top - \mathcal{M}_{t-1}^\top v_t \right)
#   \qquad \nabla \tilde{\mathcal{L}} = \mathcal{M}_{t-1}^\top v_t - v_t\, \phi(k_t)^\top$$
#
# In 66 a transpose is missing, since $\phi(k)^\top$ is a row and $\mathcal{M}^\top v$ a column; in 67 a factor $v_t$ has
# gone with it. The objective in the line below, $-2 \langle \mathcal{M} k, v \rangle + \lVert \mathcal{M}^\top v \rVert^2$,
# is sound: half of its gradient is $v_t (\mathcal{M}^\top v_t - k_t)^\top$, which the rule above subtracts.

# %% [markdown]
# ## Which matrix is the best one?
#
# So far each pair had its own write, and nobody asked what is best for all of them. Definition 1 of the paper does (eq. 6):
#
# $$\mathcal{M}^{*} = \arg\min_{\mathcal{M}}\; \mathcal{L}(\mathcal{M}(K);\, V)$$
#
# For a matrix and L2 the answer is known. With a penalty $\lambda \lVert W \rVert^2 / 2$, which holds the matrix back, it
# is **ridge regression**, $W^{*} = V^\top K (K^\top K + \lambda I)^{-1}$, where a row of $K$ is a key and a row of $V$ its
# value. Our two keys span the plane, so that with $\lambda = 0$ both answers can be exact.

# %%
from nlcore.memory import ridge

best = ridge(k, v)
print(best.numpy().round(12) + 0.0, "\nanswers, one per row:\n", (k @ best.T).numpy().round(12) + 0.0)
assert torch.allclose(best, torch.tensor([[1.0, -0.75], [0.0, 1.25]], dtype=double))
formula = v.T @ k @ torch.linalg.inv(k.T @ k + 0.1 * torch.eye(2, dtype=double))
assert torch.allclose(ridge(k, v, 0.1), formula)

# %% [markdown]
# By hand: the first row must answer 1 to $(1, 0)$ and 0 to $(0.6, 0.8)$, so it is $(1, -0.75)$.
#
# The delta rule comes nearer to this matrix with each round over the pairs, and so does gradient descent on both at once. Is
# there a rule that gets there in *one* round, without keeping the pairs?

# %% [markdown]
# There is. Let $P_t = \left(\lambda I + \sum_{s \le t} k_s k_s^\top\right)^{-1}$, so that ridge on the first $t$ pairs is
# $W_t = V^\top K P_t$. With a new pair $P_t^{-1} = P_{t-1}^{-1} + k_t k_t^\top$, and therefore
#
# $$W_t P_t^{-1} = W_{t-1} P_{t-1}^{-1} + v_t k_t^\top = W_{t-1} P_t^{-1} + (v_t - W_{t-1} k_t)\, k_t^\top$$
#
# Multiply by $P_t$ from the right: $W_t = W_{t-1} + (v_t - W_{t-1} k_t)\, (P_t k_t)^\top$. This is **recursive least
# squares** (RLS; Plackett, 1950). It writes the delta rule's error, but under $P_t k_t$, the *gain*, instead of under $k_t$.

# %%
def least_squares(k, v, penalty):
    """Recursive least squares: each pair once, and a second matrix P that knows which keys have been."""
    W, P = torch.zeros(v.shape[1], k.shape[1], dtype=double), torch.eye(k.shape[1], dtype=double) / penalty
    for key, value in zip(k, v):
        gain = P @ key / (1 + key @ P @ key)  # P of before the write; this is the new P times key
        W = W + torch.outer(value - W @ key, gain)
        P = P - torch.outer(gain, P @ key)  # Sherman and Morrison's formula for the inverse
    return W


draw = torch.Generator().manual_seed(0)
keys, values = F.normalize(torch.randn(2, 64, 32, generator=draw, dtype=double), dim=-1)
assert torch.allclose(least_squares(keys, values, 0.1), ridge(keys, values, 0.1), atol=1e-12)
print("the key that came with two values:", (least_squares(same, v, 1e-8) @ k[0]).numpy().round(3))

# %%
def pair_by_pair(W, eta):
    for key, value in zip(k, v):
        W = W + eta * torch.outer(value - W @ key, key)
    return W


def all_pairs(W, eta):
    return W - eta * (k @ W.T - v).T @ k


def far(step, eta, rounds=13):
    """Distance to the best matrix before each round."""
    W, found = torch.zeros(2, 2, dtype=double), []
    for _ in range(rounds):
        found.append((W - best).norm().item())
        W = step(W, eta)
    return found


rates = torch.linspace(0.5, 1.5, 41).tolist()
tuned = {step: min(rates, key=lambda eta: far(step, eta)[8]) for step in (pair_by_pair, all_pairs)}
print("left by a round at rate 1:", {step.__name__: round(far(step, 1.0)[8] / far(step, 1.0)[7], 2) for step in tuned})

# %%
curves = {
    f"descent on both pairs, its best rate, {tuned[all_pairs]:.2f}": (far(all_pairs, tuned[all_pairs]), dict(color=GREYS[0], marker="s")),
    "delta rule, rate 1": (far(pair_by_pair, 1.0), LOOKS["delta"].line()),
    f"delta rule, its best rate, {tuned[pair_by_pair]:.2f}":
        (far(pair_by_pair, tuned[pair_by_pair]), LOOKS["delta"].line() | {"linestyle": "solid"}),
    "recursive least squares":
        ([(least_squares(k.repeat(n, 1), v.repeat(n, 1), 1e-8) - best).norm() for n in range(13)], LOOKS["ridge"].line()),
}  # fmt: skip
figure, axes = plt.subplots(figsize=(6.8, 3.6), layout="constrained")
for name, (distance, look) in curves.items():
    axes.semilogy(distance, **look, markersize=4, label=name)
tidy(axes, "Distance to the best matrix", "rounds over both pairs", "norm of the difference")
figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=2)
show(figure, alt="Distance to the best matrix on a logarithmic scale. Recursive least squares is down to a hundred-millionth after one "
     "round. Descent on both pairs falls slowest, the delta rule at rate 1 faster, and at its best rate much faster still.")

# %% [markdown]
# *Distance by round.* RLS is there after one round, up to its tiny penalty of $10^{-8}$, because of which the tuned delta rule
# passes it in the end. From its second round on the delta rule leaves $(k_1 \cdot k_2)^2 = 0.36$ of the distance each time, at
# rate 1; descent on both pairs at once leaves 0.6 at best, because neither pair sees what the other has just written. A rate
# a little above 1 helps the delta rule, since an overshoot makes up in advance for a part of what the next write damages.

# %% [markdown]
# RLS has its price: $P$, as large as the memory itself, is a memory too, which is written with every pair and remembers
# which keys have been.
#
# And of a key that came with two values it answers the *mean*, because that is best for both pairs. Best on all pairs and
# right about now are two aims; exercise 4 brings them together.

# %% [markdown]
# ## What if a write looks back a little?
#
# The delta rule damages older pairs because it looks at the newest alone; ridge looks at all. Between them stands
# **[Omega](glossary.md#omega-rule)** (eq. 68). Each write lowers the loss of the last $c$ pairs, the
# [window](glossary.md#window), with weights $\gamma_i$, all errors being those of the same $W_{t-1}$:
#
# $$W_t = \alpha W_{t-1} - \eta \sum_{i=t-c+1}^{t} \gamma_i\, (W_{t-1} k_i - v_i)\, k_i^\top$$
#
# With $c = 1$ it is the delta rule. The last $c$ pairs have to be kept beside the matrix.

# %% [markdown]
# **Erratum, eq. 68.** The long version prints
#
# $$\mathcal{M}_t = \alpha_t \mathcal{M}_{t-1} - \sum_{i=t-c+1}^{t} \gamma_{t,i}\, \tilde{\mathcal{L}}(\mathcal{M}_t;\, \phi(k_i), v_i)$$
#
# As it stands, a number is subtracted from a matrix: the $\nabla$ before $\tilde{\mathcal{L}}$ is missing. With it, at
# $\mathcal{M}_{t-1}$ as in eq. 64 to 67, this is the explicit step above. At the printed $\mathcal{M}_t$ the unknown stands
# on both sides, and solving for it gives an *implicit* step, which chapter 02 meets as the
# [proximal step](glossary.md#proximal-step).
#
# What is a longer window worth? Below, 64 random pairs are written to matrices of width 32, which can hold half as many.

# %%
predict("01-window")

# %%
from nlcore.memory import Omega

draw = torch.Generator().manual_seed(0)
keys, values = F.normalize(torch.randn(2, 64, 20, 32, generator=draw, dtype=double), dim=-1)  # 20 streams
windows, rates = (1, 2, 4, 8, 16), (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.3)


def wrong(c, eta):
    """Squared errors of all pairs, (64, streams), after a pass with windows of c."""
    memory = AssociativeMemory(Linear(32, 32), L2(), Omega((1.0,) * c), Decay())
    W = learn(memory, keys, values, eta=eta)
    return (torch.einsum("soi,tsi->tso", W, keys) - values).square().sum(-1)


errors = {(c, eta): wrong(c, eta) for c in windows for eta in rates}
print("window   " + "".join(f"{f'last {n}':>16}" for n in (4, 8, 16)) + "   (each at its own best rate)")
for c in windows:
    print(f"{c:6}   ", end="")
    for n in (4, 8, 16):
        best_rate = min(rates, key=lambda eta: errors[c, eta][-n:].mean().nan_to_num(torch.inf))
        per_stream = errors[c, best_rate][-n:].mean(0)
        print(f"{per_stream.mean():8.3f} ± {1.96 * per_stream.std() / 20**0.5:.3f}", end="")
    print()

# %%
OMEGA = {1: (LOOKS["delta"].colour, "dotted"), 4: ("#8833EE", "dashdot"), 8: ("#8833EE", "dashed"), 16: ("#8833EE", "solid")}
figure, axes = plt.subplots(figsize=(7.2, 3.5), layout="constrained")
for c, (colour, dash) in OMEGA.items():
    by_age = errors[c, 0.5].flip(0)
    mean, half = by_age.mean(1), 1.96 * by_age.std(1) / by_age.shape[1] ** 0.5
    axes.plot(mean, color=colour, linestyle=dash, label="delta (a window of 1)" if c == 1 else f"Omega, a window of {c}")
    axes.fill_between(range(64), mean - half, mean + half, color=colour, alpha=0.12, linewidth=0)
    axes.plot([c - 1], [mean[c - 1]], "o", color=colour)  # the oldest pair that the last write looked at
axes.set(xlim=(-0.5, 63), ylim=(0, 2.6))
tidy(axes, "What the last write could see is recalled best", "age (pairs that came after)", "recall error (1 is silence)")
axes.legend(frameon=False, fontsize=9)
show(figure, alt="Recall error against age for windows of 1, 4, 8 and 16. Omega's curves fall at first, "
     "stay low up to the age where the window ends, marked by a dot, and climb beyond it: the longer the window, the longer it stays "
     "low and the higher it ends. The delta rule's climbs slowly from 0.3 to 0.9.")

# %% [markdown]
# *Error by age at $\eta = 0.5$, 20 streams with 95% intervals; a dot ends each window.* A window serves its own pairs,
# though not yet the newest one or two, which have hardly been looked at. Hence the table: the last 4 pairs fare best with a window of 4,
# the last 8 with 8, the last 16 with 16 (against any other, in 19 of the 20 streams or in all), and a longer one is worse
# for them. The room is taken from the older pairs, since the matrix is full: under Omega they end worse than silence at
# this rate.

# %% [markdown]
# ## Must the memory be a matrix?
#
# A matrix answers $-k$ with minus its answer to $k$. If both keys should get *the same* value, the best it can do is to be
# silent. A network with a nonlinear function in between can do it: $\mathcal{M}(k) = W_\text{out}\, \mathrm{silu}(W_\text{in}\, k)$, with
# $\mathrm{silu}(x) = x / (1 + e^{-x})$, written by the same gradient step in each layer (chapter 02).

# %% [markdown]
# So an MLP knows other functions. Does it also *hold* more? In the first picture it does, with $8 d^2$ numbers against $d^2$.
# Fair rivals have equally many: a narrower MLP against the matrix, and against the wide MLP a matrix that reads $8d$ random
# features of the key, $\mathrm{silu}(R k)$ with an $R$ that stays as it was drawn. All see each pair 30 times, at the best
# of eleven rates.

# %%
from nlcore.memory import DeepMLP


def store(features, trained, d=16, streams=8, counts=(8, 16, 32, 64)):
    """(counts, streams) errors at the best rate: on `features` of the key (0: on the key), themselves trained or not."""
    rates = torch.tensor([0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 1.2, 1.4, 2.0, 2.8])
    draw, batch, errors = torch.Generator().manual_seed(0), (len(rates), streams), []
    keys, values = F.normalize(torch.randn(2, max(counts), streams, d, generator=draw), dim=-1)
    R = torch.randn(features, d, generator=draw)
    inside = F.silu(keys @ R.T) if features else keys
    x, architecture, start = inside, Linear(inside.shape[-1], d), None
    if trained:
        x, architecture, start = keys, DeepMLP((d, features, d)), (torch.zeros(d, features), R)
    memory = AssociativeMemory(architecture, L2(), GradientDescent(), Decay())
    eta = (rates / inside.square().sum(-1).mean())[:, None].expand(batch)
    for n in counts:
        state = memory.start(batch, start)
        for t in range(30 * n):
            key, value = (part[t % n].expand(*batch, -1) for part in (x, values))
            state, report = memory.write(state, key, value, Rates(eta, torch.ones(batch)))
        off = architecture.read(state.memory, x[:n].transpose(0, 1)) - values[:n].transpose(0, 1)
        off = off.square().sum(-1).mean(-1).nan_to_num(torch.inf)
        errors.append(off[off.mean(1).argmin()])
    return torch.stack(errors)


# %%
arms = {"matrix, d² numbers": (0, False), "MLP, d²": (8, True), "matrix on features, 8d²": (128, False), "MLP, 8d²": (64, True)}
print("pairs stored, at width 16" + "".join(f"{n:>15}" for n in (8, 16, 32, 64)))
for name, (features, trained) in arms.items():
    print(f"{name:25}" + "".join(f"{row.mean():7.3f} ± {1.96 * row.std() / 8**0.5:.3f}" for row in store(features, trained)))

# %% [markdown]
# With equally many numbers the MLP holds no more, and where the two clearly differ the matrix is ahead. Nor could an MLP
# beat the *best* matrix: $n$ random values are $n d$ numbers, no memory is exact for more of them than it has itself, and
# the best matrix reaches that bound. What an MLP buys is other *functions*, which pays where values are no linear function
# of their keys.

# %% [markdown]
# ## What is kept of the old?
#
# Who reads without end has to let go of something, and the fourth choice says of what.
# **[Decay](glossary.md#decay)** multiplies the matrix by $\alpha$ and so fades everything, even what the
# memory knew from its start. **Pull to start** fades only what has come since:
#
# $$W \leftarrow \alpha W \qquad\qquad W \leftarrow W_0 + \alpha\, (W - W_0)$$
#
# Below, a memory knows 8 words from its start $W_0$, and then 32 others are written (a word is a pair, as in chapter 00).
# What does it cost the new to save the old?

# %%
from nlcore.viz.explorers.forgetting_curve import forgetting_curve

forgetting_curve()

# %% [markdown]
# *Recall at $\alpha = 0.95$ and $\eta = 1$, mean of 50 streams; at the right of each plot stand the words of the start.* Under
# decay little is left of the start, most in the Hebbian memory, which never erases. Pulled to their start, all know those
# words again, with cosines of 0.74 and more. The price is a lower recall of the new words, by 0.04 to 0.07 on average, and
# by 0.12 in the Hebbian memory, because the start now has a part in every answer.

# %% [markdown]
# ## Does exact recall carry over?
#
# Suppose that values come from a hidden matrix, $v = A k$, and carry noise. A memory that is exact has stored the noise as well,
# so how wrong is it on keys that it has *not* seen? (“Did it learn, or memorise?”, one often asks. That is not the paper's
# distinction, for which both are memory.)
#
# Two things can hold a memory back: the penalty $\lambda$ of ridge, or few steps of descent.

# %%
from nlcore.viz.explorers.learn_or_memorise import learn_or_memorise

learn_or_memorise().predict("01-noise")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *32 noisy pairs, width 32.* Left: with hardly any penalty the stored pairs are exact, and unseen keys are answered far
# worse than by silence (which costs 1 there, and 1.25 on stored pairs, as their noise has a size too). Right: the same by
# the number of steps, because early steps fit $A$ and late ones the noise. So a few steps act like a penalty.
#
# </details>

# %%
from nlcore.viz.explorers.learn_or_memorise import compute as generalise

for pairs in (8, 16, 32, 64, 128):
    found = generalise(pairs, noise=0.5, width=32).ridge
    print(f"{pairs:3} pairs: on unseen keys {found.unseen[0]:5.2f} at the least penalty, 0.0001, and {found.unseen.min():.2f} at the best")

# %% [markdown]
# With hardly any penalty the error falls at first, is worst where there are as many pairs as numbers in a key, and falls
# again beyond: *double descent* (Belkin et al., 2019; by the number of pairs, as here, Nakkiran, 2019). With the best
# penalty, chosen in hindsight, there is no such rise in this table, and more pairs are always better.

# %% [markdown]
# ## Where are we in the nest?
#
# To close, a real [level score](glossary.md#level-score): 12 pairs of width 16 are read four times over, by the delta rule and by RLS.

# %%
import numpy as np
from nlcore.viz.roll import Row, roll
from nlcore.viz.theme import level_looks

draw = torch.Generator().manual_seed(0)
keys, values = F.normalize(torch.randn(2, 12, 16, generator=draw, dtype=double), dim=-1)
W, W_rls, P, change = torch.zeros(16, 16, dtype=double), torch.zeros(16, 16, dtype=double), 100 * torch.eye(16, dtype=double), []
for key, value in zip(keys.repeat(4, 1), values.repeat(4, 1)):
    gain = P @ key / (1 + key @ P @ key)
    steps = torch.outer(value - W @ key, key), torch.outer(gain, P @ key), torch.outer(value - W_rls @ key, gain)
    W, P, W_rls = W + steps[0], P - steps[1], W_rls + steps[2]
    change.append([(step.norm() / matrix.norm()).item() for step, matrix in zip(steps, (W, P, W_rls))])
rows = [Row(name, "every pair", level_looks(["memory"])["memory"].colour) for name in ("delta: W", "RLS: P", "RLS: W")]
figure, axes = plt.subplots(figsize=(10, 2.2), layout="constrained")
roll(axes, rows, np.arange(48), np.arange(48) + 1, np.array(change).T, np.ones((3, 48), dtype=int))
axes.set(xlim=(0, 48), xticks=range(0, 49, 12), xlabel="pairs read (twelve are a round)")
show(figure, alt="A level score of three rows over 48 pairs. The delta rule's matrix changes with every pair, a little less "
     "in each of the four rounds; both matrices of recursive least squares change strongly in the first round, and hardly after it.")

# %% [markdown]
# *Brightness is how much a matrix changes with a pair. Blue is `memory`, as on the map below, not the Hebbian rule.* Who
# writes? The rule, which nobody trains here. Into what? One matrix, or two. How often? With every pair. From which context?
# These pairs alone. To whom is knowledge handed? $P$ hands its gain to the $W$ of RLS; and since at equal frequency whoever
# is needed comes first (Def. 2), $P$ is a [level](glossary.md#level) of its own, above $W$: the first nest. RLS is done
# after one round, while the delta rule still mends what it damages. Keys and values have no row: nothing makes them yet.

# %%
from nlcore.viz.hope_map import hope_map

hope_map(1)

# %% [markdown]
# *New: a third of `memory`, the fastest part of Hope.* It is written from tokens, several times within a text, and made of
# the four choices. Chapter 05 adds a rule that erases before it writes, and chapter 06 the memory's place in a model.

# %% [markdown]
# ## Summary
#
# 1. A memory is four choices: architecture, objective, rule, retention.
# 2. Adding answers a key with the sum of all its values; correcting overwrites. In a full matrix either has its price.
# 3. The best matrix holds as many pairs as a key has numbers; RLS reaches it in one pass, with a second matrix.
# 4. Windows and retention move the error between new pairs, old ones and the start. An MLP with as many numbers holds no
#    more random pairs than a matrix.
# 5. Exact recall of as many noisy pairs as a key has numbers carries over badly; a penalty, or few steps, mend it.

# %% [markdown]
# ## Sources
#
# - Behrouz, Razaviyayn, Zhong, Mirrokni (2025), [Nested Learning](https://arxiv.org/abs/2512.24695), sections 2, 3.1, 5;
#   four choices as in Behrouz et al. (2025), [Miras](https://arxiv.org/abs/2504.13173); Omega:
#   [Atlas](https://arxiv.org/abs/2505.23735).
# - Adding: Kohonen (1972), [Correlation matrix memories](https://doi.org/10.1109/TC.1972.5008975); Hopfield (1982),
#   [Neural networks and physical systems](https://doi.org/10.1073/pnas.79.8.2554); Schmidhuber (1992), [Learning to control
#   fast-weight memories](https://doi.org/10.1162/neco.1992.4.1.131); Katharopoulos et al. (2020), [Transformers are
#   RNNs](https://arxiv.org/abs/2006.16236).

# %% [markdown]
# - Correcting: Widrow and Hoff (1960),
#   [Adaptive switching circuits](https://isl.stanford.edu/~widrow/papers/c1960adaptiveswitching.pdf), IRE WESCON Convention
#   Record 4, 96-104; Kaczmarz (1937), Angenäherte Auflösung von Systemen linearer Gleichungen, Bulletin international de
#   l'Académie polonaise des sciences et des lettres A 35, 355-357; normalised LMS: Nagumo and Noda (1967), A learning method
#   for system identification, IEEE Transactions on Automatic Control 12, 282-287; Schlag et al. (2021), [Linear
#   Transformers are secretly fast weight programmers](https://arxiv.org/abs/2102.11174), which brings overwriting to them.

# %% [markdown]
# - One pass: Plackett (1950), [Some theorems in least squares](https://doi.org/10.1093/biomet/37.1-2.149); as a layer, von
#   Oswald et al. (2023), [Uncovering mesa-optimization](https://arxiv.org/abs/2309.05858).
# - Oja (1982), [A simplified neuron model](https://doi.org/10.1007/BF00275687); Irie et al. (2022),
#   [OjaNet](https://arxiv.org/abs/2206.01649).
# - Belkin et al. (2019), [Reconciling modern machine learning and bias-variance](https://arxiv.org/abs/1812.11118);
#   Nakkiran (2019), [More data can hurt for linear regression](https://arxiv.org/abs/1912.07242).

# %% [markdown]
# ## Exercise 1: the delta rule (easy, 5 minutes)
#
# Code one write of the delta rule with retention. `W` is (d_v, d_k). Take the error before the decay, so that the matrix is
# asked as it was.
#
# <details><summary>Hint</summary>
#
# Multiply out the bracket in the chapter's formula: $W_{t-1}$ stands in two places, and only one of them is multiplied by
# $\alpha$. `torch.outer(a, b)` is $a b^\top$.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return alpha * W + eta * torch.outer(v - W @ k, k)`
#
# </details>

# %%
from nlcore.exercises.chapter_01 import STREAMS, check_delta, check_fading, check_harm, check_rates


def delta_write(W, k, v, alpha, eta):
    """The new matrix."""
    return W


print(check_delta(delta_write))

# %% [markdown]
# ## Exercise 2: facts that change (middle, 20 minutes)
#
# *Diagnose.* `STREAMS[name](seed)` gives 120 pairs `k`, `v` of four keys, and then the four keys with their true values
# *now*. In one stream values change often; in one never, but they are told with noise; in one they change seldom and are
# noisy. Which rule, `"Hebbian"` or `"delta"`, and which rate answer best at the end? The check uses seeds of its own.
#
# <details><summary>Hint</summary>
#
# Write a loop over rates, and average the error over twenty seeds. What does a write at rate $\eta$ leave of what the same
# key was told $n$ writes ago?
#
# </details>

# %% [markdown]
# <details><summary>Solution</summary>
#
# `{"A": ("delta", 1.0), "B": ("delta", 0.1), "C": ("delta", 0.35)}`. Under the delta rule an answer is a mean of what was
# told, with weights $\eta (1 - \eta)^n$: a small rate averages noise away, and a large one lets go of the past. Where
# nothing changes, adding at a rate of one by the number of writes is a mean as well, but you must know that number.
#
# </details>

# %%
told, values_told, asked, now = STREAMS["A"](0)
W = learn(AssociativeMemory(Linear(4, 4), L2(), GradientDescent(), Decay()), told, values_told, eta=0.5)
print("stream A, delta at 0.5, one seed: error", round((asked @ W.T - now).square().sum(1).mean().item(), 3))
chosen = {"A": None, "B": None, "C": None}  # for example ("delta", 0.5)
print(check_rates(chosen))

# %% [markdown]
# ## Exercise 3: where adding wins (middle, 10 minutes)
#
# *Break.* In the first picture correcting lies below adding throughout. Find two pairs of width 2, all vectors of length one,
# each written once at $\eta = 1$, of which the Hebbian memory recalls more: its squared error over both is to be smaller by
# a tenth or more. The keys must differ.

# %% [markdown]
# <details><summary>Hint</summary>
#
# The first key hears what is written *second*. Which second value makes that write as large as possible?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor([[1.0, 0.0], [-1.0, 0.0]])`. The second key says $0.6\, v_1$
# and should say $-v_1$, so that $-1.6\, v_1$ is written. Alike keys with opposite values are what correcting handles worst.
#
# </details>

# %%
def pairs_for_adding():
    """Keys and values, (2, 2) each, a pair per row."""
    return None


print(check_harm(pairs_for_adding))

# %% [markdown]
# ## Exercise 4: best, and up to date (hard, 20 minutes)
#
# *Build.* Teach recursive least squares to forget. With every write all older pairs, and the penalty, shall count for
# $\alpha$ of what they did, so that $P_t^{-1} = \alpha P_{t-1}^{-1} + k_t k_t^\top$, and $W$ is best for pairs so weighted.
# Return the new `W` and the new `P`.

# %% [markdown]
# <details><summary>Hint</summary>
#
# Go through the derivation once more: $W_t P_t^{-1} = \alpha W_{t-1} P_{t-1}^{-1} + v_t k_t^\top$. What is still $W_{t-1}$
# times? And $P_{t-1} / \alpha$ now stands where $P_{t-1}$ stood in the gain.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `gain = P @ k / (alpha + k @ P @ k)`
# then `return W + torch.outer(v - W @ k, gain), (P - torch.outer(gain, P @ k)) / alpha`
#
# </details>

# %%
def fading_write(W, P, k, v, alpha):
    """The new W and the new P."""
    return W, P


print(check_fading(fading_write))
