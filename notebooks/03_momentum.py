# %% [markdown]
# # 03 · Momentum is a memory of gradients
#
# **After this notebook** you can say what momentum remembers, for how long, and why it is a level of its own; test a
# claim about forgetting by taking away its cause; derive Delta Momentum and find its misprint; run a momentum that is a
# network, and say what it costs; and tell four optimizers apart by what they do with a gradient.
#
# **You need** chapters 00 and 02: what a memory is, and a gradient. **Time:** 55 minutes, exercises apart; all
# cells together take about a minute on a laptop.

# %% [markdown]
# The chapter follows sections 3.1 and 4.2 to 4.4 of *Nested Learning: The Illusion of Deep Learning Architectures*
# (Behrouz, Razaviyayn, Zhong, Mirrokni, 2025; long version, [arXiv 2512.24695](https://arxiv.org/abs/2512.24695)).
# Bare numbers such as 33-37 are its equations. Chapter 02 found a memory in what training changes, the weights. This
# chapter finds a second one in *how* it changes them, and that one lives inside the first.

# %% [markdown]
# | letter | here | elsewhere in the paper |
# |---|---|---|
# | $m$ | the memory of gradients: a vector, and in 50 a network | the same times $+\eta$ or $-\eta$ |
# | $\alpha$ | the share of $m$ that is kept at each step | $\beta$ in its section 4.3; `momentum` in torch |
# | $\eta$ | the rate of the weights | stands inside $m$, as $\eta_t$ |
# | $\beta$ | how strongly Delta Momentum erases | see above |
# | $v$, $P$ | a gradient's value, a number; a matrix that makes values | $P$ for both |
# | $\rho$ | the rate at which a network learns gradients (`eta` in its code) | $\eta_t$ in 50 |
# | $c$ | how much two tasks overlap, 0 to 1 | |
# | $r, \theta$; $a, k, \omega$ | the coordinates of a landscape (53); its constants | $\alpha$ for $a$ |

# %% [markdown]
# ## What does an optimizer remember, and forget?
#
# A network that has learnt one task and now learns another may [forget](glossary.md#forgetting) the first. Who is to
# blame? One suspect is the optimizer, since it carries something from step to step, and what it carries may come from
# the wrong task.
#
# Here is a fair trial. One weight matrix learns four tasks, one after the other. Each task uses inputs of its own, at
# right angles to those of the others, so that no task's gradient touches what another needs. Can an optimizer harm a
# task that is over all the same?

# %%
from nlcore.viz.explorers.orthogonal_tasks import orthogonal_tasks

orthogonal_tasks().predict("03-lost")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Four tasks of 60 steps each; on the left the losses with Adam.* Each task is learnt in its turn. But while a later one
# is being learnt, the earlier losses rise again, and those of tasks that have not yet begun move as well. Right: at the
# end SGD and momentum have harmed nothing, [Muon](glossary.md#muon) hardly anything in this draw, and
# [Adam](glossary.md#adam) nearly a tenth of what was learnt.
#
# </details>

# %% [markdown]
# Give each task only 20 steps, and momentum harms as well. With 60 that is over, whereas Adam's harm stays. So two
# different things go wrong here, and to tell them apart we have to open what an optimizer carries. (Muon is momentum
# that is read in another way, and comes last.)

# %% [markdown]
# ## What does momentum hold?
#
# [Momentum](glossary.md#momentum) is usually told as a ball that rolls. The paper tells it as a memory (10-13, 33-37).
# The weights follow $m$; and $m$ solves a small problem of its own, which is to agree with the gradient $g_t = \nabla
# \mathcal{L}(W_t)$. A gradient step of rate 1 on $-m \cdot g_t$ adds $g_t$, and a share $\alpha$ of the old $m$ is kept,
# its [retention](glossary.md#retention):
#
# $$m_{t+1} = \alpha\, m_t + g_t \qquad\qquad W_{t+1} = W_t - \eta\, m_{t+1}$$

# %% [markdown]
# (The paper moves the rate into $m$: in 33-37 its $m$ is ours times $-\eta$, so that it prints $W + m$; in 10-13 it is
# ours times $+\eta$, with $\alpha = 1$.)
#
# Three gradients travel through this chapter: $(2, 0)$, $(0, 1)$ and $(1, 1)$. Take $\alpha = 0.5$. What is $m$ after
# the third, when the first has been halved twice and the second once?

# %%
import torch
from nlcore.optim import Momentum

double = torch.float64
G = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=double)  # a gradient per row
alpha, eta = 0.5, 0.1
m, W = torch.zeros(2, dtype=double), torch.zeros(2, dtype=double)
for g in G:
    m = alpha * m + g
    W = W - eta * m


def feed(make, gradients):
    """Gives these gradients to an optimizer; returns the weight, and what is remembered of them."""
    weight = torch.zeros_like(gradients[0], requires_grad=True)
    optimizer = make([weight])
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
    return weight.detach(), optimizer.state[weight]


weight, memory = feed(lambda p: Momentum(p, lr=eta, alpha=alpha), G)
assert torch.equal(memory["momentum"], m) and torch.equal(weight, W)
print("m =", m.tolist(), "  W =", W.round(decimals=6).tolist())

# %% [markdown]
# By hand: $\tfrac{1}{4} (2, 0) + \tfrac{1}{2} (0, 1) + (1, 1) = (1.5, 1.5)$, of which two thirds come from the newest
# gradient alone. It is the momentum that everybody uses: over 200 steps of a small network it follows
# `torch.optim.SGD` to the last digits.

# %%
def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).double()


def train(net, optimizer, steps=200):
    for step in range(steps):
        x = torch.randn(8, 6, generator=torch.Generator().manual_seed(step), dtype=double)
        optimizer.zero_grad()
        (net(x) - x[:, :3].sin()).square().mean().backward()
        optimizer.step()
    return torch.cat([p.detach().flatten() for p in net.parameters()])


ours, theirs = network(), network()
a = train(ours, Momentum(ours.parameters(), lr=0.1, alpha=0.9))
b = train(theirs, torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9))
print(f"largest difference {(a - b).abs().max():.1e} in weights up to {b.abs().max():.2f}")
assert (a - b).abs().max() < 1e-12

# %% [markdown]
# ## Why two levels, at one clock?
#
# The paper calls this a two-level optimization. But a [level](glossary.md#level) is a set of things that change at one
# frequency, and $m$ and $W$ both change once per step. So why are they two?

# %% [markdown]
# Because Definition 2 has a second clause. Of two equally fast parts, the one that the other *needs at the same moment*
# comes first: $A \succ B$ if $B$ at time $t$ cannot be computed before $A$ at time $t$. $W_{t+1}$ needs $m_{t+1}$,
# whereas $m_{t+1}$ only needs the *old* weights, in its gradient. So $m$ is the inner level. Is this more than a word?
# Then computing them in the other order, with the $m$ that lies ready, has to be another method.

# %%
from fractions import Fraction
from nlcore.levels import Component, order

parts = [Component("weights", Fraction(1), context="batches"), Component("momentum", Fraction(1), context="gradients")]
print("with the need: ", [[part.name for part in level] for level in order(parts, [("weights", "momentum")])])
print("clock alone:   ", [[part.name for part in level] for level in order(parts)])

for inner_first in (True, False):
    late_m, late_W = torch.zeros(2, dtype=double), torch.tensor([1.0, 1.0], dtype=double)
    for _ in range(60):
        slope = late_W * torch.tensor([1.0, 10.0], dtype=double)  # of the loss (x^2 + 10 y^2) / 2
        fresh = 0.9 * late_m + slope
        late_W = late_W - 0.05 * (fresh if inner_first else late_m)
        late_m = fresh
    print(f"{'m first' if inner_first else 'W first'}: {late_W.norm():.2g} from the minimum after 60 steps")

# %% [markdown]
# With $m$ first the walk arrives; with the weights first, each step uses news that is one step old, and at the same
# rates the walk runs away. The order of levels decides what is computed, and a clock alone does not know it.

# %% [markdown]
# ## What are its keys and its values?
#
# A memory is asked with a [key](glossary.md#key). Ask $m$ with a gradient $g$, and the answer is the number $m \cdot g$.
# What does it wish to answer? Its problem, $-m \cdot g$, is smallest where $m \cdot g$ is large, for each $g$ alike:
# every gradient is stored with the same value, 1. The paper calls this a [value-less
# memory](glossary.md#value-less-memory), "mapping all gradients to a single value". Such a memory cannot say *what* came
# after a gradient. It can say one thing only.

# %%
for key in ((2.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, -1.0)):
    print(key, "->", (m @ torch.tensor(key, dtype=double)).item())

# %% [markdown]
# It says whether you have been this way: the three that it met get positive numbers, and $(1, -1)$, a direction in
# which what it met cancels, gets 0. And it never asks, before a write, whether it knows this already,
# so that repeated gradients pile up.
#
# The paper offers a second reading (13, 34). In a linear layer the gradient is $\delta x^\top$,
# [surprise](glossary.md#surprise) times input (chapter 02). Then $m$ is a matrix, chapter 01's sum with
# [decay](glossary.md#decay): the *inputs* are keys, the *surprises* values.

# %%
pairs = torch.Generator().manual_seed(0)
x, delta = torch.randn(5, 3, generator=pairs, dtype=double), torch.randn(5, 2, generator=pairs, dtype=double)
_, layer = feed(lambda p: Momentum(p, alpha=0.5), [torch.outer(d, key) for d, key in zip(delta, x)])
by_key = sum(0.5 ** (4 - t) * (x[t] @ x[-1]) * delta[t] for t in range(5))  # each value, times its key's dot product with ours
assert torch.allclose(layer["momentum"] @ x[-1], by_key)
print("asked with the newest input, it answers", [round(a, 3) for a in by_key.tolist()])

# %% [markdown]
# Both readings are true of the same numbers. The rest of the chapter changes this memory in five ways, as the paper
# does in 4.4: its values, its [objective](glossary.md#objective), its architecture, its keys, and how it is read. First,
# though, how far back does it reach, and is that the trouble?

# %% [markdown]
# ## How many gradients does it remember?
#
# Written out, $m = \sum_i \alpha^i g_{t-i}$: with each step back a gradient counts less, by the same factor. All $\alpha^i$
# add up to $1/(1-\alpha)$, so that the newest $n$ gradients carry the share $1 - \alpha^n$.
#
# The long version (4.3) gives the $i$-th gradient back the share $\beta^i (1 - \beta)$, sums from $i = 0$, and says that
# at 0.9 "the last 6 gradients (resp. 43 gradients)" carry at least 50% (resp. 99%). Is $1 - 0.9^6$ above one half?

# %%
for n in (6, 7, 43, 44):
    print(f"newest {n:2}: {1 - 0.9**n:.4f}")

# %% [markdown]
# So it takes 7 and 44. The paper's numbers are right as steps *back*: since its sum begins at $i = 0$, the oldest of 7
# gradients is 6 steps old, and what lies beyond 43 steps is indeed less than 1%, as it goes on to say. Either way the
# point stands, and it is a strong one. A run of 100,000 steps with momentum 0.9 acts, at each step, on almost nothing
# but the last 44 batches.

# %%
from nlcore.viz.explorers.gradient_weights import gradient_weights

gradient_weights()

# %% [markdown]
# *Shares at retention 0.9; the reach grows like $1/(1-\alpha)$, so that 0.99 reaches ten times as far.* Nothing here
# looks at what a gradient says. An old one fades even if no newer one has told anything about its direction. A memory
# can also forget in another way, by being written over, and of that momentum knows nothing.

# %% [markdown]
# ## What is lost when tasks are orthogonal?
#
# Now the paper's claim (4.3, eq. 45), which is why it wants better momenta at all. Let tasks come one after the other,
# with gradients in orthogonal directions. After many steps of one task the momentum lies along that task alone. This
# forgetting of gradients, it says, "may cause catastrophic forgetting in the model": the weights can move in a direction
# that damages the old tasks, "mainly because the optimizer has no memory of the old gradient subspace that it should
# avoid".

# %% [markdown]
# The first half is true: of a task that is over, $m$ keeps $\alpha^n$ after $n$ steps, at 0.9 one percent after 44. The
# second half is a claim about a *cause*, and a cause can be taken away. SGD remembers no subspace at all, so if the
# reason holds, it should harm most. We let the four optimizers of the first picture learn four tasks, five times with
# other draws, and give each task more and more steps. Each has a rate at which 30 steps bring a task's loss from 1 to
# below 0.05.

# %%
import numpy as np
from nlcore.viz.explorers.orthogonal_tasks import LOOKS, NAMES, run

lengths, draws_of_tasks = (20, 30, 45, 60, 90, 120), range(5)
harm = np.array([[run(4, n, 0.9, seed=seed).forgotten(4 * n) for n in lengths] for seed in draws_of_tasks])
print("rise of the old tasks' losses at retention 0.9: mean of five draws, and their range")
print("steps per task" + "".join(f"{n:>10}" for n in lengths))
for name in LOOKS:
    found = harm[:, :, NAMES.index(name)] + 0.0
    print(f"{name:14}" + "".join(f"{abs(round(r, 3)) if abs(r) < 5e-4 else r:10.3f}" for r in found.mean(0)),
          f"  at 120: {abs(found[:, -1]).min():.4f} to {found[:, -1].max():.4f}")
aligned = [run(4, 120, 0.9, seed=seed, aligned=True).forgotten(480)[NAMES.index("Adam")] for seed in draws_of_tasks]
print(f"Adam, 120 steps, each task a few inputs of its own: at most {max(map(abs, aligned)):.4f}")
assert np.abs(harm[:, :, NAMES.index("SGD")]).max() < 1e-12

# %%
import matplotlib.pyplot as plt
from nlcore.viz.show import show
from nlcore.viz.theme import GREY, tidy

figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for name, look in LOOKS.items():
    found = harm[:, :, NAMES.index(name)]
    axes.plot(lengths, found.mean(0), **look.line(), label=name)
    axes.fill_between(lengths, found.min(0), found.max(0), color=look.colour, alpha=0.2, linewidth=0)
axes.axhline(0, color=GREY, linewidth=0.8)
tidy(axes, "Harm to tasks that are over, retention 0.9", "steps per task", "rise of their loss (mean)")
axes.legend(frameon=False)
show(figure, alt="Rise of the old tasks' losses against steps per task, four optimizers. Momentum begins at 0.3, and from 60 steps on "
     "is at zero like SGD; Muon begins below zero, is above it until 60, by much in some draws, and ends near zero. "
     "Adam begins at about 0.2 and stays near 0.09.")

# %% [markdown]
# *Mean and range of five draws, which make no difference to SGD and momentum.* SGD harms nothing, ever: where gradients
# are orthogonal, there is nothing to avoid, and a memory of old subspaces would have nothing to do. So the reason given
# cannot be the reason here.

# %% [markdown]
# Momentum harms by the opposite fault. What is left in $m$ when a task ends *rolls on*, and no gradient of that task is
# there to stop it. Whether it rolls uphill or down is a matter of the moment at which it is left, and once tasks have
# the time to come to rest, the harm is over. Muon needs longer for that in some draws; the fifth of the changes comes
# back to it.

# %% [markdown]
# What survives is Adam's harm. It does not go away with longer tasks, nor, as a test of this chapter's code checks, at
# a fifth or five times the rate. Its cause is neither remembering nor forgetting: Adam divides each entry of $m$ by
# that entry's own size, and so turns the step out of the task's subspace. The [control](glossary.md#control) is the last
# line of the table. If each task is a few inputs of its own, dividing entries cannot leave the subspace, and the harm is
# gone. (Chapter 04 takes Adam apart.)

# %% [markdown]
# ## What if tasks overlap?
#
# Is the paper's warning then empty? No, it needs other tasks. Let two tasks have three directions each, of length one and
# at right angles, the rows of $A_1$ and of $A_2$. And let every direction of the second overlap with one of the first, with
# the dot product $c$, so that $A_1 A_2^\top = c\, I$. Now each step for task 2 moves task 1 too.

# %% [markdown]
# With $y_1, y_2$ the targets, of length one, the losses are $\lVert A_i w - y_i \rVert^2$. Gradients are sums of a task's
# rows, so that task 1, from zero, is learnt as $w = A_1^\top y_1$. Task 2 is then answered by $A_2 w = c\, y_1$. Learning
# it adds what is missing, along its own rows, $A_2^\top (y_2 - c\, y_1)$; and this moves task 1's answer by $A_1 A_2^\top
# (y_2 - c\, y_1) = c\, (y_2 - c\, y_1)$. If $y_1$ and $y_2$ are at right angles, its loss is then $c^2 (1 + c^2)$: at
# $c = 0.6$, 0.49.

# %% [markdown]
# Both tasks can be solved at once, by one $w$, whenever $c < 1$. The weights have room, and it is the walk that
# misses the solution. So give a walk what the paper asks for, a memory of the old subspace: before each step, take out
# of the gradient what lies along $A_1$ (known as orthogonal gradient descent).

# %%
def two_tasks(c, make, avoid=False, seed=0, steps=200):
    """How far task 1's loss rises while task 2 is learnt, and task 2's loss at the end."""
    drawn = torch.Generator().manual_seed(seed)
    Q = torch.linalg.qr(torch.randn(6, 6, generator=drawn, dtype=double))[0]
    A1, A2 = Q[:3], c * Q[:3] + (1 - c * c) ** 0.5 * Q[3:]
    y1, y2 = torch.linalg.qr(torch.randn(3, 3, generator=drawn, dtype=double))[0][:2]
    w, left = torch.zeros(6, dtype=double, requires_grad=True), []
    optimizer = make([w])
    for A, y in ((A1, y1), (A2, y2)):
        for _ in range(steps):
            slope = A.T @ (A @ w.detach() - y)
            w.grad = slope - A1.T @ (A1 @ slope) if avoid and A is A2 else slope
            optimizer.step()
        left.append((A1 @ w.detach() - y1).square().sum().item())
    return left[1] - left[0], (A2 @ w.detach() - y2).square().sum().item()


# %%
walks = {"SGD": lambda p: Momentum(p, 0.2, 0.0), "momentum": lambda p: Momentum(p, 0.02, 0.9),
         "Adam": lambda p: torch.optim.Adam(p, 0.02), "SGD that avoids": lambda p: Momentum(p, 0.2, 0.0)}
overlaps = (0.0, 0.2, 0.4, 0.6, 0.8, 0.95)
rises = {}
for name, make in walks.items():
    seeds = range(3) if name == "Adam" else range(1)  # for the others the draw makes no difference
    found = torch.tensor([[two_tasks(c, make, "avoids" in name, seed) for c in overlaps] for seed in seeds]).mean(0)
    rises[name], learnt = found[:, 0], found[:, 1]
    print(f"{name:16} task 1 rises by", *[f"{r:.2f}" for r in rises[name].abs()], f"  task 2 ends at {learnt.max():.4f} or less")
assert torch.allclose(rises["SGD"], torch.tensor([c * c * (1 + c * c) for c in overlaps]), atol=1e-6)

# %%
from nlcore.viz.optimizers import MOMENTA

figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
styles = {name: MOMENTA[name].line() for name in walks}
styles["SGD"] |= {"markersize": 11}
for name, style in styles.items():
    axes.plot(overlaps, rises[name], **style, label=name)
axes.axhline(1, color=GREY, linewidth=0.8, linestyle="dashed")
axes.text(0.0, 1.03, "as if task 1 had never been learnt", color=GREY, fontsize=9)
tidy(axes, "Harm to task 1 while task 2 is learnt", "overlap c of the two tasks", "rise of task 1's loss")
axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(0.0, 0.56))
show(figure, alt="Rise of task 1's loss against the overlap of two tasks. SGD and momentum lie on one curve, from 0 at no overlap through "
     "0.49 at 0.6 to 1.7 at 0.95. Adam begins above them and ends a little below. SGD that avoids the old subspace stays at zero.")

# %% [markdown]
# *200 steps per task; Adam is the mean of three draws.* Here the paper's warning is right: at an overlap of 0.8, task 1
# is as good as lost, although one $w$ would solve both, and a walk that remembers which directions to avoid loses
# nothing and learns task 2 as well.

# %% [markdown]
# But look at where momentum lies: on SGD's curve. It has forgotten task 1's gradients, and it would not help if it had
# not, since the weights walk *along* $m$, and a sum of gradients says where to go, and nowhere what to avoid. What the
# warning asks for is not a longer momentum. It is a memory that is *read* in another way.

# %% [markdown]
# So keep two questions apart in what follows: what does a memory hold of old gradients, and what does the step do with
# it? The paper's new momenta change mostly the first.

# %% [markdown]
# ## What if it stores P g?
#
# The first of the five changes gives the memory values. In 46 and 47 each gradient gets one, by a matrix $P_t$:
#
# $$m_{t+1} = \alpha\, m_t + P_t\, g_t$$
#
# The paper points out that this is a known thing, [preconditioned](glossary.md#preconditioner) momentum, seen from a new
# side. Without $P$ our three gradients left $m = (1.5, 1.5)$. What do they leave with $P = \mathrm{diag}(1, 2)$?

# %%
P = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=double)

_, memory = feed(lambda p: Momentum(p, lr=eta, alpha=alpha, values=lambda gradient: P @ gradient), G)
print("m =", memory["momentum"].tolist())
assert torch.allclose(memory["momentum"], P @ m)  # a fixed P may as well act on m

# %% [markdown]
# With a fixed $P$ nothing is gained by storing $P g$, since $P$ can as well act on $m$ at the end. The order matters
# once $P$ changes from step to step. Chapter 04 reads Adam, AdaGrad and Shampoo as choices of a $P$ that is learnt from
# the gradients themselves.

# %% [markdown]
# ## What if it asks before it writes?
#
# The second change is the objective. Momentum is chapter 01's [Hebbian rule](glossary.md#hebbian-rule), and chapter 01
# found what ails it: it adds without asking what is there already. The remedy was the [delta
# rule](glossary.md#delta-rule), so let us give $g$ a value $v$ that $m$ should answer, with the squared error. A gradient
# step of rate $\eta$ on it, with $\alpha$ kept, is
#
# $$\tfrac{1}{2} (m \cdot g - v)^2 \qquad m_{t+1} = (\alpha I - \eta\, g g^\top)\, m_t + \eta\, v\, g \qquad W_{t+1} = W_t - m_{t+1}$$

# %% [markdown]
# Before it writes, it takes out what stood under $g$. This is **[Delta Momentum](glossary.md#delta-momentum)** (48-49).
# (Its rate stands inside $m$, as in the paper, so that $W$ moves by $m$ itself.)

# %% [markdown]
# **[Erratum](glossary.md#erratum), eq. 49.** The long version has gradients as rows, calls the value $P$, and prints
# objective (unnumbered), 48 and 49 as
#
# $$\lVert m\, g^\top - P \rVert_2^2 \qquad W_{i+1} = W_i + m_{i+1} \qquad m_{i+1} = m_i\,(\alpha_{i+1} - g^\top g) - \eta_t\, P\, g$$
#
# Let autograd take the step on half of that objective (the 2 goes into $\eta$), at $m = (1, 1)$ and our third gradient,
# for the value 1 and for $-1$.

# %%
held, g = torch.tensor([1.0, 1.0], dtype=double), G[2]


def step(value):
    at = held.clone().requires_grad_()
    (slope,) = torch.autograd.grad((at @ g - value) ** 2 / 2, at)
    return alpha * held - eta * slope


printed = alpha * held - g * (g @ held) - eta * 1.0 * g
restored = alpha * held - eta * g * (g @ held) - eta * 1.0 * g  # eta put back on g^T g
print("autograd, value 1 ", step(1.0).round(decimals=6).tolist())
print("autograd, value -1", step(-1.0).round(decimals=6).tolist())
print("eq. 49, printed   ", printed.tolist(), "  with eta put back", restored.round(decimals=6).tolist())
assert torch.allclose(step(-1.0), restored) and not torch.allclose(step(-1.0), printed)

# %% [markdown]
# By hand: for 1, $0.5 - 0.2 + 0.1 = 0.4$; for $-1$, $0.5 - 0.2 - 0.1 = 0.2$; printed, $0.5 - 2 - 0.1 = -1.6$.
#
# So two symbols differ. The sign is harmless: with the value $-P$ and 48's $W + m$ the walk descends, and it is ours with
# $m$ negated. The missing $\eta$ on $g^\top g$ is the true erratum. What does it do?
# Below both walk on the loss $\tfrac{1}{2} \lVert W \rVert^2$, whose gradient is $W$ itself, from a near start and a
# far one, with the printed outer step $W + m$.

# %%
def distance(write, start, steps=100):
    """How far from the minimum, 0, the weights are after so many steps."""
    at, memory = torch.tensor(start, dtype=double), torch.zeros(2, dtype=double)
    for _ in range(steps):
        memory = write(memory, at)  # the gradient is the weight
        at = at + memory  # eq. 48
    return at.norm().item()


as_printed = lambda memory, g: alpha * memory - g * (g @ memory) - eta * g
with_eta = lambda memory, g: alpha * memory - eta * g * (g @ memory) - eta * g
for name, write in {"eq. 49 as printed": as_printed, "with eta put back": with_eta}.items():
    near, far = [distance(write, start) for start in ([0.6, 0.4], [3.0, 2.0])]
    print(f"{name} from (0.6, 0.4): {near:8.2g}   from (3, 2): {far:8.2g}")

# %% [markdown]
# Near the minimum, where gradients are small, the printed form arrives like the other. From afar it is *nan*: it has
# grown beyond all numbers. For along $g$ it multiplies the old memory by $\alpha - \lVert g \rVert^2$, which is below
# $-1$ once $\lVert g \rVert^2 > 1 + \alpha$. With $\eta$ the limit is $(1 + \alpha)/\eta$: farther off, but there.
# Either way the paper's idea stands. A memory that asks before it writes takes out what stood there.

# %% [markdown]
# ## What is the exact step?
#
# Can the limit be removed? A gradient step only guesses at the answer of a [proximal](glossary.md#proximal-step) problem
# (chapter 02), so let us solve that problem instead. Ours, with $v = 1$, is
#
# $$\arg\min_m\ \tfrac{1}{2} \lVert m - \alpha m_t \rVert^2 + \tfrac{\eta}{2} (m \cdot g - 1)^2$$

# %% [markdown]
# Multiply out the square: $\tfrac{\eta}{2} (m \cdot g)^2 - \eta\, m \cdot g$, and a constant. Now measure $m$ in units of
# $\eta$, as everywhere else in this chapter: put $\eta\, m$ for $m$ and $\eta\, m_t$ for $m_t$. The distance then carries
# $\eta^2$, the square $\eta \cdot \eta^2$, and the last term $\eta \cdot \eta$. Divide all by $\eta^2$:
#
# $$\tfrac{1}{2} \lVert m - \alpha m_t \rVert^2 + \tfrac{\eta}{2} (m \cdot g)^2 - m \cdot g \qquad W_{t+1} = W_t - \eta\, m_{t+1}$$

# %% [markdown]
# It is plain momentum's problem with one term more, a price on loud answers. How high a price deserves a letter of its
# own, so write $\beta$ for the $\eta$ before $(m \cdot g)^2$. The minimum is where the slope is zero:
#
# $$m - \alpha m_t + \beta\, g\, (g \cdot m) - g = 0 \qquad\Rightarrow\qquad (I + \beta\, g g^\top)\, m = \alpha m_t + g = q$$

# %% [markdown]
# Here $q$ is what plain momentum would hold. To invert the bracket, try $I - \beta' g g^\top$. The product is $I +
# (\beta - \beta' - \beta \beta' \lVert g \rVert^2)\, g g^\top$, and for this to be $I$ the number in front must be zero
# (Sherman and Morrison):
#
# $$m_{t+1} = (I - \beta' g g^\top)\, q \qquad \beta' = \frac{\beta}{1 + \beta \lVert g \rVert^2}$$

# %% [markdown]
# Now the old memory shrinks along $g$ by $1 - \beta' \lVert g \rVert^2$, which lies between 0 and 1 for *any* gradient.
# Three forms, then, all with $W - \eta\, m$ and all plain momentum at $\beta = 0$:
#
# | form | $m_{t+1}$ | |
# |---|---|---|
# | literal | $(\alpha I - \beta\, g g^\top)\, m_t + g$ | the gradient step: at $\beta = \eta$ the corrected 49, at $\beta = 1$ the printed one |
# | bounded | $(\alpha I - \beta' g g^\top)\, m_t + g$ | erases with $\beta'$, and stores $g$ in full |
# | exact | $(I - \beta' g g^\top)(\alpha m_t + g)$ | the solution |
#
# Here $g$ is the whole gradient of one parameter tensor, flattened, and no matrix is built: $g g^\top m$ is $g\,(g
# \cdot m)$.

# %%
from nlcore.optim import DeltaMomentum

beta = 1.0
bound, q = beta / (1 + beta * g @ g), alpha * held + g
forms = {
    "literal": q - beta * (g @ held) * g,
    "bounded": q - bound * (g @ held) * g,
    "exact": q - bound * (g @ q) * g,
}
solved = torch.linalg.solve(torch.eye(2, dtype=double) + beta * torch.outer(g, g), q)
assert torch.allclose(forms["exact"], solved, atol=1e-14)
for form, by_hand in forms.items():
    print(f"{form:8}", [round(a, 4) for a in by_hand.tolist()])
    weight = torch.zeros(2, dtype=double, requires_grad=True)
    optimizer = DeltaMomentum([weight], lr=eta, alpha=alpha, beta=beta, form=form)
    optimizer.state[weight].update(optimizer.fresh(weight, optimizer.param_groups[0]), step=0, momentum=held.clone())
    weight.grad = g.clone()
    optimizer.step()
    assert torch.allclose(optimizer.state[weight]["momentum"], by_hand, atol=1e-14)

corrected = q - eta * (g @ held) * g  # literal, beta = eta; autograd's step was at eta * held
at = eta * held
assert torch.allclose(eta * corrected, alpha * at - eta * g * (g @ at - 1.0))
assert torch.allclose(-eta * forms["literal"], alpha * -at - g * (g @ -at) - eta * g)  # 49 as printed, m times -eta

# %% [markdown]
# By hand: $q = (1.5, 1.5)$, $\beta' = 1/3$, $g \cdot m = 2$, $g \cdot q = 3$. So literal is $1.5 - 2$, bounded $1.5 -
# \tfrac{2}{3}$, exact $1.5 - 1$. The last two assertions say which is which: in units of $\eta$, literal at $\beta =
# \eta$ is the corrected step, and at $\beta = 1$ it is the print.
#
# So much for one write. What becomes of $m$ when one and the same gradient is written again and again?

# %%
from nlcore.viz.predictions import predict

predict("03-settles")

# %%
from nlcore.viz.explorers.psi_landscape import LOOKS as FORM_LOOKS

figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for form, look in FORM_LOOKS.items():
    if form == "standard":
        make = lambda p: Momentum(p, alpha=alpha)
    else:
        make = lambda p: DeltaMomentum(p, alpha=alpha, beta=beta, form=form)
    sizes = [feed(make, [g] * n)[1]["momentum"].norm().item() for n in range(1, 25)]
    axes.semilogy(range(1, 25), sizes, **look.line(), markersize=4, label=form)
    print(f"{form:8} after 24 writes {sizes[-1]:.4g}")
tidy(axes, "One gradient, written again and again", "write", "norm of m")
axes.legend(frameon=False)
show(figure, alt="Norm of the memory over 24 equal writes, on a logarithmic scale. The literal form grows on a straight line to ten "
     "thousand; standard momentum settles at 2.8, the bounded form at 1.2 and the exact form at 0.57.")

# %% [markdown]
# *"Standard" is plain momentum. The literal form grows by 1.5 per write, as $\alpha - \lVert g \rVert^2 = -1.5$ says.* The
# exact one settles where old and new balance: its bracket leaves $1 - \beta' \lVert g \rVert^2 = 1/3$ along $g$, so that
# its length $s$ obeys $s = (\alpha s + \lVert g \rVert)/3$, which gives $s = \sqrt2 / 2.5 = 0.57$.
#
# Momentum adds equal gradients up to $1/(1-\alpha)$ of them, here 2. Delta Momentum does not: repeated news is no
# news. That is what it was made for, and it has a price, since much of momentum's speed comes from just that sum.

# %% [markdown]
# ## Is Delta Momentum faster?
#
# The paper's evidence is a picture, Fig. 4: momentum and Delta Momentum on a winding valley (53),
#
# $$\psi(r, \theta) = r^2 + k\,(r - \theta + a \sin(\omega r))^2$$
#
# from $(-3.5, 2)$, without its constants. Ours are $k = a = 1$, $\omega = 5$. A path has *arrived* once $\psi$ stays below
# 0.01, within 200 steps.

# %%
from nlcore.viz.explorers.psi_landscape import psi_landscape

psi_landscape().predict("03-stop")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Four forms at one setting (left); the fastest form at each rate and retention, for one $\beta$ (right).* At this
# setting literal wins by far, because it was thrown across the valley and happened to land near the end. One stop
# further another form wins, or none arrives: the walls are steep, and a path that crosses them may land anywhere.
#
# </details>

# %% [markdown]
# So one setting proves nothing. We count over a grid of 21 rates and 12 retentions, from nine starts within 0.1 of the
# paper's, and call a setting *sure* if it arrives from all nine. Its time is that of the slowest of the nine.
#
# A delta form has one more knob than momentum, $\beta$, with 16 values here. To compare its best of all settings with
# momentum's best would be to compare sixteen draws with one. So we take the best of 252 for each $\beta$ alone.

# %%
import os
from nlcore.viz.explorers.psi_landscape import BETAS, FORMS, START, survey

starts = np.random.default_rng(0).uniform(-0.1, 0.1, (3 if os.environ.get("NL_FAST") else 9, 2)) + START
times = np.stack([np.stack([survey(float(b), (1.0, 1.0, 5.0), tuple(start)) for b in BETAS], -1) for start in starts])
print("          steps of the best sure setting    of all settings, starts and betas")
print("          per beta, least to most  median     arrives   faster than standard   slower")
for i, form in enumerate(FORMS):
    best = times[:, i].max(0).min((0, 1))  # for each beta: the slowest start, then the best rate and retention
    spread = f"{best.min():.0f} to {best.max():.0f}".replace("inf", "none sure")
    faster, slower = (times[:, i] < times[:, 0]).mean(), (times[:, i] > times[:, 0]).mean()
    print(f"{form:10} {spread:>22} {np.median(best):7.0f} {np.isfinite(times[:, i]).mean():11.1%} {faster:18.1%} {slower:11.1%}")

# %%
figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for i, form in enumerate(FORMS):
    best = times[:, i].max(0).min((0, 1))
    axes.semilogx(BETAS, np.where(np.isfinite(best), best, np.nan), **FORM_LOOKS[form].line(), markersize=5, label=form)
axes.set_ylim(80, 180)
tidy(axes, "Fastest setting that arrives from all nine starts", "erasing β", "steps (best of 252 settings)")
axes.legend(frameon=False, ncols=2)
show(figure, alt="Steps of the best sure setting against beta. Standard is a line at 136. Bounded goes from 135 down to 94 near beta 0.5 "
     "and is never above standard. Exact falls to 105 and rises to 172, and above beta 0.1 there is none. Literal ends still earlier.")

# %% [markdown]
# *A missing point: no setting arrives from all nine starts.* At equal numbers of draws, bounded needs between 94 and
# 136 steps, for eleven of the sixteen $\beta$ between 104 and 130, where standard momentum needs 136: a gain, and a
# modest one. Exact has it only for small $\beta$ and literal hardly; from some point on they do not arrive surely at
# all.

# %% [markdown]
# Over the whole grid delta momentum is no safe bet. At the same rates bounded is as often slower as it is faster, and
# literal and exact are slower more than twice as often; in the rest neither arrives, or both at once. All this is one
# landscape of two dimensions.

# %% [markdown]
# And 49 itself, without a knob? It is the literal form at $\beta = 1$ as printed, and at $\beta = \eta$ as corrected. The
# same count, with the other forms at the same $\beta$ beside it:

# %%
from nlcore.viz.explorers.psi_landscape import ALPHAS, ETAS, arrival, psi, walk

constants = (1.0, 1.0, 5.0)
for words, knob in {"beta = 1, as printed": np.float64(1.0), "beta = eta, corrected": ETAS[:, None]}.items():
    needed = [arrival(psi(*walk(ETAS[:, None], ALPHAS, knob, constants, tuple(start)), constants)) for start in starts]
    slowest = np.stack(needed).max(0)
    said = [f"{form} {np.isfinite(slowest[i]).sum():2} sure, best {slowest[i].min():.0f}" for i, form in enumerate(FORMS)]
    print(f"{words:22}", "; ".join(said).replace(", best inf", ""))

# %% [markdown]
# On our landscape the literal form arrives surely at none of 252 settings, printed or corrected, whereas momentum does at
# six. The bounded form does, at more settings than momentum and sooner; the exact one, which keeps small what it writes
# as well, does so at $\beta = \eta$ only, and later. So what makes Delta Momentum usable here is the bound on what it
# erases, and not the delta rule alone. The paper does not give its constants, and on others this may differ.

# %% [markdown]
# And the tasks of the beginning? Delta Momentum erases along $g$, and if tasks are orthogonal, an old task's part of
# $m$ has no share in $g$. So nothing of it is erased, and it rolls on like plain momentum's.

# %%
for n in (20, 30, 60, 120):
    found = dict(zip(NAMES, run(4, n, 0.9, seed=0).forgotten(4 * n)))
    rises_of = {name: round(found[name], 3) + 0.0 for name in ("momentum", "delta, bounded", "delta, exact")}
    print(f"{n:3} steps per task: " + ", ".join(f"{name} {rise:.3f}" for name, rise in rises_of.items()))

# %% [markdown]
# At 20 and 30 steps it is harm or help, as the moment has it, and at 120 steps it is gone. (Here too, other draws change
# nothing.) A memory that erases what it is *told* again cannot help against what it is no longer told.

# %% [markdown]
# ## What if the memory is a network?
#
# The third change is the architecture. As long as $m$ is a vector, all that the weights ever read of it is one step,
# whatever the gradient is. Equation 50, [Deep Momentum](glossary.md#deep-momentum), makes it an MLP that is asked with
# the gradient and answers with a step, and that learns by gradient steps of its own. The long version prints
#
# $$W_{i+1} = W_i + m_{i+1}(u_i) \qquad m_{i+1} = \alpha_{i+1} m_i - \eta_t\, \nabla \mathcal{L}^{(2)}(m_i;\, u_i, 1) \qquad u_i = \nabla \mathcal{L}(W_i; x_i)$$

# %% [markdown]
# The target is the 1, and for $\mathcal{L}^{(2)}$ the text names "e.g., dot product similarity $\langle m(u_i^\top), 1
# \rangle$". It adds that the inner loss must be designed carefully.
#
# The target 1 is the value-less memory again. If $m$ is a vector, the slope of $m \cdot u$ is $u$ whatever $m$ is, so
# that this *is* plain momentum. If $m$ is a network, it is another matter.

# %% [markdown]
# So let us run the print beside a target of our own, which asks for the gradient back, $\tfrac{1}{2} \lVert m(u) - u
# \rVert^2$. A network $m(u) = W_1\, \mathrm{silu}(W_2 u)$ of four hidden units gets our three gradients again and again,
# with the rate $\rho = 0.3$, starting from $W_1 = 0$, so that it answers nothing.

# %%
import torch.nn.functional as F

size = G.norm() / 3**0.5  # so that the three have a mean squared length of 1
u = G / size


def asked(loss, writes, rho=0.3):
    """The answers to our three gradients, a row each, after so many inner steps of eq. 50."""
    first = torch.zeros(2, 4, dtype=double)
    second = torch.randn(4, 2, generator=torch.Generator().manual_seed(0), dtype=double) / 2
    for _ in range(writes):
        slopes = torch.func.grad(lambda ws: loss(F.silu(u @ ws[1].T) @ ws[0].T))((first, second))
        first, second = 0.999 * first - rho * slopes[0], second - rho * slopes[1]
    return size * F.silu(u @ second.T) @ first.T


targets = {"printed, <m(u), 1>": lambda answer: answer.sum(1).mean(),
           "ours, |m(u) - u|^2 / 2": lambda answer: (answer - u).square().sum(1).mean() / 2}
for name, loss in targets.items():
    for writes in (10, 50, 500):
        answers = asked(loss, writes)
        to_first, to_second = (", ".join(f"{a:.2g}" for a in answer) for answer in answers[:2])
        print(f"{name:23} {writes:3} writes: (2, 0) -> ({to_first})   (0, 1) -> ({to_second})")

# %% [markdown]
# Asked for a dot product with 1, the network answers *every* gradient along $(-1, -1)$, because that is the way down,
# and ever more of it, because there is no amount at which this loss is content. The weights would walk that way
# whatever the gradients say. A linear memory can afford such a loss, as its slope is the gradient itself and $\alpha$
# bounds the sum; in a network each layer's slope grows with the other layer. Ours comes to rest where the gradient is
# given back, $(2, 0)$ for $(2, 0)$.

# %% [markdown]
# What is a memory good for that gives back what it is given? It has few hidden units, and so can give back only what
# *returns*. `DeepMomentum` has one such network per parameter tensor, whose keys are the rows of the gradient. Below,
# each gradient has a new signal, which for 200 steps lies in the same three of 32 directions, and as much noise, spread
# over all 32.

# %%
predict("03-signal")

# %% [markdown]
# But a memory that has learnt some directions should be tried on new ones too. So after 200 steps the signal moves to
# three others, drawn anew.

# %%
from nlcore.optim import DeepMomentum

stream = torch.Generator().manual_seed(0)
bases = [torch.linalg.qr(torch.randn(32, 3, generator=stream, dtype=double))[0] for _ in range(2)]
weight, plain = torch.zeros(24, 32, dtype=double, requires_grad=True), torch.zeros(24, 32, dtype=double)
optimizer = DeepMomentum([weight], lr=1.0, eta=1.0, hidden=16)
inner, near = [], {"deep momentum's answer": [], "the gradient itself": [], "momentum": []}
for t in range(400):
    signal = torch.randn(24, 3, generator=stream, dtype=double) @ bases[t // 200].T
    weight.grad = signal + (3 / 32) ** 0.5 * torch.randn(24, 32, generator=stream, dtype=double)
    before = weight.detach().clone()
    optimizer.step()
    plain = 0.9 * plain + weight.grad
    for name, what in zip(near, (before - weight.detach(), weight.grad, plain)):
        near[name].append(torch.cosine_similarity(what.flatten(), signal.flatten(), dim=0).item())
    inner.append(optimizer.state[weight]["inner_loss"].item())
passes = next(n for n in range(200) if near["deep momentum's answer"][200 + n] > near["the gradient itself"][200 + n])
mean = lambda values, first, last: sum(values[first:last]) / (last - first)
print(f"inner loss: {inner[0]:.2f} at first, {mean(inner, 100, 200):.2f} before the move, {inner[200]:.2f} at it; {passes} steps until the answer is nearer again")
for name, cosines in near.items():
    before, after, end = mean(cosines, 100, 200), mean(cosines, 200, 210), mean(cosines, 300, 400)
    print(f"{name:23} steps 100 to 200: {before:.2f}, the ten after the move: {after:.2f}, the last 100: {end:.2f}")

# %%
figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
for name, like in zip(near, ("deep", "SGD", "momentum")):  # the gradient itself is SGD's step
    axes.plot(near[name], **MOMENTA[like].line() | {"marker": ""}, linewidth=1.2, label=name)
axes.axvline(200, color=GREY, linewidth=0.8, linestyle="dotted")
axes.text(203, 1.0, "the signal moves", color=GREY, fontsize=9)
axes.set_ylim(-0.2, 1.08)
tidy(axes, "How near to the signal in the newest gradient", "step", "cosine (1 is the signal)")
axes.legend(frameon=False, fontsize=9, ncols=3, loc="lower center")
show(figure, alt="Cosine to the signal over 400 steps. Deep momentum's answer lies above the gradient's 0.7 from the start, near 0.88. At step "
     "200 it drops to about 0.4 and passes the gradient again after some 20 steps. Momentum stays near 0.3.")

# %% [markdown]
# *The answer is cleaner than the gradient, until the world changes.* This memory does not average over time. It learns
# which directions gradients take, and gives back of a new gradient what lies in them. (Momentum's average, near 0.3, is
# no estimate of a signal that is drawn anew at each step.)
#
# That has a price: when the signal moves, the answer takes it for noise, and is farther from it than the raw gradient, for
# 19 steps here and for 9 to 18 in five other draws. Nor does it come back all the way, to 0.88: at the end it is at 0.82.

# %% [markdown]
# Does any of this train a network better? Four memories on the same noisy regression. Each gets the grid of rates that
# is its own: a sum with $\alpha = 0.9$ adds up to ten gradients, so that the two momenta are given tenths of the rates.
# In these units, $\eta/(1-\alpha)$, all have the same four.

# %%
def noisy_run(make, lr, seed, steps):
    """Distance to the true function (mean square) after training on noisy batches of 8."""
    torch.manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Linear(12, 24), torch.nn.Tanh(), torch.nn.Linear(24, 4))
    target, optimizer = torch.randn(12, 4) / 3, make(net.parameters(), lr)
    for _ in range(steps):
        x = torch.randn(8, 12)
        optimizer.zero_grad()
        (net(x) - (x @ target).sin() - torch.randn(8, 4)).square().mean().backward()
        optimizer.step()
    x = torch.randn(500, 12)
    return (net(x) - (x @ target).sin()).square().mean().item()


# %%
fast = bool(os.environ.get("NL_FAST"))
seeds, steps, grid = (range(1), 20, (0.03, 0.1)) if fast else (range(3), 300, (0.01, 0.03, 0.1, 0.3))
memories = {"none (SGD)": (lambda p, lr: Momentum(p, lr, 0.0), 1.0), "momentum": (Momentum, 0.1),
            "exact delta": (DeltaMomentum, 0.1), "deep": (DeepMomentum, 1.0)}
found = {name: np.array([[noisy_run(make, rate * unit, seed, steps) for seed in seeds] for rate in grid])
         for name, (make, unit) in memories.items()}
print("rate / (1 - alpha)" + "".join(f"{rate:>8}" for rate in grid) + "    each seed at the best rate")
for name, runs in found.items():
    best = runs.mean(1).argmin()
    print(f"{name:18}" + "".join(f"{mean_of:8.3f}" for mean_of in runs.mean(1)) + f"    {runs[best].round(3).tolist()} at {grid[best]}")
assert fast or all(0 < runs.mean(1).argmin() < 3 for runs in found.values())  # no best at the edge of its grid

# %% [markdown]
# *Mean of three seeds, 300 steps, delta with $\beta = 1$; smaller is better.* At their best rates the first three tie, at
# 0.106 and 0.107, where the seeds themselves are 0.05 apart. (On one common grid of $\eta$, momentum's best lies at the
# edge, and it seems to lose.) At small rates momentum is SGD with a longer step. The deep memory ends worse in all three
# seeds. Perhaps these gradients do not stay in a few directions; we did not look.
#
# A claim that one memory is better needs a task that asks for it, a tuned rate for each, and seeds.

# %% [markdown]
# ## What if the key has more features?
#
# The fourth change gives more room without a network. Map the key first (51), and store under $\phi(g)$, which can be
# longer than $g$. A linear memory keeps as many random keys apart as they have numbers. All products of two of $d$ entries
# make $d(d+1)/2$ features, with $\phi(g) \cdot \phi(h) = (g \cdot h)^2$; for our first and last gradient $2^2 = 4$.

# %%
from nlcore.optim import monomials

assert torch.isclose(monomials(G[0], 2) @ monomials(G[2], 2), torch.tensor(4.0, dtype=double))
keys = torch.randn(40, 6, generator=torch.Generator().manual_seed(0), dtype=double)
for degree in (1, 2):
    print(f"40 gradients of 6 numbers, degree {degree}: {torch.linalg.matrix_rank(monomials(keys, degree))} can be told apart")

# %% [markdown]
# <details><summary>Why no optimizer of this chapter uses them</summary>
#
# 21 features cannot be subtracted from 6 weights: somebody has to map them back, and 51 does not say who. A map that
# gives as many numbers as it gets can be stored by momentum as it is, such as `SignedPower(p)`, which is
# $\mathrm{sign}(g)\, |g|^p$: the gradient at $p = 1$, its sign at $p = 0$. On the loss $\tfrac12 (100\, x^2 + y^2)$ the
# square root ended lower than $p = 1$, and a fourth root higher, each at its best rate (`tests/optim/test_features.py`).
# Chapter 04 comes to the sign from another side.
#
# </details>

# %% [markdown]
# ## What if the answer is bent?
#
# The fifth change is the reading. So far $W$ moved along $m$ itself. Equation 52 puts a function between, $W_{t+1} =
# W_t - \eta\, \sigma(m_{t+1})$. (It prints $\sigma(m(u))$, with $m$ a linear layer; to get Muon, as it says, one has to
# read $m$ itself.) With $\sigma$ the [Newton-Schulz](glossary.md#newton-schulz) iteration, which sets all singular values
# of a matrix near 1, it is Muon. The memory is the same linear one; only the reading is new. Here our own `Momentum`
# remembers, Newton-Schulz reads, and `torch.optim.Muon` is the judge.

# %%
from nlcore.ops.newton_schulz import newton_schulz

matrices = torch.Generator().manual_seed(1)
stream_of_matrices = [torch.randn(3, 2, generator=matrices, dtype=double) for _ in range(20)]
by_reading = torch.zeros(3, 2, dtype=double)
for n in range(1, 21):
    _, memory = feed(lambda p: Momentum(p, alpha=0.5), stream_of_matrices[:n])
    read = newton_schulz(memory["momentum"], dtype=torch.bfloat16)
    by_reading -= 0.02 * (3 / 2) ** 0.5 * read.double()  # Muon's factor for 3 rows and 2 columns

muon = lambda p: torch.optim.Muon(p, lr=0.02, momentum=0.5, nesterov=False, weight_decay=0.0)
judge, _ = feed(muon, stream_of_matrices)
print("singular values of m, and read:", torch.linalg.svdvals(memory["momentum"]).round(decimals=2).tolist(),
      torch.linalg.svdvals(read.double()).round(decimals=2).tolist())
leftover = newton_schulz(torch.diag(torch.tensor([1.0, 0.05], dtype=double)))
print("a direction of size 0.05 beside one of size 1 is read as", round(leftover[1, 1].item(), 2))
print(f"largest difference to torch.optim.Muon {(by_reading - judge).abs().max():.1e}")
assert (by_reading - judge).abs().max() < 1e-12

# %% [markdown]
# Now go back to the first explorer and put Muon in view, with 20 or 30 steps per task. When a task ends, what is left of
# it in $m$ is small and shrinks. But Newton-Schulz reads a small direction almost as large as the others, so that the
# leftover goes on moving the weights for longer than its size in $m$ says. It fits that in the sweep, Adam apart, Muon
# was the last to come to rest. Chapter 04 derives Newton-Schulz.

# %% [markdown]
# ## Where are we in the nest?
#
# Here are both levels at work, in a [level score](glossary.md#level-score): two orthogonal tasks, 30 steps of momentum
# each, every update real.

# %%
from nlcore.viz.explorers.orthogonal_tasks import tasks
from nlcore.viz.roll import Row, roll

projections, target = (torch.from_numpy(part) for part in tasks(2))
w, remembered, sizes = torch.zeros(4, 24, dtype=double), torch.zeros(4, 24, dtype=double), []
for t in range(60):
    slope = (w - target) @ projections[t // 30]
    fresh = 0.9 * remembered + slope  # the inner level, written from the gradient
    later = w - 0.05 * fresh  # the outer level, which needs it
    sizes.append([(fresh - remembered).norm() / fresh.norm(), (later - w).norm() / later.norm()])
    remembered, w = fresh, later

green = MOMENTA["momentum"].colour  # of the weights' level, and so of its momentum
rows = [Row("momentum", "every step, first", green), Row("weights", "every step, second", green)]
figure, axes = plt.subplots(figsize=(10, 1.9), layout="constrained")
roll(axes, rows, np.arange(60), np.arange(60) + 1, np.array(sizes).T, np.ones((2, 60), dtype=int))
axes.set(xlim=(0, 60), xlabel="step (the second task begins at 30)")
show(figure, name="two_levels_of_momentum",
     alt="A level score of two rows over 60 steps. Both change at every step. Momentum's is the brighter row, and brightest at "
     "four single steps, two in each task, at which the weights' row is darkest.")

# %% [markdown]
# *Brightness is the size of a change; both rows have the weights' green, as on the map below.* Twice in each task $m$
# shrinks to almost nothing and turns round; there it changes most for its size, and the weights hardly move.
#
# Who writes? Gradient descent, twice: on $-m \cdot g$ above, on the loss below. Into what? $m$, and $W$. How
# often? Each once per step, and $m$ first, which is why there are two rows. From which context? $W$ learns from batches;
# $m$ never sees one, its whole world are the gradients that $W$ makes.

# %% [markdown]
# To whom is knowledge handed? Up go gradients, since the weights make what momentum learns from ([transfer by
# generation](glossary.md#transfer-by-generation)), and down comes $m$, as the step. At the end of training $m$ is thrown
# away, and what it knew lives on only in where it has moved $W$.

# %%
from nlcore.viz.hope_map import hope_map

hope_map(3)

# %% [markdown]
# *New: `momentum`, four times: of the weights, and of each network in chapter 08's chain.* It is written whenever its
# owner is updated. Three of the four are half filled only, because the chain whose gradients they hold is not built
# yet.

# %% [markdown]
# ## Summary
#
# 1. Momentum is a linear, value-less memory of gradients, a level inside the weights': same clock, needed first.
# 2. At 0.9 the newest 7 gradients carry half of it and the newest 44 carry 99%.
# 3. On orthogonal tasks momentum harms by rolling on, for a while; Adam by leaving the subspace, for good. Where tasks
#    overlap, a memory of what to avoid helps, and a sum of gradients is none.
# 4. Delta Momentum erases first. Printed without $\eta$, it grows once $\lVert g \rVert^2 > 1 + \alpha$; solved exactly,
#    never.
# 5. A deep memory learns which directions return, and at first takes new ones for noise.

# %% [markdown]
# ## Sources
#
# - Behrouz, Razaviyayn, Zhong, Mirrokni (2025), [Nested Learning](https://arxiv.org/abs/2512.24695), sections 3.1 and
#   4.2 to 4.4.
# - Momentum: Polyak (1964), [Some methods of speeding up the convergence of iteration
#   methods](https://doi.org/10.1016/0041-5553(64)90137-5); Sutskever et al. (2013), [On the importance of initialization and
#   momentum](https://proceedings.mlr.press/v28/sutskever13.html). Optimizers that are trained: Andrychowicz et al. (2016), [Learning to learn by gradient
#   descent by gradient descent](https://arxiv.org/abs/1606.04474).
# - Forgetting: French (1999), [Catastrophic forgetting in connectionist
#   networks](https://doi.org/10.1016/S1364-6613(99)01294-2). The walk that avoids: Farajtabar et al. (2020), [Orthogonal
#   gradient descent](https://arxiv.org/abs/1910.07104).

# %% [markdown]
# - The exact step: Sherman and Morrison (1950), [Adjustment of an inverse
#   matrix](https://doi.org/10.1214/aoms/1177729893); Parikh and Boyd (2014), [Proximal
#   algorithms](https://doi.org/10.1561/2400000003).
# - Kingma and Ba (2014), [Adam](https://arxiv.org/abs/1412.6980); Jordan et al. (2024),
#   [Muon](https://kellerjordan.github.io/posts/muon/).

# %% [markdown]
# ## Exercise 1: half-life (easy, 5 minutes)
#
# You want the newest $n$ gradients to carry exactly half of the momentum. Which $\alpha$ do you need?
#
# <details><summary>Hint</summary>
#
# What do all gradients that are *older* than the newest $n$ carry together, as a share of the whole?
#
# </details>
#
# <details><summary>Solution</summary>
#
# The older ones carry $\alpha^n$, which should be one half: `return 0.5 ** (1 / n)`
#
# </details>

# %%
from nlcore.exercises.chapter_03 import SUSPECTS, check_delta, check_harm, check_retention, check_suspects


def retention(n):
    """The alpha at which the newest n gradients carry half."""
    return None


print(check_retention(retention))

# %% [markdown]
# ## Exercise 2: erase under a key (middle, 10 minutes)
#
# *Build.* In the second reading a layer's momentum has inputs $x$ for keys and surprises $\delta$ for values. Give that
# reading its own Delta Momentum, in the literal form: keep $\alpha$ of the old matrix, take out $\beta$ times what it
# answered to $x$, and store $\delta$ in full. It is not the table's first row with $g = \delta x^\top$, which only takes
# out one direction of that answer.

# %% [markdown]
# <details><summary>Hint</summary>
#
# What did the old memory answer to $x$? How would you store just that answer under the key $x$?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return alpha * m + torch.outer(delta - beta * m @ x, x)`
#
# </details>

# %%
def layer_step(m, x, delta, alpha, beta):
    """The memory (outputs, inputs) after one write of the surprise `delta` (outputs) under the input x (inputs)."""
    return m


print(check_delta(layer_step))

# %% [markdown]
# ## Exercise 3: four suspects (middle, 15 minutes)
#
# *Diagnose.* `SUSPECTS[name](gradients)` feeds gradients (T, 2, 2) to an optimizer of rate 1 and returns the step that it
# subtracts at each. One has no memory (`"none"`), one is `"momentum"`, one exact `"delta"` momentum with $\beta = 1$, one
# momentum read through `"Newton-Schulz"`; where there is an $\alpha$, it is 0.9. Choose the gradients, and name each.

# %% [markdown]
# <details><summary>Hint</summary>
#
# Three experiments suffice: one gradient and then zeros; one gradient again and again; the same, ten times as large.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `{"A": "delta", "B": "Newton-Schulz", "C": "none", "D": "momentum"}`. C stops at zeros; B's steps do not know how
# large a gradient is; repeated, D adds up to ten times one gradient, and A to less than one.
#
# </details>

# %%
trial = torch.stack([torch.tensor([[0.6, 0.2], [-0.3, 0.9]])] * 3)
for name, box in SUSPECTS.items():
    print(name, [round(taken.norm().item(), 2) for taken in box(trial)])
named = {"A": "", "B": "", "C": "", "D": ""}
print(check_suspects(named))

# %% [markdown]
# ## Exercise 4: forgetting that harms (hard, 20 minutes)
#
# *Build.* The paper's claim fails on orthogonal tasks, so build two on which it holds. A task is a direction $u$ of
# length one in the plane and a target $y$ from $-1$ to 1, with the loss $(u \cdot w - y)^2$; $w$ starts at zero. Find two
# such that momentum, which learns them one after the other for 300 steps, ends with a loss of more than 1 on the first
# (worse than knowing nothing), while a walk that avoids $u_1$ solves both. Then: which $\alpha$ would have helped?

# %% [markdown]
# <details><summary>Hint</summary>
#
# The section on overlapping tasks says what task 2 does to $A_1 w$. Here $A_1$ is one row. What must the targets be, for
# that to be large? And what happens to the walk that avoids, if the directions are nearly one?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return (1.0, 0.0), 1.0, (0.8, 0.6), -1.0`. The loss becomes $c^2 (y_2 - c\, y_1)^2 = 0.64 \cdot 1.8^2 = 2.07$. No
# $\alpha$ helps: $w$ still walks along what $m$ holds.
#
# </details>

# %%
def harmful():
    """u1, y1, u2, y2."""
    return None


print(check_harm(harmful))
