# %% [markdown]
# # 01 · Associative memory: the four choices
#
# **After this notebook** you can build any memory of the paper from four choices, say how many pairs
# it holds and what it forgets first, and tell a memory that learnt a rule from one that learnt noise.
#
# **You need** notebook 00, and matrix products. **Time:** 35 minutes; the cells take under a minute on
# a laptop.

# %% [markdown]
# ## How many pairs can a memory hold?
#
# Six memories store the same pairs of keys and values. Then each is asked for every value again. The
# curves show how wrong the answers are, by the number of pairs. On the right, how much of each value is
# in each answer of the memory you look at, beyond what belongs there: if all were exact, you would see a
# dark red diagonal on white.
#
# How many pairs can a matrix store without error, and does the way of writing matter?

# %%
from nlcore.viz.explorers.store_and_recall import store_and_recall

store_and_recall().predict("01-hold")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Recall error at width 32, random keys.* The best matrix there is (ridge, here with no penalty) is
# exact up to 32 pairs, as many as a key has numbers. No rule that writes each pair once gets there,
# unless the keys are orthonormal. An MLP goes beyond, if it sees the pairs again and again.
#
# </details>

# %% [markdown]
# Colour off the diagonal is **crosstalk**: an answer that contains other pairs' values. The rest of
# this chapter says where it comes from, and which choice fights it.

# %% [markdown]
# ## What are the four choices?
#
# A memory maps keys to values. One write changes it so that some loss on the new pair gets smaller:
#
# $$W_t = \mathrm{keep}(W_{t-1}, \alpha) - \eta\, \nabla_W\, \mathcal{L}(W_{t-1} k_t,\, v_t)$$
#
# Eq. 64 to 68 of the paper are this line, with four things chosen:
#
# | choice | question | in this chapter |
# |---|---|---|
# | architecture | which function of the key? | matrix, MLP |
# | objective | which loss? (“attentional bias”) | dot product, L2, Huber, Lp |
# | rule | how is the loss lowered? | gradient descent, Oja, Omega |
# | retention | what is kept of the old? | decay, pull to start |

# %% [markdown]
# Two pairs go with us through the chapter. Both keys have length one, and they are not orthogonal:
# $k_1 \cdot k_2 = 0.6$. The values are as simple as can be.
#
# `learn` writes pairs, one after the other, into a memory that starts at zero. All the choices are in
# `memory`.

# %%
import torch
from nlcore.memory import L2, AssociativeMemory, Decay, DotProduct, GradientDescent, Linear, Rates

torch.set_printoptions(precision=3, sci_mode=False)
k = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
v = torch.tensor([[1.0, 0.0], [0.0, 1.0]])


def learn(memory, k, v, eta=1.0, alpha=1.0):
    """The matrix of a linear memory, after writing the pairs in turn."""
    state = memory.start()
    for key, value in zip(k, v):
        state, report = memory.write(state, key, value, Rates(torch.tensor(eta), torch.tensor(alpha)))
    return state.memory[0]


hebbian = AssociativeMemory(Linear(2, 2), DotProduct(), GradientDescent(), Decay())
W = learn(hebbian, k, v)
print(W, "\nanswers (a row each):\n", k @ W.T)

# %% [markdown]
# ## What if we only add?
#
# Take the objective $-\langle W k, v \rangle$. Its gradient is $-v k^\top$, whatever $W$ answers, so
# every write adds the pair in full (eq. 64). This is the **Hebbian** rule, and the printout above:
# $W = v_1 k_1^\top + v_2 k_2^\top$.
#
# Asked for $k_1$ it answers $v_1 + (k_1 \cdot k_2)\, v_2 = (1,\ 0.6)$. The 0.6 is crosstalk: how alike two
# keys are is how much one answers for the other.

# %%
by_hand = torch.outer(v[0], k[0]) + torch.outer(v[1], k[1])
assert torch.allclose(W, by_hand)
assert torch.allclose(W @ k[0], v[0] + (k[0] @ k[1]) * v[1])
print(W @ k[0])

# %% [markdown]
# With a feature map $\phi$ on keys and queries this is the *fast-weight programmer* (eq. 5):
#
# $$M_t = \alpha M_{t-1} + v_t\, \phi(k_t)^\top \qquad\qquad y_t = M_t\, \phi(q_t)$$
#
# Write the sum out and no matrix is left: $y_t = \sum_{s \le t} \alpha^{t-s}\, (\phi(k_s) \cdot \phi(q_t))\, v_s$.
# That is linear attention with decay: causal, because a pair that is not written yet has no weight. The cell
# computes it both ways.

# %%
import torch.nn.functional as F

T, d, alpha = 12, 8, 0.8
draw = torch.Generator().manual_seed(1)
keys, values, queries = torch.randn(3, T, d, generator=draw)
phi = lambda x: F.elu(x) + 1  # any map would do; this one keeps weights positive

age = torch.arange(T)[:, None] - torch.arange(T)
weights = (phi(queries) @ phi(keys).T) * torch.where(age >= 0, alpha ** age.clamp(min=0), 0.0)
attention = weights @ values  # all tokens at once

memory = AssociativeMemory(Linear(d, d), DotProduct(), GradientDescent(), Decay())
for t in range(T):  # token by token
    M = learn(memory, phi(keys[: t + 1]), values[: t + 1], alpha=alpha)
    assert torch.allclose(M @ phi(queries[t]), attention[t], atol=1e-4)
print("the memory's answers are attention's, at each of", T, "tokens")

# %%
import matplotlib.pyplot as plt
from nlcore.viz.show import show
from nlcore.viz.theme import looks, tidy

figure, axes = plt.subplots(figsize=(5.2, 3.8), layout="constrained")
image = axes.imshow(weights, cmap="cividis")
tidy(axes, "Weight of each pair in each answer", "pair written (token s)", "query asked (token t)")
axes.grid(False)
figure.colorbar(image, label="weight (number)")
show(figure, alt="A lower triangle of weights: bright near the diagonal, fading to the left with age; nothing above "
     "the diagonal, because those pairs are not written yet.")

# %% [markdown]
# ## What if we write only what is wrong?
#
# Take the objective $\lVert W k - v \rVert^2 / 2$ instead. Its gradient is $(W k - v)\, k^\top$: the write is
# the error of the memory's own answer. This is the **delta rule** (eq. 65, with a retention $\alpha$ added):
#
# $$W_t = W_{t-1} (\alpha I - \eta\, k_t k_t^\top) + \eta\, v_t k_t^\top$$

# %% [markdown]
# **Erratum, eq. 65.** The long version of the paper (arXiv 2512.24695) prints the factor on the left, and no $\alpha$:
#
# $$\mathcal{M}_t = (I - \eta_t k_t k_t^\top)\, \mathcal{M}_{t-1} + \eta_t v_t k_t^\top$$
#
# The gradient under its brace, $(\mathcal{M}_{t-1} k_t - v_t)\, k_t^\top$, puts it on the right, where keys come in; so it
# is a slip of the pen, and all that the paper builds on the rule stands.
#
# Our two pairs are written once more, with $\eta = 1$. Only the objective changes in the code.

# %%
from nlcore.viz.predictions import predict

predict("01-exact")

# %%
delta = AssociativeMemory(Linear(2, 2), L2(), GradientDescent(), Decay())
W = learn(delta, k, v)

by_hand = torch.outer(v[0], k[0])
by_hand = by_hand + torch.outer(v[1] - by_hand @ k[1], k[1])  # the error, under the second key
assert torch.allclose(W, by_hand, atol=1e-6)
print(W, "\nanswers (a row each):\n", k @ W.T)

# %% [markdown]
# The last pair is exact. The first was damaged: before the second write, $k_2$ was answered
# $(0.6, 0)$, so $(-0.6, 1)$ was written under $k_2$, and $k_1$ hears 0.6 of it: $(1 - 0.36,\ 0.6)$. If keys are
# orthogonal nothing is heard. So the delta rule keeps orthonormal keys exactly, up to as many as
# there are dimensions, and not one more:

# %%
for d in (16, 32, 64, 128):
    draw = torch.Generator().manual_seed(d)
    keys, _ = torch.linalg.qr(torch.randn(d, d, generator=draw))  # d orthonormal rows
    values = F.normalize(torch.randn(d + 1, d, generator=draw), dim=-1)
    memory = AssociativeMemory(Linear(d, d), L2(), GradientDescent(), Decay())
    W = learn(memory, keys, values)
    assert torch.allclose(keys @ W.T, values[:d], atol=1e-5)

    one_more = F.normalize(torch.randn(1, d, generator=draw), dim=-1)
    written = values[d] - W @ one_more[0]
    after = learn(memory, torch.cat([keys, one_more]), values)
    damage = (keys @ after.T - values[:d]).square().sum()
    assert torch.allclose(damage, written.square().sum(), rtol=1e-3)
    print(f"d = {d}: {d} pairs exact; one more costs them {damage:.2f} in all")

# %% [markdown]
# What one more pair costs the others is exactly the squared error that it writes (the cell asserts it): the new
# key is a sum of the old ones, and each of those hears its share.

# %% [markdown]
# Why $\eta = 1$? After one write the answer to the same key is $(1 - \eta \lVert k \rVert^2)$ times the old
# answer plus $\eta \lVert k \rVert^2 v$. The step that makes recall exact is $\eta = 1 / \lVert k \rVert^2$, which is 1
# only for keys of length one. Beyond $2 / \lVert k \rVert^2$ every write makes the error larger. This is why layers
# normalise their keys, and exercise 3 is about it.

# %% [markdown]
# ## What keeps a matrix from growing?
#
# The Hebbian matrix grows with every repetition. **Oja's rule** (eq. 66-67) subtracts what the matrix
# holds on the side of the *value*:
#
# $$W_t = (I - \eta v_t v_t^\top) W_{t-1} + \eta v_t k_t^\top = W_{t-1} + \eta v_t (k_t - W_{t-1}^\top v_t)^\top$$
#
# Read the right side: it is the delta rule for $W^\top$, a memory that is asked for $v$ and should answer
# $k$. In code it is a rule that erases, with the Hebbian objective.

# %%
from nlcore.memory import Oja

oja = AssociativeMemory(Linear(2, 2), DotProduct(), Oja(), Decay())
again_k, again_v = k.repeat(10, 1), v.repeat(10, 1)
sizes = {}
for name, memory in {"Hebbian": hebbian, "Oja": oja, "delta": delta}.items():
    sizes[name] = [learn(memory, again_k[:n], again_v[:n]).norm() for n in range(21)]

backwards = learn(delta, again_v, again_k).T  # values as keys, keys as values
assert torch.allclose(learn(oja, again_k, again_v), backwards, atol=1e-6)
print({name: round(size[-1].item(), 2) for name, size in sizes.items()})

# %%
figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for name, look in looks(tuple(sizes)).items():
    axes.plot(sizes[name], **look.line(), markersize=4, label=name)
tidy(axes, "Two pairs, written again and again", "writes (number)", "size of the matrix (norm)")
axes.set_xticks(range(0, 21, 5))
axes.legend(frameon=False)
show(figure, alt="The Hebbian matrix grows in a straight line to 14. Oja's stays at 1.41 and the delta rule's settles "
     "near 1.77.")

# %% [markdown]
# **Erratum, eq. 66-67.** The long version prints the rule, and the gradient under 67's brace, as
#
# $$\mathcal{M}_t = \alpha_t \mathcal{M}_{t-1} + \eta_t v_t \left( \phi(k_t)^\top - \mathcal{M}_{t-1}^\top v_t \right)
#   \qquad \nabla \tilde{\mathcal{L}} = \mathcal{M}_{t-1}^\top v_t - v_t\, \phi(k_t)^\top$$
#
# In 66 a transpose is missing: $\phi(k)^\top$ is a row and $\mathcal{M}^\top v$ a column. In 67 a factor $v_t$ has gone with it,
# since a matrix cannot be taken from a vector. But the objective in the line below,
# $-2 \langle \mathcal{M} k, v \rangle + \lVert \mathcal{M}^\top v \rVert^2$, is right, and so we can ask autograd what was meant.

# %%
draw = torch.Generator().manual_seed(2)
key, value = torch.randn(2, 1, generator=draw), torch.randn(3, 1, generator=draw)  # columns
M = torch.randn(3, 2, generator=draw, requires_grad=True)

print("printed: a row", list(key.T.shape), "minus a column", list((M.T @ value).shape))
objective = -2 * (value.T @ M @ key).sum() + (M.T @ value).square().sum()
(gradient,) = torch.autograd.grad(objective, M)
corrected = value @ (M.T @ value - key).T  # with the transpose, both are rows
assert torch.allclose(gradient / 2, corrected, atol=1e-6)  # the 2 is part of eta
print("half of autograd's gradient is v (M^T v - k)^T, of shape", list(corrected.shape))

# %% [markdown]
# ## Which matrix is the best one?
#
# So far each pair was seen once. Definition 1 of the paper asks for more: the memory that is best on
# *all* pairs (eq. 6),
#
# $$\mathcal{M}^{*} = \arg\min_{\mathcal{M}}\; \mathcal{L}(\mathcal{M}(K);\, V)$$
#
# For a matrix and L2 it can be solved at once. With a penalty $\lambda \lVert W \rVert^2 / 2$ it is **ridge
# regression**, $W^{*} = V^\top K (K^\top K + \lambda I)^{-1}$, rows of $K$ and $V$ being the pairs. Two keys in two
# dimensions: with $\lambda = 0$ both must be exact.

# %%
from nlcore.memory import ridge

best = ridge(k, v)
print(best, "\nanswers (a row each):\n", (k @ best.T).round(decimals=3))
assert torch.allclose(best, torch.tensor([[1.0, -0.75], [0.0, 1.25]]), atol=1e-6)

lam = 0.1
formula = v.T @ k @ torch.linalg.inv(k.T @ k + lam * torch.eye(2))
assert torch.allclose(ridge(k, v, lam), formula, atol=1e-6)
assert torch.allclose(best, torch.linalg.lstsq(k, v).solution.T, atol=1e-6)

# %% [markdown]
# Check by hand: the first row must answer 1 to $(1, 0)$ and 0 to $(0.6, 0.8)$, so it is $(1, -0.75)$.
#
# Every inner loop on the L2 objective tries to reach this matrix. The delta rule gets closer each time it
# sees the pairs again; gradient descent on all pairs at once does too. Which of them is quicker?

# %%
descent = torch.zeros(2, 2)
away = {"delta rule, pair by pair": [], "gradient descent, all pairs": []}
for n in range(31):
    away["delta rule, pair by pair"].append((learn(delta, k.repeat(n, 1), v.repeat(n, 1)) - best).norm())
    away["gradient descent, all pairs"].append((descent - best).norm())
    descent = descent - 0.6 * (k @ descent.T - v).T @ k

for far, share in zip(away.values(), (0.36, 0.76)):
    assert far[-1] < 1e-3 and abs(far[8] / far[7] - share) < 0.01

figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for name, look in looks(tuple(away)).items():
    axes.semilogy(away[name], **look.line(), markersize=4, label=name)
tidy(axes, "Distance to the best matrix", "rounds over both pairs (number)", "distance (norm of the difference)")
axes.legend(frameon=False)
show(figure, alt="Two straight lines fall on a logarithmic scale; the delta rule, pair by pair, falls faster than "
     "gradient descent on all pairs, and stops at one ten-millionth.")

# %% [markdown]
# *Distance by round.* Straight lines on a logarithmic axis: each round leaves the same share. The delta rule leaves
# $(k_1 \cdot k_2)^2 = 0.36$, because its second write already sees what the first one did. Descent on all pairs
# leaves 0.76 with this step, and would leave 0.6 with its best one, $\eta = 1$. The lower curve ends where
# 32-bit numbers do.

# %% [markdown]
# ## What if a write looks back a little?
#
# The delta rule looks at one pair, ridge at all. **Omega** (eq. 68) stands between: each write lowers the
# loss of the last $c$ pairs, each with a weight $\gamma_i$, all gradients taken at $W_{t-1}$:
#
# $$W_t = \alpha W_{t-1} - \eta \sum_{i=t-c+1}^{t} \gamma_i\, (W_{t-1} k_i - v_i)\, k_i^\top$$
#
# With $c = 1$ it is the delta rule. The memory must carry the last pairs along: its state now has a window.

# %%
from nlcore.memory import Omega


def omega(d, *gammas):
    return AssociativeMemory(Linear(d, d), L2(), Omega(gammas), Decay())


assert torch.allclose(learn(omega(2, 1.0), k, v), learn(delta, k, v))
W = learn(delta, k[:1], v[:1], eta=0.5)  # after the first pair
for i in (0, 1):  # the second write: both pairs, both gradients at the same W
    gradient = torch.outer(W @ k[i] - v[i], k[i])
    print("pair", i + 1, "adds", -0.5 * gradient)
    by_hand = gradient if i == 0 else by_hand + gradient
assert torch.allclose(learn(omega(2, 1.0, 1.0), k, v, eta=0.5), W - 0.5 * by_hand)

# %% [markdown]
# **Erratum, eq. 68.** The long version prints
#
# $$\mathcal{M}_t = \alpha_t \mathcal{M}_{t-1} - \sum_{i=t-c+1}^{t} \gamma_{t,i}\, \tilde{\mathcal{L}}(\mathcal{M}_t;\, \phi(k_i), v_i)$$
#
# As it stands a number is taken from a matrix: the $\nabla$ before $\tilde{\mathcal{L}}$ is missing. With it back, the argument
# decides what kind of step this is. At $\mathcal{M}_{t-1}$, as in eq. 64 to 67, it is the explicit step above. At the printed
# $\mathcal{M}_t$ the unknown stands on both sides, and whoever solves for it takes the *implicit* step, which chapter 02 meets
# again as the proximal one.
#
# Below, both make 40 writes that each look at both pairs, first at a small rate and then at a rate of 2.

# %%
def slope(M):
    return (k @ M.T - v).T @ k  # the gradient of both pairs' loss


def explicit(M, gamma):
    return M - gamma * slope(M)


def implicit(M, gamma):
    after = torch.linalg.solve(torch.eye(2) + gamma * k.T @ k, M + gamma * v.T @ k, left=False)
    assert torch.allclose(after, M - gamma * slope(after), atol=1e-5)  # it stands on both sides
    return after


ends = {}
for gamma in (0.5, 2.0):
    for step in (explicit, implicit):
        M = torch.zeros(2, 2)
        for _ in range(40):
            M = step(M, gamma)
        ends[step, gamma] = (k @ M.T - v).square().sum().item() / 2
        print(f"gamma {gamma}, {step.__name__}: loss {ends[step, gamma]:.1g}")
assert ends[explicit, 0.5] < 1e-3 and ends[explicit, 2.0] > 1e6 and ends[implicit, 2.0] < 1e-6

# %% [markdown]
# Silence costs 1. At a small rate both learn the pairs; at 2 the explicit step overshoots further each time, because
# the two keys together ask for more than it may walk, while the implicit step sees where it arrives. That safety costs a
# system to solve at each write, which is why Omega in this package (and in the rest of the course) is explicit.
#
# What is a longer window worth? Below, 64 random pairs are written to a matrix of width 32, which is twice
# what it can hold, and each write looks back at the last $c$ of them.

# %%
predict("01-window")

# %%
draw = torch.Generator().manual_seed(0)
keys, values = F.normalize(torch.randn(2, 64, 32, generator=draw), dim=-1)
windows = (1, 2, 4, 8, 16)
errors = {"last 8 pairs": [], "first 32 pairs": []}
for c in windows:
    W = learn(omega(32, *[1.0] * c), keys, values, eta=0.5)
    wrong = (keys @ W.T - values).square().sum(-1)
    errors["last 8 pairs"].append(wrong[-8:].mean())
    errors["first 32 pairs"].append(wrong[:32].mean())
assert errors["last 8 pairs"][3] < errors["last 8 pairs"][0] / 2
assert errors["first 32 pairs"][3] > errors["first 32 pairs"][0]

figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for name, look in looks(tuple(errors)).items():
    axes.plot(windows, errors[name], **look.line(), label=name)
tidy(axes, "Looking back: what it gives, what it takes", "window c (pairs)", "recall error (1 is silence)")
axes.set(xscale="log", xticks=windows, xticklabels=windows)
axes.minorticks_off()
axes.legend(frameon=False)
show(figure, alt="As the window grows from 1 to 16 pairs the error on the last 8 pairs falls and the error on the "
     "first 32 pairs rises; at 16 pairs the last 8 are worse again.")

# %% [markdown]
# *Error by window.* Looking back makes the newest pairs agree with each other: their error is less than half of
# what it was. The room for that comes from the old pairs, whose answers are by then worse than silence. With 16
# pairs the steps add up to more than the matrix can take, and even the newest suffer.

# %% [markdown]
# ## How hard should an outlier pull?
#
# The gradient of L2 grows with the error. A single wrong value, ten times too large, is then written ten
# times as strongly. **Huber** clips the gradient at a size $\delta$; **Lp** bends it, $\mathrm{sign}(e)\, |e|^{p-1}$.
#
# Suppose a memory knows $(k_1, v_1)$, and then the pair $(k_2, 10\, v_2)$ comes by mistake. How much of the
# mistake does $k_1$ hear? By hand: 0.6 of whatever is written.

# %%
from nlcore.memory import Huber, Lp

known = torch.outer(v[0], k[0])
error = known @ k[1] - 10 * v[1]  # (0.6, -10)
for objective in (DotProduct(), L2(), Huber(1.0), Lp(1.5)):
    memory = AssociativeMemory(Linear(2, 2), objective, GradientDescent(), Decay())
    W = known - torch.outer(objective.gradient(known @ k[1], 10 * v[1]), k[1])
    state, report = memory.write(memory.start((), (known,)), k[1], 10 * v[1], Rates(torch.ones(()), torch.ones(())))
    assert torch.allclose(state.memory[0], W)
    print(f"{objective}: written with size {report.surprise:.2f}, k1 now answers {W @ k[0]}")

# %%
e = torch.linspace(-3, 3, 121)[:, None]
objectives = {"dot product, v = 1": DotProduct(), "L2": L2(), "Huber, δ = 1": Huber(1.0), "Lp, p = 1.5": Lp(1.5)}
figure, axes = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
for (name, objective), look in zip(objectives.items(), looks(tuple(objectives)).values()):
    gradient = objective.gradient(1 + e, torch.ones_like(e))
    axes.plot(e, gradient, **look.line() | {"marker": "none"}, label=name)
tidy(axes, "What an error writes", "error of the answer, M(k) - v (number)", "gradient at the answer (number)")
axes.legend(frameon=False)
show(figure, alt="Gradient against error for four objectives: L2 is a straight line, Huber the same line clipped at "
     "one, Lp bends like a square root, and the dot product is flat at minus one whatever the error.")

# %% [markdown]
# ## Must the memory be a matrix?
#
# A matrix answers $-k$ with minus its answer to $k$. If both keys should get *the same* value, no matrix can do
# it: its best answer is silence. A network with a layer in between can:
# $M(k) = W_1\, \mathrm{silu}(W_2 k)$. The write is the same line, once for each layer, with that layer's own
# input as the key. (Chapter 2 shows that this is backpropagation.)

# %%
from nlcore.memory import DeepMLP

pair_k, pair_v = torch.stack([k[0], -k[0]]), torch.stack([v[0], v[0]])
print("the best matrix answers", (pair_k @ ridge(pair_k, pair_v).T).round(decimals=3))

mlp = AssociativeMemory(DeepMLP((2, 8, 2)), L2(), GradientDescent(), Decay())
inner = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
state = mlp.start((), (torch.zeros(2, 8), inner))
for n in range(200):
    state, report = mlp.write(state, pair_k[n % 2], pair_v[n % 2], Rates(torch.tensor(0.2), torch.tensor(1.0)))
answers = torch.stack([mlp.read(state, q) for q in pair_k])
print("the MLP answers", answers)
assert torch.allclose(answers, pair_v, atol=0.01)

# %% [markdown]
# The capacity of all memories, side by side: pairs on the horizontal axis, in units of the width. It comes
# from the explorer's table, for random keys; the cell measures one column again.
#
# The MLP has eight times as many numbers as the matrix, and writes each pair 30 times where the
# online rules write it once. That is what it pays.

# %%
import numpy as np
from nlcore.viz.explorers.store_and_recall import LOADS, LOOKS, RULES, WIDTHS, compute, measure

again, _ = measure(16, "random", "delta")
assert np.allclose(again, compute("delta", 1.0, 16, "random").errors["delta"], atol=1e-3)

figure, panels = plt.subplots(1, 4, figsize=(11, 3.4), sharey=True, layout="constrained")
for axes, width in zip(panels, WIDTHS):
    found = compute("delta", 1.0, width, "random")
    for rule in RULES:
        axes.plot(LOADS, found.errors[rule], **LOOKS[rule].line(), markersize=4, label=rule)
    tidy(axes, f"width {width}", "pairs stored / width", "recall error (1 is silence)" if width == 16 else "")
    axes.set(ylim=(-0.03, 1.5), xticks=(0, 1, 2))
figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
show(figure, alt="Four panels, widths 16 to 128, almost alike: Hebbian and Oja rise from the start, delta stays lower, "
     "ridge is zero up to one pair a number, and the MLP after 30 passes stays near zero throughout.")

# %% [markdown]
# *Recall error by load, four widths.* The four panels are almost the same: what counts is the number of pairs
# *per number in a key*. Twice the width holds twice the pairs, and a matrix pays for it with four times the
# numbers.
#
# The Hebbian error is close to the load itself: each of the other pairs adds crosstalk of about
# $1 / d$. Can you see why from $k_i \cdot k_j$?

# %%
for width in WIDTHS:
    hebb, best = (compute("delta", 1.0, width, "random").errors[rule] for rule in ("Hebbian", "ridge"))
    at = LOADS.index(2.0)
    print(f"width {width}: twice the width in pairs, Hebbian {hebb[at]:.2f}, ridge {best[at]:.2f}")
    assert abs(hebb[at] - 2) < 0.25 and abs(best[at] - 0.5) < 0.05
    assert best[LOADS.index(0.75)] < 1e-6

# %% [markdown]
# ## What is kept of the old?
#
# The fourth choice. **Decay** multiplies the matrix by $\alpha$ and so fades everything, what the memory knew
# from its start included. **Pull to start** fades only what came since:
#
# $$W \leftarrow \alpha W \qquad\qquad W \leftarrow W_0 + \alpha\, (W - W_0)$$
#
# Below, a memory knows 8 words from its start; then 32 others are written. What does it cost the new words to save
# the old ones?

# %%
from nlcore.viz.explorers.forgetting_curve import forgetting_curve

forgetting_curve()

# %% [markdown]
# *Recall at α = 0.95, plain decay.* The Hebbian curve starts lower and falls slowly: nothing is corrected and
# nothing erased. The delta rule and Omega know the last word almost exactly (the error is taken before the
# decay that we added to eq. 65, so not quite). Delta gradient descent (DGD), which erases *and* corrects, forgets fastest at
# $\eta = 1$; at $\eta = 0.5$ it is the one that knows the last word.
#
# With pull to start the bars rise and the curves drop a little: the start now talks into every answer.

# %%
from nlcore.viz.explorers.forgetting_curve import compute as forget

for retention in ("decay", "pull to start"):
    found = forget(retention, alpha=0.95, eta=1.0, width=32)
    old, new = found.old["delta"], found.new["delta"].mean()
    print(f"{retention}: the delta rule recalls {old:.2f} of the old words, {new:.2f} of the new")

# %% [markdown]
# ## Did it learn, or memorise?
#
# Exact recall is not always good. Suppose the values follow a hidden rule, $v = A k$, plus noise. A memory
# that stores each pair exactly has stored the noise. What we want to know is its error on keys it has
# *not* seen.
#
# Two ways to hold back: the penalty $\lambda$ of ridge, or few inner steps. What does exact recall cost on unseen keys?

# %%
from nlcore.viz.explorers.learn_or_memorise import learn_or_memorise

learn_or_memorise().predict("01-noise")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *32 noisy pairs, width 32.* Left: with almost no penalty the stored pairs are exact, and unseen keys are
# answered far worse than by silence. Right: the same, by the number of steps; early steps learn the rule, late
# ones the noise. Few steps act like a large penalty.
#
# </details>

# %% [markdown]
# It is worst where the number of pairs equals the width. Try 64 and 128 pairs: there are then more
# pairs than the matrix can memorise, and it must learn.

# %%
from nlcore.viz.explorers.learn_or_memorise import compute as learnt

for pairs in (16, 32, 64, 128):
    found = learnt(pairs, noise=0.5, width=32).ridge
    print(f"{pairs} pairs: unseen keys {found.unseen[0]:.2f} without penalty, {found.unseen.min():.2f} with the best")

exact = learnt(32, noise=0.5, width=32).ridge
assert exact.stored[0] < 0.01 and exact.unseen[0] > 5 > 1 > exact.unseen.min()

# %% [markdown]
# ## Each named rule is one setting
#
# Nothing below is a new class of memory; a row is what you pass to `AssociativeMemory`. The cell writes the
# two pairs with each and compares with the formula. A third rate, $\theta$, gives any of them momentum
# (chapter 3).
#
# | name | objective | rule | one write, $\alpha = \eta = 1$ |
# |---|---|---|---|
# | Hebbian (64) | dot product | gradient descent | $W + v k^\top$ |
# | delta (65) | L2 | gradient descent | $W + (v - W k) k^\top$ |
# | Oja (66-67) | dot product | Oja | $W + v (k - W^\top v)^\top$ |
# | Omega (68) | L2 | Omega | $W + \sum_i (v_i - W k_i) k_i^\top$ |

# %%
settings = {
    "Hebbian": (DotProduct(), GradientDescent(), lambda W, t: torch.outer(v[t], k[t])),
    "delta": (L2(), GradientDescent(), lambda W, t: torch.outer(v[t] - W @ k[t], k[t])),
    "Oja": (DotProduct(), Oja(), lambda W, t: torch.outer(v[t], k[t] - W.T @ v[t])),
    "Omega": (L2(), Omega((1.0, 1.0)), lambda W, t: (v[: t + 1] - k[: t + 1] @ W.T).T @ k[: t + 1]),
}
for name, (objective, rule, formula) in settings.items():
    W = torch.zeros(2, 2)
    for t in range(2):
        W = W + formula(W, t)
    assert torch.allclose(learn(AssociativeMemory(Linear(2, 2), objective, rule, Decay()), k, v), W, atol=1e-6)
    print(f"{name}: k1 answers {[round(x, 2) + 0.0 for x in (W @ k[0]).tolist()]}")

# %% [markdown]
# ## Where are we in the nest?
#
# Hope, the model that this course builds, comes back at the end of each chapter as the map from notebook 00. What this
# chapter has built of it is filled.

# %%
from nlcore.viz.hope_map import hope_map

hope_map(1)

# %% [markdown]
# *New: a third of `memory`, the fastest part of Hope.* It is written from tokens, several times within a text, and it is
# made of the four choices above. What chapter 05 adds is a rule that erases before it writes, and chapter 06 the
# memory's place in a model.

# %% [markdown]
# ## Summary
#
# 1. A memory is four choices: architecture, objective, rule, retention. Every named rule is one setting.
# 2. Adding suffers crosstalk from the first pair on; correcting is exact for orthonormal keys, up to the width.
# 3. The best matrix (eq. 6) holds as many pairs as a key has numbers; an MLP holds more and pays for it.
# 4. Windows and retention only move the error: between new pairs, old pairs and what the start knew.
# 5. Exact recall of noisy pairs is memorising; a penalty or few steps make the memory learn the rule.

# %% [markdown]
# ## Exercise 1: a memory as attention (easy, 5 minutes)
#
# Write eq. 5 without a matrix: the answer to the last query, from all keys and values. `k` and `v` are
# (T, d), `q` is (d,); the newest pair has age 0. Use no feature map.
#
# <details><summary>Hint</summary>
#
# Each pair has a weight: $\alpha$ to the power of its age, times $k_s \cdot q$.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `age = torch.arange(len(k)).flip(0)`
# then `return (alpha**age * (k @ q)) @ v`
#
# </details>

# %%
from nlcore.exercises.chapter_01 import check_attend, check_delta, check_omega, check_ridge, check_step


def attend(q, k, v, alpha):
    """The answer of the decayed Hebbian memory to q, (d,)."""
    return None


print(check_attend(attend))

# %% [markdown]
# ## Exercise 2: the delta rule (easy, 5 minutes)
#
# Write one write of the delta rule with retention, as derived above. `W` is (d_v, d_k). Is the error that of
# the matrix before or after it is multiplied by $\alpha$? Here it is taken before.
#
# <details><summary>Hint</summary>
#
# The error is $v - W k$. It goes under $k$, as in `torch.outer(a, b)` $= a b^\top$.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return alpha * W + eta * torch.outer(v - W @ k, k)`
#
# </details>

# %%
def delta_write(W, k, v, alpha, eta):
    """The new matrix."""
    return W


print(check_delta(delta_write))

# %% [markdown]
# ## Exercise 3: the step that makes recall exact (middle, 5 minutes)
#
# A memory `W` answers a key of any length, not only one. What must $\eta$ be so that after one delta rule
# write (with $\alpha = 1$) the answer to the same key is $v$?
#
# <details><summary>Hint</summary>
#
# Write down the new answer: $W k + \eta\, (v - W k)\, (k \cdot k)$.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return 1 / (k @ k)`
#
# </details>

# %%
def exact_step(k):
    """The rate that makes one write exact for the key k."""
    return 1.0


print(check_step(exact_step))

# %% [markdown]
# ## Exercise 4: ridge (middle, 10 minutes)
#
# Write the best matrix of eq. 6 with a penalty, from keys `K` (T, d_k) and values `V` (T, d_v). Set the
# gradient of $\sum_t \lVert W k_t - v_t \rVert^2 / 2 + \lambda \lVert W \rVert^2 / 2$ to zero.
#
# <details><summary>Hint</summary>
#
# $W (K^\top K + \lambda I) = V^\top K$. The matrix in brackets is symmetric.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `square = K.T @ K + lam * torch.eye(K.shape[1], dtype=K.dtype)`
# then `return torch.linalg.solve(square, K.T @ V).T`
#
# </details>

# %%
def ridge_memory(K, V, lam):
    """The best matrix, (d_v, d_k)."""
    return None


print(check_ridge(ridge_memory))

# %% [markdown]
# ## Exercise 5: look back one pair (hard, 15 minutes)
#
# Write one Omega write with $c = 2$: `k` and `v` are (2, d), the older pair first, `gamma` is the weight of
# the older one; the newer has weight 1. Nothing fades. Both gradients are taken at the same `W`.
#
# <details><summary>Hint</summary>
#
# Compute both errors before you change anything: `v - k @ W.T` has one in each row.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `error = v - k @ W.T`
# then `return W + eta * (gamma * torch.outer(error[0], k[0]) + torch.outer(error[1], k[1]))`
#
# </details>

# %%
def omega_write(W, k, v, eta, gamma):
    """The new matrix."""
    return W


print(check_omega(omega_write))
