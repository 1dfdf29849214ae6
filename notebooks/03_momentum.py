# %% [markdown]
# # 03 · Momentum is a memory of gradients
#
# **After this notebook** you can say what momentum remembers and for how long, derive Delta Momentum
# and find its misprint, run a momentum that is a network, and tell which optimizer harms a task it
# has left.
#
# **You need** chapters 00 and 02: what a memory is, and a gradient. **Time:** 35 minutes; the cells
# take about 20 seconds of CPU in all.

# %% [markdown]
# ## What does an optimizer remember, and forget?
#
# Below, one weight matrix learns four regression tasks, one after the other. Each task uses its own
# part of the inputs, at right angles to the others. So no task's gradient touches what another needs.
#
# Can an optimizer lose a task that it has left all the same? Press play with each of them in view.

# %%
from nlcore.viz.explorers.orthogonal_tasks import orthogonal_tasks

orthogonal_tasks().predict("03-lost")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Three of four tasks, with momentum in view.* SGD loses nothing. All the others move a task after it
# is over. Momentum rolls on, which happens to help here; Adam leaves the task's own directions and
# harms most.
#
# </details>

# %% [markdown]
# Why? Each of them carries something from step to step. This chapter opens that something.
# *Literal*, *bounded* and *exact* are forms of Delta Momentum, derived below.

# %% [markdown]
# ## What does momentum hold?
#
# The paper writes momentum as two levels (eq. 10-13, 33-37). Outside, the weights follow m. Inside, m
# is the memory of a small problem of its own: agree with the gradient $g = \nabla \mathcal{L}(W)$.
# A gradient step of rate 1 on $-\langle m, g \rangle$, with $\alpha$ kept, is
#
# $$m_{t+1} = \alpha\, m_t + g_t \qquad\qquad W_{t+1} = W_t - \eta\, m_{t+1}$$

# %% [markdown]
# The paper writes the same trajectory with two signs: in 33-37 its m is ours times $-\eta$ (it prints $W + m$ and
# $\alpha m - \eta g$), in 10-13 ours times $+\eta$ (there it is $W - m$ and $m + \eta g$, without $\alpha$). Its
# section 4.3 calls $\alpha$ by the name $\beta$; torch says `momentum`.
#
# Three gradients travel through this chapter: $(2, 0)$, $(0, 1)$ and $(1, 1)$. Take $\alpha = 0.5$. What is m after the
# third? The first has been halved twice, the second once.

# %%
import torch
from nlcore.optim import Momentum

torch.set_default_dtype(torch.float64)
G = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # a gradient each row
alpha, eta = 0.5, 0.1
m, W = torch.zeros(2), torch.zeros(2)
for g in G:
    m = alpha * m + g
    W = W - eta * m


def feed(make, gradients):
    """Gives these gradients to an optimizer; returns the weight, and what is remembered of them."""
    weight = torch.zeros_like(gradients[0], requires_grad=True)
    optimizer = make([weight])
    for g in gradients:
        weight.grad = g.clone()
        optimizer.step()
    return weight.detach(), optimizer.state[weight]


weight, memory = feed(lambda p: Momentum(p, lr=eta, alpha=alpha), G)
assert torch.equal(memory["momentum"], m) and torch.equal(weight, W)
print("m =", m.tolist(), "  W =", W.round(decimals=6).tolist())

# %% [markdown]
# By hand: $\tfrac{1}{4} (2, 0) + \tfrac{1}{2} (0, 1) + (1, 1) = (1.5, 1.5)$. Two thirds of it come from the
# newest gradient alone.
#
# On gradients that depend on the weights the same class must follow `torch.optim.SGD`. Here both
# train a small network for 200 steps, and we look for the largest difference in any weight.

# %%
def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))


def train(net, optimizer, steps=200):
    for step in range(steps):
        x = torch.randn(8, 6, generator=torch.Generator().manual_seed(step))
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
# ## How many gradients does it remember?
#
# Unrolled, $m = \sum_k \alpha^k g_{t-k}$: a gradient's weight falls by the same factor at every step.
# Weights add up to $1/(1-\alpha)$, so the newest n gradients carry the share $1 - \alpha^n$.
#
# The long version (arXiv 2512.24695, 4.3) gives the $i$-th gradient back the share $\beta^i (1 - \beta)$, sums from
# $i = 0$, and says that at 0.9 "the last 6 gradients (resp. 43 gradients)" carry at least 50% (resp. 99%).
# Is $1 - 0.9^6$ above one half?

# %%
for n in (6, 7, 43, 44):
    print(f"newest {n:2}: {1 - 0.9**n:.4f}")
assert 1 - 0.9**6 < 0.5 < 1 - 0.9**7 and 1 - 0.9**43 < 0.99 < 1 - 0.9**44

# %% [markdown]
# So it takes 7 and 44. The paper's numbers are right as steps *back*: since its sum begins at $i = 0$, the oldest of
# 7 gradients is 6 steps old, and what lies beyond 43 steps is indeed less than 1%, as it goes on to say. Either way
# the point stands, and it is a strong one. A run of 100,000 steps with momentum 0.9 acts, at each step, on the last 44
# batches.
#
# Move $\alpha$ below. The reach grows like $1/(1-\alpha)$: 0.99 reaches ten times as far as 0.9.

# %%
from nlcore.viz.explorers.gradient_weights import gradient_weights

gradient_weights()

# %% [markdown]
# *Shares at retention 0.9.* Nothing here looks at what a gradient says. An old gradient fades even if
# no newer one has told anything about its direction. That is the first of two ways to forget; the
# other is being written over, and plain momentum cannot do that either.

# %% [markdown]
# ## What is lost when tasks are orthogonal?
#
# Take n tasks whose gradients lie in orthogonal subspaces (eq. 45). While task 2 is at hand, m keeps of
# task 1 only what $\alpha^k$ leaves, though nothing has contradicted it. After 44 steps 1% is left: the
# optimizer no longer knows where task 1's slopes were. The paper warns that this may cause catastrophic forgetting in the
# weights too, because such an optimizer "has no memory of the old gradient subspace that it should avoid".

# %% [markdown]
# Does it? Let us count, with the numbers behind the first explorer. SGD is the test of the reason given, since it
# remembers no subspace at all.

# %%
from nlcore.viz.explorers.orthogonal_tasks import NAMES, run

print("loss on the tasks left: now less when left, after 4 tasks of 30 steps")
print(f"{'alpha':14}" + "".join(f"{a:>8}" for a in (0.0, 0.5, 0.9, 0.98)))
lost = {a: dict(zip(NAMES, run(4, 30, a, 1.0).forgotten(120))) for a in (0.0, 0.5, 0.9, 0.98)}
for name in NAMES:
    print(f"{name:14}" + "".join(f"{round(float(lost[a][name]), 3) + 0.0:8.3f}" for a in lost))

held = run(4, 30, 0.9, 1.0).held[NAMES.index("momentum"), 30:, 0]
assert abs(held[44] / held[0] - 0.9**44) < 1e-12
assert all(abs(lost[a]["SGD"]) < 1e-12 for a in lost)
assert lost[0.0]["Adam"] > 0.05 and abs(lost[0.0]["Muon"]) < 1e-12

# %% [markdown]
# Three mechanisms, one per column:
#
# - **$\alpha = 0$:** only Adam harms. It divides each coordinate by its own size, which turns the step
#   out of the task's subspace.
# - **$\alpha = 0.5$:** what is left in m rolls on for a few steps, downhill.
# - **$\alpha = 0.98$:** m is far from spent when the task ends, and no gradient stops it any more.

# %% [markdown]
# So on orthogonal tasks the danger is not that momentum forgets too soon. It is that it remembers, and
# rolls on unchecked. SGD forgets every subspace at once and harms none: where gradients are orthogonal there is nothing to
# avoid. The paper's warning needs tasks whose subspaces overlap, so that a later step can undo an earlier one.

# %% [markdown]
# ## What if it stores P g?
#
# A memory stores a value under a key. Plain momentum stores $g$ as it is. Eq. 46-47 give each gradient
# a value, $P_t g_t$ with a matrix $P$:
#
# $$m_{t+1} = \alpha\, m_t + P_t\, g_t$$
#
# This is preconditioned momentum. Without P our three gradients left $m = (1.5, 1.5)$; what do they leave with
# $P = \mathrm{diag}(1, 2)$?

# %%
P = torch.tensor([[1.0, 0.0], [0.0, 2.0]])

weight, memory = feed(lambda p: Momentum(p, lr=eta, alpha=alpha, values=lambda g: P @ g), G)
print("m =", memory["momentum"].tolist())
assert torch.allclose(memory["momentum"], P @ m)  # a fixed P may as well act on m

# %% [markdown]
# With a fixed P the order does not matter: $P$ can act on each gradient or on m at the end. It matters
# once P changes from step to step. Chapter 04 reads Adam, AdaGrad and Shampoo as choices of P that
# are learnt from the gradients themselves.

# %% [markdown]
# ## What if it asks before it writes?
#
# The dot product rewards agreement without end. The paper asks instead for an answer (the objective stands without a
# number above eq. 48): under the key $g$ the memory, a row $m$, shall give the number $P$. Its gradient step, with
# $\alpha$ kept, is the delta rule:
#
# $$\tfrac{1}{2} \lVert m\, g - P \rVert^2 \qquad m_{t+1} = m_t\,(\alpha - \eta\, g g^\top) + \eta\, P\, g^\top \qquad W_{t+1} = W_t - m_{t+1}^\top$$
#
# Before it writes, it takes out what stood under $g$. This is **Delta Momentum** (eq. 49).

# %% [markdown]
# **Erratum, eq. 49.** The long version has gradients as rows, and prints the objective, 48 and 49 as
#
# $$\lVert m\, g^\top - P \rVert_2^2 \qquad W_{i+1} = W_i + m_{i+1} \qquad m_{i+1} = m_i\,(\alpha_{i+1} - g^\top g) - \eta_t\, P\, g$$
#
# Let autograd take the step on half of that objective (the 2 goes into $\eta$), at $m = (1, 1)$ and our third gradient,
# for the value $P$ and for $-P$.

# %%
m, g, P, eta = torch.tensor([1.0, 1.0]), G[2], 1.0, 0.1


def step(value):
    at = m.clone().requires_grad_()
    (slope,) = torch.autograd.grad((at @ g - value) ** 2 / 2, at)
    return alpha * m - eta * slope


printed = alpha * m - g * (g @ m) - eta * P * g
restored = alpha * m - eta * g * (g @ m) - eta * P * g  # eta put back on g g^T
print("autograd, value P ", step(P).round(decimals=6).tolist())
print("autograd, value -P", step(-P).round(decimals=6).tolist())
print("eq. 49, printed   ", printed.tolist(), "  with eta put back", restored.round(decimals=6).tolist())
assert torch.allclose(step(P), alpha * m - eta * g * (g @ m) + eta * P * g)
assert torch.allclose(step(-P), restored) and not torch.allclose(step(-P), printed)

# %% [markdown]
# So two symbols differ. The sign is harmless: with the value $-P$ (as eq. 37 has $-\delta$) and 48's $W + m$ the step
# descends, and it is ours with m negated. The missing $\eta$ on $g^\top g$ is the true erratum. What does it do? Below
# both walk on the loss $\tfrac{1}{2} \lVert W \rVert^2$, whose gradient is W itself, from a near start and a far one,
# with the printed outer step $W + m$. Do all four runs reach the minimum?

# %%
def distance(write, start, steps=100):
    """How far from the minimum, 0, the weights are after so many steps."""
    W, m = torch.tensor(start), torch.zeros(2)
    for _ in range(steps):
        m = write(m, W)  # the gradient is W
        W = W + m  # eq. 48
    return W.norm().item()


as_printed = lambda m, g: alpha * m - g * (g @ m) - eta * P * g
with_eta = lambda m, g: alpha * m - eta * g * (g @ m) - eta * P * g
ends = {}
for name, write in {"eq. 49 as printed": as_printed, "with eta put back": with_eta}.items():
    ends[name] = near, far = [distance(write, start) for start in ([0.6, 0.4], [3.0, 2.0])]
    print(f"{name} from (0.6, 0.4): {near:8.2g}   from (3, 2): {far:8.2g}")
assert max(ends["with eta put back"]) < 1e-3 and ends["eq. 49 as printed"][0] < 1e-3
assert not ends["eq. 49 as printed"][1] < 1e3  # nan counts

# %% [markdown]
# By hand, at $m = (1, 1)$: for $P$, $0.5 - 0.2 + 0.1 = 0.4$; for $-P$, $0.5 - 0.2 - 0.1 = 0.2$; printed,
# $0.5 - 2 - 0.1 = -1.6$. A *nan* has left all numbers.

# %% [markdown]
# Near the minimum, where gradients are small, the printed form arrives like the other. But along $g$ it multiplies the
# old memory by $\alpha - \lVert g \rVert^2$, which is below $-1$ once $\lVert g \rVert^2 > 1 + \alpha$, and then it explodes.
# With $\eta$ the limit is $(1 + \alpha)/\eta$: farther off, but there. Either way the point stands: a memory that
# asks before it writes takes out what stood there.

# %% [markdown]
# ## What is the exact step?
#
# A gradient step only guesses at a proximal problem (chapter 02). Solve it instead. With $P = 1$ and m in
# units of $\eta$ it is
#
# $$m_{t+1} = \arg\min_m \tfrac{1}{2} \lVert m - \alpha m_t \rVert^2 + \tfrac{\beta}{2} (g \cdot m)^2 - m \cdot g$$
#
# Its slope is zero where $(I + \beta g g^\top)\, m = \alpha m_t + g = q$, which plain momentum would hold.
# The inverse is known (Sherman-Morrison):
#
# $$m_{t+1} = (I - \beta' g g^\top)\, q \qquad \beta' = \frac{\beta}{1 + \beta \lVert g \rVert^2}$$

# %% [markdown]
# Now the old memory shrinks along $g$ by $1 - \beta' \lVert g \rVert^2$, which lies between 0 and 1
# for any gradient. No gradient is too large.
#
# Three forms, then: **literal**, as printed ($\beta$ on $g g^\top$); **bounded**, $\beta'$ on
# $g g^\top$ and the new $g$ stored in full; **exact**, as above. With $\beta = 0$ all are plain momentum.
# $g$ is a parameter's whole gradient, flattened, and no matrix is built: $g g^\top m$ is $g\,(g \cdot m)$.

# %%
from nlcore.optim import DeltaMomentum

m, beta = torch.tensor([1.0, 1.0]), 1.0
bound = beta / (1 + beta * g @ g)
q = alpha * m + g
write = {
    "literal": q - beta * (g @ m) * g,
    "bounded": q - bound * (g @ m) * g,
    "exact": q - bound * (g @ q) * g,
}
solved = torch.linalg.solve(torch.eye(2) + beta * torch.outer(g, g), q)
assert torch.allclose(write["exact"], solved, atol=1e-14)

for form, by_hand in write.items():
    weight = torch.zeros(2, requires_grad=True)
    optimizer = DeltaMomentum([weight], lr=eta, alpha=alpha, beta=beta, form=form)
    weight.grad = torch.zeros(2)
    optimizer.step()
    optimizer.state[weight]["momentum"].copy_(m)
    weight.grad = g.clone()
    optimizer.step()
    assert torch.allclose(optimizer.state[weight]["momentum"], by_hand, atol=1e-14)
    print(f"{form:8}", [round(x, 4) for x in by_hand.tolist()])

# %% [markdown]
# By hand: $q = (1.5, 1.5)$, $\beta' = 1/3$, $g \cdot m = 2$, $g \cdot q = 3$. So literal is $1.5 - 2$,
# bounded $1.5 - \tfrac{2}{3}$, exact $1.5 - 1$.
#
# Now write the same gradient again and again. Here $\lVert g \rVert^2 = 2$ and $1 + \alpha = 1.5$.

# %%
from nlcore.viz.predictions import predict

predict("03-settles")

# %%
import matplotlib.pyplot as plt
from nlcore.viz.show import show
from nlcore.viz.theme import looks, tidy

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for form, look in looks(list(write)).items():
    sizes = []
    for n in range(1, 25):
        _, memory = feed(lambda p: DeltaMomentum(p, alpha=alpha, beta=beta, form=form), [g] * n)
        sizes.append(memory["momentum"].norm().item())
    axes.semilogy(range(1, 25), sizes, **look.line(), markersize=4, label=form)
    print(f"{form:8} after 24 writes {sizes[-1]:.4g}")
    assert (sizes[-1] > 1e3) == (form == "literal")
tidy(axes, "One gradient, written again and again", "write", "norm of m")
axes.legend(frameon=False)
show(figure, alt="Norm of the memory over 24 equal writes, on a logarithmic scale. The literal form grows on a "
     "straight line to ten thousand; the bounded and the exact form settle at once, at 1.2 and 0.57.")

# %% [markdown]
# *The literal form grows by 1.5 a write.* The exact one settles where old and new balance: along $g$ its
# length $s$ obeys $s = (\alpha s + \lVert g \rVert)/3$, so $s = \sqrt2 / 2.5 = 0.57$.
#
# Delta Momentum does not add up equal gradients, as momentum does up to $1/(1-\alpha)$. Repeated news
# is no news. The price: much of momentum's speed comes from just that sum.

# %% [markdown]
# ## What if the memory is a network?
#
# A vector m answers every key with one multiple of itself. Eq. 50 makes the memory an MLP,
# trained by gradient steps of its own, and reads it at the gradient:
#
# $$m_{t+1} = \alpha\, m_t - \eta\, \nabla \mathcal{L}^{(2)}(m_t; u_t) \qquad W_{t+1} = W_t - \eta_W\, m_{t+1}(u_t), \quad u_t = g_t$$

# %% [markdown]
# What is it asked for? The long version prints $-\eta_t \nabla \mathcal{L}^{(2)}(m_i;\, u_i, 1)$, so the target is 1, and names
# "e.g. dot product similarity $\langle m(u_i^\top), 1 \rangle$". It adds that the inner loss must be designed carefully, and we
# take it at its word. Ours, one MLP a parameter, must give back the rows of the gradient through a few hidden units,
# $\tfrac{1}{2} \lVert m(u) - u \rVert^2$. It starts by answering zero; after its first write, below, we run both targets.

# %%
import torch.nn.functional as F
from nlcore.optim import DeepMomentum

weight = torch.zeros(3, 2, requires_grad=True)
optimizer = DeepMomentum([weight], lr=1.0, eta=1.0, hidden=4)
w1 = torch.zeros(2, 4, requires_grad=True)  # the answers: nothing yet
w2 = optimizer.fresh(weight, optimizer.param_groups[0])["w2"].requires_grad_()

size = G.norm() / 3**0.5  # rows of mean squared norm 1, so that eta means the same everywhere
u = G / size
h = F.silu(u @ w2.T)
inner = (h @ w1.T - u).square().sum(1).mean() / 2
slopes = torch.autograd.grad(inner, (w1, w2))
curves = h.square().sum(1).mean(), w1.square().sum()  # the bound of before: eta / (1 + eta c)
w1, w2 = (w - 1.0 / (1 + 1.0 * c) * slope for w, slope, c in zip((w1, w2), slopes, curves))

weight.grad = G.clone()
optimizer.step()
answer = size * F.silu(u @ w2.T) @ w1.T
assert torch.allclose(weight, -answer, atol=1e-14)
print(f"inner loss {inner.item():.3f}; answer to (2, 0):", [round(x, 3) for x in answer[0].tolist()])

# %% [markdown]
# Our three gradients, as rows, were one write. The inner loss began at one half: nothing was answered.
#
# Why not the printed target? Below, the same small network gets the same three gradients again and again, once with the
# dot product with 1 as its inner loss, and once with ours. What does each answer to $(2, 0)$ in the end?

# %%
def asked(loss, writes, eta=0.3):
    """The answers to our three gradients, after so many inner steps of eq. 50."""
    first = torch.zeros(2, 4)
    second = optimizer.fresh(weight, optimizer.param_groups[0])["w2"]
    for _ in range(writes):
        slopes = torch.func.grad(lambda ws: loss(F.silu(u @ ws[1].T) @ ws[0].T))((first, second))
        first, second = 0.999 * first - eta * slopes[0], second - eta * slopes[1]
    return F.silu(u @ second.T) @ first.T


targets = {"printed, <m(u), 1>": lambda answer: answer.sum(1).mean(),
           "ours, |m(u) - u|^2 / 2": lambda answer: (answer - u).square().sum(1).mean() / 2}
for name, loss in targets.items():
    for writes in (10, 50):
        answer = size * asked(loss, writes)
        alike = torch.cosine_similarity(answer, G, dim=1).min()
        first = [f"{a:.2g}" for a in answer[0]]
        print(f"{name:23} {writes} writes: to (2, 0) {first}, least cosine of an answer to its gradient {alike:.2f}")
    assert (answer.norm() > 1e6 and alike < -0.7) if name.startswith("printed") else alike > 0.99

# %% [markdown]
# Asked for a dot product with 1, the network answers every gradient along $(-1, -1)$, because that is the way down, and
# ever more of it, because there is no amount at which the loss is content. The weights would walk that way whatever
# the gradients say. Momentum can afford such a loss, since a linear memory's slope is the gradient itself and $\alpha$
# bounds the sum; in a network each layer's slope grows with the other layer. Ours stops where the gradient is given back.

# %% [markdown]
# What is such a memory good for? Below, gradients have a part that always lies in the same three of 32
# directions, and as much noise in all of them. A memory of few units can only learn what returns.

# %%
predict("03-signal")

# %%
draw = torch.Generator().manual_seed(0)
basis = torch.linalg.qr(torch.randn(32, 3, generator=draw))[0]
weight = torch.zeros(24, 32, requires_grad=True)
optimizer = DeepMomentum([weight], lr=1.0, eta=1.0, hidden=16)
inner, near, plain = [], [], []
for _ in range(200):
    signal = torch.randn(24, 3, generator=draw) @ basis.T
    weight.grad = signal + (3 / 32) ** 0.5 * torch.randn(24, 32, generator=draw)
    before = weight.detach().clone()
    optimizer.step()
    answer = before - weight.detach()
    cosine = lambda x: torch.cosine_similarity(x.flatten(), signal.flatten(), dim=0).item()
    inner.append(optimizer.state[weight]["inner_loss"].item())
    near.append(cosine(answer))
    plain.append(cosine(weight.grad))
late = slice(100, None)
print(f"inner loss: first {inner[0]:.3f}, mean of the last 100 {sum(inner[late]) / 100:.3f}")
print(f"cosine to the signal: gradient {sum(plain[late]) / 100:.2f}, answer {sum(near[late]) / 100:.2f}")
assert sum(inner[late]) / 100 < 0.25 and sum(near[late]) > sum(plain[late]) + 10

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
look = looks(("answer", "gradient"))
left.plot(inner, color=look["answer"].colour)
left.set_ylim(0, 0.55)
tidy(left, "The memory learns", "step", "inner loss (0.5: answers nothing)")
for name, line in (("answer", near), ("gradient", plain)):
    right.plot(line, color=look[name].colour, linestyle=look[name].dash, label=name)
right.set_ylim(0, 1)
tidy(right, "Nearness to the signal", "step", "cosine (1 is the signal)")
right.legend(frameon=False)
show(figure, alt="Left, the inner loss falls from 0.5 to about 0.2 within 100 steps. Right, the memory's answer has a "
     "cosine of about 0.9 to the signal after 20 steps, the gradient itself 0.7.")

# %% [markdown]
# *The inner loss falls, and the answer is cleaner than the gradient.* This memory does not average over
# time as momentum does. It knows which directions gradients take. A new direction is at first
# mostly left out: it is careful, and slow to follow.
#
# Does that train a network better? Here are four memories on the same noisy regression, each with the best of four
# rates, over three seeds.

# %%
import os


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
seeds, steps = (range(1), 50) if os.environ.get("NL_FAST") else (range(3), 300)
memories = {"none (SGD)": lambda p, lr: Momentum(p, lr, 0.0), "momentum": Momentum, "exact delta": DeltaMomentum,
            "deep": DeepMomentum}
means = {}
for name, make in memories.items():
    found = {lr: [noisy_run(make, lr, seed, steps) for seed in seeds] for lr in (0.01, 0.03, 0.1, 0.3)}
    lr = min(found, key=lambda lr: sum(found[lr]))
    means[name] = sum(found[lr]) / len(seeds)
    print(f"{name:12} best lr {lr:<5} mean {means[name]:.3f} of", [round(x, 3) for x in found[lr]])
assert len(seeds) < 3 or means["none (SGD)"] < min(means["momentum"], means["exact delta"], means["deep"])

# %% [markdown]
# On average no memory beats none here, and the seeds differ more than the memories do. Delta Momentum
# comes nearest; deep and plain momentum are a little behind. What a small rate averages away need not
# be remembered. A claim that one memory is better needs a task, a tuned rate for each, and seeds.

# %% [markdown]
# ## What if the key has more features?
#
# A linear memory of keys with d numbers keeps at most d of them apart. Eq. 51 first maps the gradient,
# $\phi(g)$, and stores under that. All products of two coordinates make $d(d+1)/2$ features, and
# $\phi(g) \cdot \phi(h) = (g \cdot h)^2$. For our first and last gradient: $2^2 = 4$.
#
# So with d = 6, how many random gradients can each memory tell apart without error?

# %%
from nlcore.optim import SignedPower, monomials

assert torch.isclose(monomials(G[0], 2) @ monomials(G[2], 2), torch.tensor(4.0))

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
g6, values = torch.randn(40, 6, generator=draw), torch.randn(40, 1, generator=draw)
for degree, look in zip((1, 2), looks(("plain", "products")).values()):
    missed = []
    for n in range(1, 41):
        keys = monomials(g6[:n], degree)
        answers = keys @ torch.linalg.pinv(keys) @ values[:n]
        missed.append(((answers - values[:n]).square().sum() / values[:n].square().sum()).item())
    kept = sum(error < 1e-9 for error in missed)
    axes.plot(range(1, 41), missed, **look.line(), markersize=3, label=f"degree {degree}: exact up to {kept}")
    assert kept == monomials(g6[0], degree).numel()
tidy(axes, "What a linear memory of gradients gets wrong", "gradients stored", "error (share of the values)")
axes.legend(frameon=False)
show(figure, alt="Error of recall against the number of stored gradients. Plain keys are exact up to 6 and lose most "
     "by 20; products of two coordinates are exact up to 21.")

# %% [markdown]
# *Six and twenty-one.* Products do not fit back into a weight. A map that keeps the size can be stored by momentum itself:
# `SignedPower(p)` is $\mathrm{sign}(g) |g|^p$, from the gradient (p = 1) to its sign (p = 0).
#
# On a loss with slopes of very unlike size, $\tfrac{1}{2} (100\, x^2 + y^2)$ from $(1, 1)$, powers below 1
# bring the small one forward.

# %%
def valley(power, lr, steps=60):
    w = torch.ones(2, requires_grad=True)
    optimizer = Momentum([w], lr=lr, alpha=0.5, values=SignedPower(power))
    for _ in range(steps):
        optimizer.zero_grad()
        ((torch.tensor([100.0, 1.0]) * w.square()).sum() / 2).backward()
        optimizer.step()
    return ((torch.tensor([100.0, 1.0]) * w.detach().square()).sum() / 2).item()


rates = [10 ** (-4 + 0.1 * i) for i in range(36)]
best = {p: min((valley(p, lr), lr) for lr in rates) for p in (1.0, 0.75, 0.5, 0.25)}
for p, (loss, lr) in best.items():
    print(f"power {p:<4}: loss {loss:.1e} after 60 steps, at its best rate {lr:.3g}")
assert best[0.5][0] < best[1.0][0] < best[0.25][0]

# %% [markdown]
# ## What if the answer is bent?
#
# So far $W$ moves along $m$ itself. Eq. 52 puts a function between: $W_{t+1} = W_t - \eta\, \sigma(m_{t+1})$.
# With $\sigma$ = Newton-Schulz, which sets all singular values of a matrix near 1, it is Muon. The
# memory is the same linear one; only the reading is new.
#
# Here our own `Momentum` remembers, Newton-Schulz reads, and `torch.optim.Muon` is the judge.

# %%
from nlcore.ops.newton_schulz import newton_schulz

draw = torch.Generator().manual_seed(1)
stream = [torch.randn(3, 2, generator=draw) for _ in range(20)]
W = torch.zeros(3, 2)
for n in range(1, 21):
    _, memory = feed(lambda p: Momentum(p, alpha=0.5), stream[:n])
    read = newton_schulz(memory["momentum"], dtype=torch.bfloat16)
    W -= 0.02 * (3 / 2) ** 0.5 * read.double()  # Muon's factor for 3 rows and 2 columns

muon = lambda p: torch.optim.Muon(p, lr=0.02, momentum=0.5, nesterov=False, weight_decay=0.0)
judge, _ = feed(muon, stream)
print("singular values of m, and read:", torch.linalg.svdvals(memory["momentum"]).round(decimals=2).tolist(),
      torch.linalg.svdvals(read.double()).round(decimals=2).tolist())
leftover = newton_schulz(torch.diag(torch.tensor([1.0, 0.05])))
print("a direction of size 0.05 beside one of size 1 is read as", round(leftover[1, 1].item(), 2))
print(f"largest difference to torch.optim.Muon {(W - judge).abs().max():.1e}")
assert (W - judge).abs().max() < 1e-12 and leftover[1, 1] > 0.5

# %% [markdown]
# Now the first explorer's Muon makes sense. When a task ends, what is left of it in $m$ is small and
# shrinks. Newton-Schulz reads a small direction almost as large as the others, so the leftover keeps
# moving the weights for longer than its size in $m$ says. Put Muon in view again: at retention 0.9 it
# harms old tasks, and momentum, with the same kind of $m$, does not. Chapter 04 derives Newton-Schulz.

# %% [markdown]
# ## Is Delta Momentum faster?
#
# The paper's Fig. 4 compares momentum and Delta Momentum on a winding valley (eq. 53)
#
# $$\psi(r, \theta) = r^2 + k\,(r - \theta + a \sin(w r))^2$$
#
# from $(-3.5, 2)$, without its constants. Ours: $k = a = 1$, $w = 5$. A path has *arrived* once
# $\psi$ stays below 0.01, within 200 steps.

# %%
from nlcore.viz.explorers.psi_landscape import psi_landscape

psi_landscape().predict("03-stop")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Four forms at one setting (left); the fastest at each rate and retention (right).* Step counts leap
# from stop to stop: the valley's walls are steep, and a path that crosses them may land anywhere.
#
# </details>

# %% [markdown]
# So one lucky setting proves nothing. We count over a grid of 21 rates, 12 retentions and 16 values of
# $\beta$, from nine starts within 0.1 of the paper's. A setting is *sure* if it arrives from all nine.

# %%
import numpy as np
from nlcore.viz.explorers.psi_landscape import BETAS, FORMS, START, survey

draws = np.random.default_rng(0).uniform(-0.1, 0.1, (3 if os.environ.get("NL_FAST") else 9, 2))
grid = lambda start: np.stack([survey(float(b), (1.0, 1.0, 5.0), tuple(start)) for b in BETAS], -1)
one, many = grid(START), np.stack([grid(START + d) for d in draws])

print("           best of the grid      of all settings and starts")
print("           one start  sure       arrives   faster than standard   slower")
for i, form in enumerate(FORMS):
    faster, slower = many[:, i] < many[:, 0], many[:, i] > many[:, 0]
    print(f"{form:10} {one[i].min():9.0f} {many[:, i].max(0).min():5.0f} {np.isfinite(many[:, i]).mean():13.1%}"
          f" {faster.mean():22.1%} {slower.mean():8.1%}")
    if form in ("literal", "exact"):
        assert slower.mean() > 2 * faster.mean()
assert many[:, 2].max(0).min() < many[:, 0].max(0).min()

# %% [markdown]
# *Best of the grid, in steps.* From one start the luckiest settings need 8 to 17, and tell nothing. Among
# sure settings the bounded form needs 94 where standard momentum needs 136: a third fewer.
#
# Over the whole grid, delta momentum is no safe bet. At the same rates the bounded form is faster in 6.6%
# of cases and slower in 6.6%. Literal (2.2% against 8.1%) and exact (3.1% against 8.1%) lose more often.
# In the rest nobody arrives, or both at once.

# %% [markdown]
# ## Where are we in the nest?
#
# Each part that is trained gets a companion on the map:

# %%
from nlcore.viz.hope_map import hope_map

hope_map(3)

# %% [markdown]
# *New: `momentum`, four times: of the weights, and of each network in chapter 08's chain.* It is written from gradients
# whenever its owner is updated, and hands it the step. Three of the four are half filled only, because the chain whose
# gradients they hold is not built yet.

# %% [markdown]
# ## Summary
#
# 1. Momentum is a linear memory of gradients inside the weights' level; it writes with the dot product.
# 2. At 0.9 the newest 7 gradients carry half of it, the newest 44 carry 99%, whatever they say.
# 3. Delta Momentum erases before it writes; printed without $\eta$, it diverges at $\lVert g \rVert^2 > 1 + \alpha$, the exact step never.
# 4. A deep memory learns which directions return; a bent reading of a linear one is Muon.
# 5. A memory that is not spent moves tasks already left; SGD has none, and harms none that are orthogonal.

# %% [markdown]
# ## Exercise 1: unroll (easy, 5 minutes)
#
# After T gradients, $m = \sum_i w_i\, g_i$. Return the weights $w$, oldest gradient first.
#
# <details><summary>Hint</summary>
#
# The newest has weight 1, the one before $\alpha$. `torch.arange(T - 1, -1, -1)` counts down to 0.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return alpha ** torch.arange(T - 1, -1, -1)`
#
# </details>

# %%
from nlcore.exercises.chapter_03 import check_bound, check_delta, check_limit, check_retention, check_weights


def weights(alpha, T):
    """What each of T gradients counts in m, oldest first."""
    return torch.ones(T)


print(check_weights(weights))

# %% [markdown]
# ## Exercise 2: half-life (easy, 5 minutes)
#
# You want the newest n gradients to carry exactly half of the momentum. Which $\alpha$ do you need?
#
# <details><summary>Hint</summary>
#
# They carry $1 - \alpha^n$. Set that to one half.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return 0.5 ** (1 / n)`
#
# </details>

# %%
def retention(n):
    """The alpha at which the newest n gradients carry half."""
    return None


print(check_retention(retention))

# %% [markdown]
# ## Exercise 3: erase, then write (middle, 10 minutes)
#
# Write one literal step of Delta Momentum, $m \leftarrow (\alpha - \beta\, g g^\top)\, m + g$, without a
# matrix: a layer with a million weights would need one of a million squared.
#
# <details><summary>Hint</summary>
#
# $g g^\top m$ is the vector g times the number $g \cdot m$, which is `g @ m`.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return alpha * m - beta * (g @ m) * g + g`
#
# </details>

# %%
def delta(m, g, alpha, beta):
    """The memory after one literal write."""
    return m


print(check_delta(delta))

# %% [markdown]
# ## Exercise 4: when does it diverge? (middle, 10 minutes)
#
# The same gradient comes again and again. Up to which $\lVert g \rVert^2$ does your step of exercise 3
# stay bounded?
#
# <details><summary>Hint</summary>
#
# Along g the old memory is multiplied by one number at each write. Which numbers, multiplied again and
# again, do not grow?
#
# </details>
#
# <details><summary>Solution</summary>
#
# $\alpha - \beta \lVert g \rVert^2 \ge -1$, so `return (1 + alpha) / beta`
#
# </details>

# %%
def limit(alpha, beta):
    """The largest squared norm of g at which the literal form does not diverge."""
    return None


print(check_limit(limit))

# %% [markdown]
# ## Exercise 5: the exact rate (hard, 15 minutes)
#
# Find $b'$ in $(I + b\, g g^\top)^{-1} = I - b'\, g g^\top$, and write it as a function of b and g.
#
# <details><summary>Hint</summary>
#
# Multiply both: $(I + b\, g g^\top)(I - b'\, g g^\top) = I$. In the last product $g^\top g$ is a number,
# $\lVert g \rVert^2$. Collect what stands before $g g^\top$.
#
# </details>
#
# <details><summary>Solution</summary>
#
# $b - b' - b\, b' \lVert g \rVert^2 = 0$, so `return b / (1 + b * g @ g)`
#
# </details>

# %%
def bound(b, g):
    """The rate b' of the exact step."""
    return None


print(check_bound(bound))
