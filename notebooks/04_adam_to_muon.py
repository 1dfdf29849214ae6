# %% [markdown]
# # 04 · Adam, AdaGrad, Muon, M3
#
# **After this notebook** you can say which problem each optimizer solves as a memory of gradients, and
# compute one step of Adam, AdaGrad, Newton-Schulz and M3 by hand. You will know four places where the
# paper's equations, run as printed, do not do what its text says.
#
# **You need** chapters 00 and 03: what a memory is, and momentum. **Time:** 35 minutes; the cells take
# about 20 seconds of CPU in all.

# %% [markdown]
# ## Which memory is each optimizer?
#
# One weight gets a stream of gradients around 1. At step 41 they turn to around -1. Adam keeps two
# running means: m, of the gradients, and h, of their squares. It steps by $m / \sqrt{h}$.
#
# What does the step do right after the turn? And does the root of h notice it at all? Press play, and look at both.

# %%
from nlcore.viz.explorers.adam_as_regression import adam_as_regression

adam_as_regression().predict("04-turn")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Sixty gradients seen.* The step needs some ten gradients to turn; the root stays where it was, since
# squares have no sign.
#
# </details>

# %% [markdown]
# The right half shows why Adam is a memory: each past gradient is a point, its
# height is what the memory should answer to it, its size how much it counts, and Adam's step is the slope of the best
# line.
#
# This chapter derives that line. Then it asks what problem AdaGrad, Muon and M3 solve.

# %% [markdown]
# ## Two gradients for the whole chapter
#
# One 2 x 2 weight, two gradients. Look at each place: the upper left saw 3 and 4, the upper right
# twice as much, the lower left -5 and 5, the lower right 0 and 2.
#
# Plain momentum adds them up. Which place would it move most, and which not at all? Which of the four do you trust
# most?

# %%
import torch

torch.set_default_dtype(torch.float64)
G = torch.tensor([[[3.0, 6.0], [-5.0, 0.0]], [[4.0, 8.0], [5.0, 2.0]]])  # (steps, 2, 2)

total, h = G.sum(0), G.square().sum(0)
print("sum of gradients", total.tolist())
print("sum of squares  ", h.tolist())
print("its root        ", h.sqrt().tolist())

# %% [markdown]
# ## A preconditioner is a memory
#
# A preconditioner P changes the step (eq. 38). The paper asks what P *is* (eq. 39-41): a memory that
# maps gradients to a better coordinate system, chosen by a problem of its own inside the step:
#
# $$W_{t+1} = W_t - \eta\, P^{-1} g_t \qquad\qquad \min_P \tilde{\mathcal{L}}(P(\hat g);\, g)$$
#
# “Coordinate system” is meant literally: the step is plain descent for $z = P^{1/2} W$. Here P is
# diagonal, the root of h. Look at the lower right, where $g = 2$ and $\sqrt{h} = 2$.

# %%
P, eta, W = h.sqrt(), 0.1, torch.ones(2, 2)

z = (P.sqrt() * W).requires_grad_()
(G[1] * (z / P.sqrt())).sum().backward()  # a loss whose gradient for W is G[1]
plain = (z - eta * z.grad).detach() / P.sqrt()  # plain descent in z, back in W

step = W - eta * G[1] / P  # eq. 38
assert torch.allclose(plain, step, atol=1e-15)
print("P^-1 g =", (G[1] / P).tolist())

# %% [markdown]
# The upper places saw gradients of different size and get the same step, 0.8. Three optimizers of this
# chapter differ in the inner problem alone:
#
# | optimizer | the memory should | equation |
# |---|---|---|
# | Adam | answer one number to all gradients of a place | 101-105 |
# | AdaGrad, full | do so for all directions at once | 106-111 |
# | Muon | be orthogonal | 42-44 |

# %% [markdown]
# ## The best memory of gradients
#
# Appendix B takes each place alone. A memory is one number m; to a gradient $g_i$ it answers $m\, g_i$,
# and it should answer a target P, the same for all (eq. 101):
#
# $$\min_m \sum_{i=1}^{t} (m\, g_i - P)^2 + \lambda m^2 \qquad\qquad m^{*} = \frac{P \sum_i g_i}{\lambda + \sum_i g_i^2}$$
#
# Set the derivative to zero and you have $m^{*}$ (eq. 102; 103 steps with it). It needs two sums only, and those are what
# is kept. Below, $m^{*}$ against a least squares solver, place by place.

# %%
from nlcore.optim.regression import elementwise_memory

P = h.sqrt()
best = P * total / h  # eq. 102, lambda = 0

for i in range(2):
    for j in range(2):
        target = P[i, j].expand(2, 1)
        solved = torch.linalg.lstsq(G[:, i, j, None], target).solution
        assert abs(solved.item() - best[i, j].item()) < 1e-12
assert torch.allclose(elementwise_memory(G, P, torch.ones(2)), best, atol=1e-15)
print("best memory", best.round(decimals=12).tolist())

# %% [markdown]
# ## Two targets: momentum and Adam
#
# What should the memory answer? With $P = \sum g^2$ the denominator cancels, and what is left is
# momentum (eq. 104). With its root, it is Adam's ratio (eq. 105):
#
# $$P = \sum_i g_i^2:\; m^{*} = \sum_i g_i \qquad\qquad P = \sqrt{\textstyle\sum_i g_i^2}:\; m^{*} = \frac{\sum_i g_i}{\sqrt{\sum_i g_i^2}}$$
#
# **By hand:** $7/5$, $14/10$, $0$ and $2/2$. The two upper places agree, though one saw twice the gradient.
# The lower left, which saw -5 and 5, stays. That is what Adam adds: size is removed, agreement is kept.

# %%
momentum = h * total / h
adam = h.sqrt() * total / h

assert torch.equal(momentum, total)
assert torch.allclose(adam, torch.tensor([[1.4, 1.4], [0.0, 1.0]]))
print("eq. 104", momentum.tolist())
print("eq. 105", adam.round(decimals=12).tolist())

# %% [markdown]
# ## What the printed form leaves out
#
# Eq. 102 prints its sums as $M_{i+1} = M_i + \beta_1\, g_{i+1} \odot P$ and $H_{i+1} = H_i + \beta_2\, g_{i+1}^2$ (long version,
# arXiv 2512.24695): a factor before the new, none before the old. It adds and never forgets, so eq. 105, which the paper
# calls equivalent to Adam, is not yet Adam. On gradients of 1, forty of them, how large is
# $\sum g / \sqrt{\sum g^2}$? Then they turn to -1: how many steps until it turns?

# %% [markdown]
# The sum of forty ones is 40, the root $\sqrt{40} = 6.3$: the direction grows with $\sqrt{t}$. And it
# takes forty more to cancel the first forty.

# %%
import matplotlib.pyplot as plt
from nlcore.viz.show import show
from nlcore.viz.theme import looks, tidy

stream = torch.cat([torch.ones(40), -torch.ones(60)])
printed = stream.cumsum(0) / stream.square().cumsum(0).sqrt()
m, adam = 0.0, []  # the root of h is 1 throughout
for t, g in enumerate(stream, start=1):
    m = 0.9 * m + 0.1 * g
    adam.append(m / (1 - 0.9**t))
assert abs(printed[39] - 40**0.5) < 1e-12 and abs(printed[79]) < 1e-12

figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
for (name, look), y in zip(looks(("eq. 105 as printed", "Adam")).items(), (printed, adam)):
    axes.plot(range(1, 101), y, **look.line(), markevery=10, label=name)
axes.axvline(40, color="#7a7a7a", linewidth=0.8)
tidy(axes, "A gradient of 1 that turns to -1 after step 40", "step", "direction (learning rates)")
axes.legend(frameon=False)
show(figure, alt="The printed direction rises to 6.3 at step 40 and needs until step 80 to come back to zero; "
     "Adam's stays at 1 and is below zero seven steps after the turn.")

# %% [markdown]
# ## Adam itself, as a regression that forgets
#
# Let a gradient of age a weigh $\beta_2^a$. With $\beta_1 = \beta_2$ that is all: the same target, a
# weighted sum. With different betas, m and h forget at different rates, and *no* common target gives Adam.
# The targets must fade too (ours; the paper leaves it open):
#
# $$P_i = \sqrt{h}\; \frac{(1-\beta_1)\,\beta_1^{a}}{(1-\beta_2)\,\beta_2^{a}}$$
#
# That is why old points lie low in the first explorer. Bias correction scales all targets alike.

# %%
from nlcore.optim import Adam
from nlcore.optim.regression import adam_regression

beta1, beta2, t = 0.9, 0.999, 2
targets, weights = adam_regression(G, beta1, beta2)
corrected = (1 - beta2**t) ** 0.5 / (1 - beta1**t)
best = corrected * elementwise_memory(G, targets, weights)

for kind in (torch.optim.Adam, Adam):
    W = torch.zeros(2, 2, requires_grad=True)
    optimizer = kind([W], lr=1.0, betas=(beta1, beta2), eps=1e-30)
    for g in G:
        before, W.grad = W.detach().clone(), g.clone()
        optimizer.step()
    assert torch.allclose(before - W.detach(), best, atol=1e-12)
print("Adam's second step:", best.round(decimals=4).tolist())

# %% [markdown]
# Both Adams agree with the regression. Three things stand between eq. 105 and `torch.optim.Adam`: decay
# of both sums, bias correction, and $\varepsilon$, which is added to the root, where $\lambda$ of eq.
# 101 would be added to h. Weight decay is a fourth: ours takes a share of the weights, as `AdamW` does;
# torch's plain `Adam` adds the weights to the gradient, so that decay too is divided by the root.

# %% [markdown]
# ## One family
#
# The relatives of Adam keep the same sums and read them otherwise.
#
# | optimizer | memory and read-out |
# |---|---|
# | SignSGD | `Adam(betas=(0, 0))`: one gradient is its own root mean square |
# | RMSProp | h alone, no bias correction |
# | AMSGrad | divides by the largest h so far |
# | NAdam | m after the next such gradient, as Nesterov's |
# | RAdam | momentum until h has seen enough gradients |
# | Lion | sign of m, read with one decay and written with another |
#
# Here ours and torch's train the same small network for 50 steps.

# %%
from nlcore import optim

def trained(kind, **settings):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    optimizer = kind(net.parameters(), lr=1e-2, **settings)
    for _ in range(50):
        optimizer.zero_grad()
        x = torch.randn(16, 4)
        (net(x) - x[:, :2].sin()).square().mean().backward()
        optimizer.step()
    return torch.nn.utils.parameters_to_vector(net.parameters()).detach()

pairs = {"Adam": "Adam", "RMSProp": "RMSprop", "NAdam": "NAdam", "RAdam": "RAdam", "AdaGrad": "Adagrad"}
for ours, theirs in pairs.items():
    off = (trained(getattr(optim, ours)) - trained(getattr(torch.optim, theirs))).abs().max().item()
    print(f"{ours:8} {off:.0e}")
    assert off < 1e-10
assert torch.allclose(trained(optim.AMSGrad), trained(torch.optim.Adam, amsgrad=True), atol=1e-10)
assert torch.allclose(trained(Adam, weight_decay=0.1), trained(torch.optim.AdamW, weight_decay=0.1), atol=1e-10)

# %% [markdown]
# ## AdaGrad: which gradients come together
#
# Squares of single places cannot know that two places always move together. The outer product can (eq.
# 106-111). Write the gradient as one vector:
#
# $$H_t = \sum_{i \le t} g_i\, g_i^\top \qquad\qquad W_{t+1} = W_t - \eta\, H_t^{-1/2}\, g_t$$
#
# The inner problem is the old one with a matrix: $\min_m \sum_i (m^\top g_i - 1)^2$ is solved by $H^{-1}
# \sum g_i$, and reading it through $P = H^{1/2}$ gives the root. Kept as a diagonal, H is h.

# %%
from nlcore.optim.adagrad import over_root

rows = G.flatten(1)  # (2, 4): a gradient each row
H = rows.T @ rows
newest = over_root(H, rows[-1], eps=0.0)  # H^-1/2 g
diagonal = rows[-1] / H.diagonal().sqrt()

solved = torch.linalg.pinv(rows) @ torch.ones(2)  # the shortest m of least sum (m g_i - 1)^2
assert torch.allclose(over_root(H, over_root(H, rows.sum(0), 0.0), 0.0), solved, atol=1e-12)
print("diagonal", diagonal.round(decimals=3).tolist())
print("full    ", newest.round(decimals=3).tolist(), "length", round(newest.norm().item(), 12))

# %% [markdown]
# The full direction has length exactly 1. That holds for any gradients that are linearly independent:
# $H^{-1/2}$ turns them into vectors of length 1 at right angles. Keep this for Muon.

# %% [markdown]
# **Erratum (eq. 109).** The long version prints what is divided by the root as a sum, and the step (111) with it:
#
# $$\tilde M_{i+1} = M_i + \beta_1\, g_{i+1}^\top \qquad W_{i+1} \approx W_i - \frac{\eta_t}{\sqrt{\beta_2}}\, H_i^{-1/2}\, \tilde M_i$$
#
# It says that this is AdaGrad "when $\beta_1 = 1$". But AdaGrad's numerator is the newest gradient alone, and at
# $\beta_1 = 1$ the printed one is the sum of all: here two unit vectors at a right angle, added.

# %%
as_printed = over_root(H, rows.sum(0), eps=0.0)

for name, beta, direction in (("AdaGrad", 0.0, newest), ("eq. 109, beta_1 = 1", 1.0, as_printed)):
    W = torch.zeros(4, requires_grad=True)
    optimizer = optim.FullAdaGrad([W], lr=1.0, beta=beta, eps=0.0)
    for g in rows:
        before, W.grad = W.detach().clone(), g.clone()
        optimizer.step()
    assert torch.allclose(before - W.detach(), direction, atol=1e-12)
    print(f"{name:20} length {direction.norm():.4f}")

# %% [markdown]
# After t gradients at right angles the printed direction has length $\sqrt{t}$, where AdaGrad's has 1.
# With a decay below 1 on the old sum it is AdaGrad with momentum, as the paper names it (`beta` of `FullAdaGrad`), and with
# decay 0 AdaGrad. So the family is right, and only the member is misnamed.
#
# What does the matrix buy? Below, a valley thirty times longer than wide, turned by an angle. For which angle does
# the diagonal lose most, and does the full matrix notice the angle?

# %%
def after(kind, degrees, steps=60):
    a = torch.deg2rad(torch.tensor(float(degrees)))
    turn = torch.stack([torch.stack([a.cos(), -a.sin()]), torch.stack([a.sin(), a.cos()])])
    A = turn @ torch.diag(torch.tensor([30.0, 1.0])) @ turn.T
    W = (turn @ torch.tensor([1.0, 1.0])).requires_grad_()
    optimizer = kind([W], lr=0.5)
    for _ in range(steps):
        W.grad = A @ W.detach()
        optimizer.step()
    return (0.5 * W @ A @ W).item()

angles = range(0, 91, 5)
figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
kinds = {"diagonal": optim.AdaGrad, "full matrix": optim.FullAdaGrad}
for (name, kind), look in zip(kinds.items(), looks(tuple(kinds)).values()):
    losses = [after(kind, angle) for angle in angles]
    axes.semilogy(angles, losses, **look.line(), label=name)
    print(f"{name:12} at 0 degrees {losses[0]:.1e}, worst {max(losses):.1e}")
tidy(axes, "Loss after 60 steps in a turned valley", "angle of the valley (degrees)", "loss")
axes.legend(frameon=False)
show(figure, alt="Loss after 60 steps against the angle of the valley: a flat line for the full matrix, an arch for "
     "the diagonal, which loses most when the valley is turned away from the axes.")

# %% [markdown]
# The full matrix does not see the angle; the diagonal does. But H has $n^2$ numbers for n weights, and
# its root costs $n^3$.
#
# **Shampoo** keeps two small matrices for a weight matrix, $L = \sum g g^\top$ and $R = \sum g^\top g$, and
# steps along $L^{-1/4} g R^{-1/4}$. **SOAP** runs Adam in the coordinates that L and R find. With one
# gradient Shampoo's step is $U V^\top$ of $g = U S V^\top$: all singular values become 1.

# %%
def power(A, exponent):
    values, Q = torch.linalg.eigh(A)
    return Q * values**exponent @ Q.T

U, S, Vh = torch.linalg.svd(total)
shampoo = power(total @ total.T, -0.25) @ total @ power(total.T @ total, -0.25)
assert torch.allclose(shampoo, U @ Vh, atol=1e-10)
print("singular values of the summed gradient", S.round(decimals=3).tolist())
print("of Shampoo's step from it alone       ", torch.linalg.svdvals(shampoo).round(decimals=10).tolist())

# %% [markdown]
# ## Newton-Schulz: orthogonal by descent
#
# Muon (eq. 42) wants this $U V^\top$ without an SVD. Its inner problem is to be orthogonal (eq. 43):
#
# $$\min_O \lVert O^\top O - I \rVert^2 \qquad\qquad \nabla = 4\, O\,(O^\top O - I)$$
#
# A gradient step of rate $1/8$ is the cubic Newton-Schulz, $O \leftarrow 1.5\, O - 0.5\, O O^\top O$. Each
# singular value goes alone: $s \leftarrow 1.5 s - 0.5 s^3$. **By hand:** 0.6 becomes $0.9 - 0.108 = 0.792$.
# A value of 0.06 grows by 1.5 a step at first; how many steps until 1?

# %%
from nlcore.ops.newton_schulz import CUBIC, QUINTIC, newton_schulz

O = total / total.norm()  # all singular values at most 1
loss = lambda O: (O.T @ O - torch.eye(2)).square().sum()
for step in range(13):
    if step % 3 == 0:
        print(f"step {step:2}  singular values {[round(s, 4) for s in torch.linalg.svdvals(O).tolist()]}")
    gradient = torch.func.grad(loss)(O)
    assert torch.allclose(gradient, 4 * O @ (O.T @ O - torch.eye(2)), atol=1e-14)  # eq. 43
    O = O - gradient / 8

assert torch.allclose(O, newton_schulz(total, 13, CUBIC), atol=1e-14)
assert torch.allclose(O, U @ Vh, atol=1e-10)
assert abs(1.5 * 0.6 - 0.5 * 0.6**3 - 0.792) < 1e-15

# %% [markdown]
# ## The term too many in eq. 44
#
# **Erratum.** The long version (arXiv 2512.24695) prints the objective (43) and its step (44) as
#
# $$\lVert P(g)^\top P(g) - I \rVert_F^2 \qquad O_{i+1} = O_i - \zeta_{i+1} \left( O_i - g_t + 2\, O_i\, (O_i^\top O_i - I) \right)$$

# %% [markdown]
# Eq. 43's gradient is $4\, O\,(O^\top O - I)$; the 2 is a matter of $\zeta$, but 43 has no $O - g$. It is the pull of another
# problem, one that also wants to stay near g (as the sentence below 43 says it should). Where does a
# singular value that starts at $s_0$ stop? Set the bracket to zero: $2s^3 - s = s_0$. For $s_0 = 1$ that is 1;
# for $s_0 = 0$ it is $1/\sqrt{2}$, not 1.

# %%
from nlcore.ops.newton_schulz import printed_newton_schulz

g = total / total.norm()
corrected = newton_schulz(g, 100, CUBIC)
printed = printed_newton_schulz(g, 100)

s0, s = torch.linalg.svdvals(g), torch.linalg.svdvals(printed)
assert torch.allclose(2 * s**3 - s, s0, atol=1e-10)
assert loss(corrected) < 1e-20 < 0.1 < loss(printed)
print("start    ", s0.round(decimals=4).tolist())
print("printed  ", s.round(decimals=4).tolist(), f"|O^T O - I|^2 = {loss(printed):.3f}")
print("corrected", torch.linalg.svdvals(corrected).round(decimals=4).tolist(), f"|O^T O - I|^2 = {loss(corrected):.0e}")

# %% [markdown]
# Muon takes neither. Its quintic, $3.4445\, s - 4.7750\, s^3 + 2.0315\, s^5$, grows small values 3.4 times a
# step, and then leaves all of them between 0.68 and 1.21 without ever reaching 1.
#
# Which form brings up the small values first, and which one ends exactly at 1? Set Steps to 0 and play.

# %%
from nlcore.viz.explorers.newton_schulz_spectra import newton_schulz_spectra

newton_schulz_spectra().predict("04-first")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Sixteen singular values after five steps.* The quintic is there after three or four steps, roughly;
# the cubic needs about a dozen, exactly; the printed form stops between.
#
# </details>

# %% [markdown]
# Five rough steps buy Muon what it wants: a step that moves rare directions as much as common ones.

# %% [markdown]
# ## Muon
#
# Muon is momentum, read through Newton-Schulz (eq. 42; also eq. 52, a non-linear read-out). As a memory:
# the linear memory of chapter 03, and an inner problem at each read.
#
# torch computes Newton-Schulz in bfloat16, with 8 bits. With the same rounding, are the two steps equal bit for bit?
# And without it, how far off is torch's?

# %%
def second_step(kind, **settings):
    W = torch.zeros(2, 2, requires_grad=True)
    optimizer = kind([W], lr=1.0, weight_decay=0.0, **settings)
    for gradient in G:
        before, W.grad = W.detach().clone(), gradient.clone()
        optimizer.step()
    return before - W.detach()

theirs, rounded = second_step(torch.optim.Muon), second_step(optim.Muon)
assert torch.equal(theirs, rounded)
exact = second_step(optim.Muon, dtype=None)

m = 0.95 * 0.05 * G[0] + 0.05 * G[1]  # the momentum, then Nesterov's look ahead
assert torch.allclose(exact, newton_schulz(0.05 * G[1] + 0.95 * m, 5, QUINTIC), atol=1e-12)
print("singular values of the step", torch.linalg.svdvals(exact).round(decimals=3).tolist())
print(f"torch's differs by {(theirs - exact).norm() / exact.norm():.1%} from the same step without rounding")

# %% [markdown]
# ## M3: two time scales
#
# Muon forgets: at 0.95, the newest 14 gradients carry half. M3 (Alg. 1) adds a slow memory that takes up
# the gradients of a whole period at once, makes both orthogonal, and divides by Adam's root:
#
# $$W \leftarrow W - \eta\, \frac{\mathrm{NS}(M^{(1)}) + \alpha\, \mathrm{NS}(M^{(2)})}{\sqrt{V + \varepsilon}}$$
#
# So there are three levels: W; inside it $M^{(1)}$ and V; and $M^{(2)}$, which changes once a period. Here G comes
# twice, with a period of 2.

# %%
from nlcore.optim import MultiscaleMomentumMuon

b1, b2, b3, alpha, lr, f = 0.9, 0.999, 0.9, 0.5, 0.01, 2
W = fast = slow = V = slow_answer = torch.zeros(2, 2)
stream = torch.cat([G, G])
for t, g in enumerate(stream, start=1):
    fast, V = b1 * fast + (1 - b1) * g, b2 * V + (1 - b2) * g**2
    root = (V / (1 - b2**t) + 1e-8).sqrt()
    W = W - lr * (newton_schulz(fast) + alpha * slow_answer) / root
    if t % f == 0:  # the slow level's turn
        slow = b3 * slow + (1 - b3) * stream[t - f : t].mean(0)
        slow_answer = newton_schulz(slow)

ours = torch.zeros(2, 2, requires_grad=True)
m3 = MultiscaleMomentumMuon([ours], lr, (b1, b2, b3), alpha, period=f)
for g in stream:
    ours.grad = g.clone()
    m3.step()
assert torch.allclose(W, ours.detach(), atol=1e-12) and W[1, 1] < -20
print("after four gradients:", W.round(decimals=4).tolist())

# %% [markdown]
# The lower right moved by 20, the others by less than 0.01. Why? Its first gradient is 0, so V is 0 there and the root
# is $\sqrt{\varepsilon}$, 0.0001. Adam's numerator would be 0 as well. But an orthogonal matrix has no reason to be 0
# where the gradient is. So M3 steps most where it has seen least; a larger $\varepsilon$ bounds that, and in
# matrices without empty places it is rare.

# %% [markdown]
# What can a second time scale do? Below, gradients of a 6 x 6 weight hold two directions: a loud one that turns to its
# opposite every 20 steps, as across a ravine, and a quiet one that drifts slowly, along it. A good step
# follows the quiet one.
#
# Which line holds the quiet direction steadily? Does M3's *step*, which mixes both memories, follow it better than
# AdamW's?

# %%
from nlcore.viz.explorers.two_time_scales import two_time_scales

two_time_scales()

# %% [markdown]
# *Cosines over 160 steps; means in the legend.* The slow memory holds the quiet direction where all
# single scales swing. M3's step gains from it: with $\alpha = 0$ its mean cosine there is 0.45, with 0.5
# it is 0.54. But AdamW has 0.71, and with $\beta_1 = 0.98$ it has 0.78. Dividing an orthogonal matrix by
# V place by place costs M3 more than its second scale wins here.

# %%
from nlcore.viz.explorers.two_time_scales import compute

for beta1, a in ((0.9, 0.0), (0.9, 0.5), (0.98, 0.5)):
    means = {name: round(float(c.mean()), 2) for name, c in compute(beta1, 0.9, 10, a).quiet.items()}
    print(f"beta1 {beta1}, alpha {a}: {means}")
found = {a: compute(0.9, 0.9, 10, a).quiet["M3"].mean() for a in (0.0, 0.5)}
assert 0.44 < found[0.0] < 0.46 and 0.53 < found[0.5] < 0.55

# %% [markdown]
# ## A minus in eq. 75
#
# **Erratum.** Beside each other in section 7.2 the long version prints, for the slow memory, eq. 75 and line 3 of Alg. 1:
#
# $$M_t^{(2)} = M_t^{(2)} - \beta_2 \sum_{i = t - \hat C}^{t} g_i \;\text{ if } t \equiv 0 \;(\mathrm{mod}\; \hat C)
#   \qquad\qquad M_t^{(2)} = M_{t-1}^{(2)} + \beta_3 \sum_{i = (k-1) f}^{k f} g_i$$

# %% [markdown]
# Eq. 75 also has $t$ on both sides, and a zero in place of the sum at other $t$; what counts here is the sign. The one step of the weights in print, line 10 of
# Alg. 1, *subtracts* the answer, so the plus is right there, and with gradients that always point one way the minus
# should walk uphill.
#
# Newton-Schulz keeps signs, so the minus turns the slow memory's whole contribution round.

# %%
from nlcore.optim.m3 import Equation75

def downhill(kind, alpha):
    W = torch.zeros(2, 2, requires_grad=True)
    optimizer = kind([W], lr=0.1, alpha=alpha, period=2, decay="none")
    for _ in range(20):
        W.grad = G[1].clone()
        optimizer.step()
    return -(W * G[1]).sum().item()

plus, without = downhill(MultiscaleMomentumMuon, 0.5), downhill(MultiscaleMomentumMuon, 0.0)
minus, more = downhill(Equation75, 0.5), downhill(Equation75, 2.0)
print(f"Alg. 1, plus {plus:.2f}   without slow memory {without:.2f}   eq. 75, minus {minus:.2f}, at alpha 2 {more:.2f}")
assert plus > without > minus > 0 > more

# %% [markdown]
# ## Sums or means?
#
# **Ambiguity.** Alg. 1 calls its betas momentum factors, but prints sums: $M + \beta_1 g$, $V + \beta_2 g^2$. A sum
# weighs the first gradient as the newest, and V only grows, so steps shrink with $1/\sqrt{t}$. `decay="none"` is as
# printed; `decay="ema"`, our default, reads running means.
#
# Below, gradients turn to their opposite after step 50. Which reading turns, and when?

# %%
torch.manual_seed(0)
way = torch.randn(6, 6)
noisy = [(1 if t < 50 else -1) * way + 0.5 * torch.randn(6, 6) for t in range(150)]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
for decay, look in looks(("ema", "none")).items():
    W = torch.zeros(6, 6, requires_grad=True)
    m3, cosines, sizes = MultiscaleMomentumMuon([W], lr=1.0, decay=decay), [], []
    for g in noisy:
        before, W.grad = W.detach().clone(), g
        m3.step()
        step = before - W.detach()
        cosines.append(((step * way).sum() / step.norm() / way.norm()).item())
        sizes.append(step.norm().item())
    turned = next(t for t in range(50, 150) if cosines[t] < 0) - 49
    print(f"{decay:5} turns {turned} steps after the gradients; step 1 and 150: {sizes[0]:.1f}, {sizes[-1]:.1f}")
    left.plot(cosines, **look.line(), markevery=15, label=decay)
    right.plot(sizes, **look.line(), markevery=15, label=decay)
tidy(left, "Direction", "step", "cosine with the first gradients")
tidy(right, "Size", "step", "norm of the step (learning rates)")
right.set_ylim(bottom=0)
left.legend(frameon=False)
show(figure, alt="Left, the step's cosine with the first direction: running means turn soon after step 50, sums only "
     "near step 100. Right, the norm of the step: level for means, with a dip after the turn, and falling for sums.")

# %% [markdown]
# One more thing to know before you use M3. Newton-Schulz removes the gradient's size from the numerator, and V
# puts it back below the line. What if the loss is multiplied by 10?

# %%
from nlcore.viz.predictions import predict

predict("04-tenfold")

# %%
def first_step(kind, scale, **settings):
    W = torch.zeros(2, 2, requires_grad=True)
    W.grad = scale * G[1]
    kind([W], lr=1.0, weight_decay=0.0, **settings).step()
    return W.detach().norm().item()

for kind, settings in ((Adam, {}), (optim.Muon, {"dtype": None}), (MultiscaleMomentumMuon, {})):
    ratio = first_step(kind, 10.0, **settings) / first_step(kind, 1.0, **settings)
    print(f"{kind.__name__:24} a loss 10 times larger: step {ratio:.2f} times as large")

# %% [markdown]
# M3's learning rate is in units of the gradient: another loss scale, or another layer with smaller gradients, is another
# rate. The paper does not say so.
#
# It does not say either what M3 does with vectors and embeddings. Ours leaves vectors as they are: both
# momenta over the root, which is Adam with a second scale. Embeddings go in a group with
# `orthogonal=False`, or to AdamW, as below.

# %% [markdown]
# ## Does it help?
#
# The paper's figures 11 and 12 compare M3 with AdamW and Muon on a vision transformer, by loss and by time. Ours is small:
# handwritten digits, 8 x 8 pixels, 57,000 weights, 300 steps, CPU. Muon and M3 train the matrices inside the
# blocks; AdamW trains all else in every run.
#
# Among the runs are AdamW, Muon, M3, and M3 without its slow memory (“fast only”).

# %%
predict("04-order")

# %% [markdown]
# Each line has the best of five learning rates, by training loss on three other seeds; all else is as it comes, but
# AdamW also gets a second $\beta_1$. `python -m bench.vit_digits` measured it, in about eight minutes. The next
# cell reads its log, figures/vit_digits.json: five seeds a line, means with 95% intervals.

# %%
import json
from pathlib import Path

import nlcore

log = json.loads((Path(nlcore.__file__).parent.parent / "figures/vit_digits.json").read_text())
runs = log["runs"]

def interval(values):
    """Mean and half width of the 95% interval over five seeds (Student's t, 4 degrees)."""
    x = torch.tensor(values)
    return x.mean().item(), 2.776 * x.std().item() / len(values) ** 0.5

end = {name: [sum(r["losses"][-50:]) / 50 for r in seeds] for name, seeds in runs.items()}
print(f"{'':18}training loss      test accuracy    ms a step")
for name, seeds in runs.items():
    (loss, a), (right, b) = interval(end[name]), interval([r["accuracy"] for r in seeds])
    ms = sum(r["ms_a_step"] for r in seeds) / len(seeds)
    print(f"{name:18}{loss:.4f} +- {a:.4f}   {right:.3f} +- {b:.3f}   {ms:.1f}")
without = sum(a < b for a, b in zip(end["M3, fast only"], end["M3"]))
print(f"without its slow memory M3 has the lower loss in {without} of 5 seeds")

# %%
def smooth(losses, width=20):
    return torch.tensor(losses).unfold(0, width, 1).mean(1)

figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", sharey=True)
for (name, seeds), look in zip(runs.items(), looks(tuple(runs)).values()):
    curves = torch.stack([smooth(r["losses"]) for r in seeds])
    spread = 2.776 * curves.std(0) / len(seeds) ** 0.5
    seconds = sum(r["ms_a_step"] for r in seeds) / len(seeds) / 1000
    for place, scale in zip(axes, (1.0, seconds)):
        x = scale * torch.arange(20, 301)
        place.semilogy(x, curves.mean(0), **look.line(), markevery=40, label=name)
        place.fill_between(x, (curves.mean(0) - spread).clamp(min=1e-3), curves.mean(0) + spread,
                           color=look.colour, alpha=0.15, linewidth=0)
tidy(axes[0], "By step", "step", "training loss (mean of 20 steps)")
tidy(axes[1], "By time, one CPU core", "seconds", "")
axes[0].legend(frameon=False, fontsize=8)
show(figure, name="vit_digits", alt="Training loss of six optimizers on the digits, by step and by seconds, with intervals over five "
     "seeds. AdamW with both betas is far above; Muon, M3 and M3 without slow memory end lowest; M3 as printed lies between.")

# %% [markdown]
# At this size orthogonal steps matter most; AdamW is far behind. M3 ends below Muon, for about 5% more time. But
# that is its second moment, not its slow memory: without it the loss is lower in all five seeds, though the two
# intervals touch. As printed, with sums, M3 falls behind Muon. The test accuracies of Muon and M3 lie
# within each other's intervals.
#
# At learning rates that are too small, does the slow memory still hurt?

# %%
print("training loss on the tuning seeds, mean of three\n" + f"{'lr':>8}{'M3':>10}{'fast only':>12}")
for lr in log["tuning"]["M3"]:
    slow, fast = (sum(log["tuning"][name][lr]) / 3 for name in ("M3", "M3, fast only"))
    print(f"{lr:>8}{slow:>10.4f}{fast:>12.4f}")

# %% [markdown]
# At small rates it helps, at large ones it hurts: here the slow memory acts like a longer step, which the learning
# rate gives for free. Two time scales are not what helped on these digits, where nothing has to be remembered for long. A
# stream with more to forget may say otherwise; chapter 12 has one.

# %% [markdown]
# Now live, on this machine: the same model and rates, one seed, a shorter run with a constant rate. Loss and time
# here are yours; those above are the log's. Is the order the same after 100 steps?

# %%
import os, time
from torch.nn.functional import cross_entropy
from nlcore.models.vision_transformer import VisionTransformer
from nlcore.tasks.digits import digits

torch.set_default_dtype(torch.float32)
data, steps = digits(), 10 if os.environ.get("NL_FAST") else 100
for name, lr in {"AdamW": 3e-3, "Muon": 1e-2, "M3": 1e-4}.items():
    torch.manual_seed(0)
    model = VisionTransformer()
    inner = {"AdamW": lambda p: Adam(p, lr), "M3": lambda p: MultiscaleMomentumMuon(p, lr),
             "Muon": lambda p: optim.Muon(p, lr, rate="match_rms_adamw", dtype=None)}[name](model.matrices())
    losses, others, began = [], Adam(model.others(), 3e-3), time.perf_counter()
    for _ in range(steps):
        rows = torch.randint(len(data.train_labels), (64,))
        loss = cross_entropy(model(data.train_images[rows]), data.train_labels[rows])
        model.zero_grad()
        loss.backward()
        inner.step()
        others.step()
        losses.append(loss.item())
    spent = 1000 * (time.perf_counter() - began) / steps
    print(f"{name:6} loss of the last ten steps {sum(losses[-10:]) / 10:.3f}, {spent:.1f} ms a step")

# %% [markdown]
# ## Where are we in the nest?
#
# The second companion is Adam's:

# %%
from nlcore.viz.hope_map import hope_map

hope_map(4)

# %% [markdown]
# *New: `squares`, beside each momentum and updated as often.* They are written from the same gradients, and tell by how
# much the step of each parameter is divided. M3 would add a third, slower box to each pair, but this course trains Hope
# with AdamW.

# %% [markdown]
# ## Summary
#
# 1. Adam is the best element-wise memory of gradients for a target, if old targets fade as its two betas ask.
# 2. As printed, eq. 102 never forgets, and eq. 109 with $\beta_1 = 1$ is not AdaGrad.
# 3. Newton-Schulz is descent on $\lVert O^\top O - I\rVert^2$; eq. 44's extra term keeps it from arriving.
# 4. M3 needs a plus where eq. 75 has a minus, means where Alg. 1 has sums, and a rate in units of the gradient.
# 5. On the digits M3 ends below Muon, by its second moment; its slow memory makes it worse.

# %% [markdown]
# ## Exercise 1: Adam from sums (easy, 5 minutes)
#
# Write eq. 105 as printed, for gradients G of size (steps, n). Change the last line, run, and read
# what the check says.
#
# <details><summary>Hint</summary>
#
# Two sums over the first dimension. Square before you add.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return G.sum(0) / G.square().sum(0).sqrt()`
#
# </details>

# %%
from nlcore.exercises.chapter_04 import check_best_memory, check_full_adagrad
from nlcore.exercises.chapter_04 import check_newton_schulz, check_running_mean, check_write_slow


def best_memory(G):
    """The best memory for the target sqrt(sum g^2), each place alone."""
    return None


print(check_best_memory(best_memory))

# %% [markdown]
# ## Exercise 2: bias correction (middle, 10 minutes)
#
# A running mean starts at 0 and keeps $\beta$ of itself. Return it after the last gradient, corrected.
#
# <details><summary>Hint</summary>
#
# After t gradients of 1 the plain running mean is $1 - \beta^t$. What must it be divided by?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `m = torch.zeros_like(G[0])`, then
# `for g in G: m = beta * m + (1 - beta) * g`, then
# `return m / (1 - beta ** len(G))`
#
# </details>

# %%
def running_mean(G, beta):
    """The bias-corrected running mean of G (steps, n)."""
    return None


print(check_running_mean(running_mean))

# %% [markdown]
# ## Exercise 3: one step of Newton-Schulz (middle, 10 minutes)
#
# Take one step of rate $1/8$ down the gradient of $\lVert O^\top O - I \rVert^2$.
#
# <details><summary>Hint</summary>
#
# The gradient is $4 O (O^\top O - I)$. What are an eighth of 4, and $O\, I$?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return 1.5 * O - 0.5 * O @ O.T @ O`
#
# </details>

# %%
def step(O):
    """One cubic Newton-Schulz step for O (rows, columns)."""
    return O


print(check_newton_schulz(step))

# %% [markdown]
# ## Exercise 4: the slow memory's sign (middle, 10 minutes)
#
# A period of gradients is over. Write it to the slow memory of M3, as a running mean of the periods' means, with the sign that
# goes downhill when the answer is *subtracted* from the weights.
#
# <details><summary>Hint</summary>
#
# Look at the erratum of eq. 75. `period.mean(0)` is the mean gradient.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return beta3 * slow + (1 - beta3) * period.mean(0)`
#
# </details>

# %%
def write_slow(slow, period, beta3):
    """The new slow memory; period is (f, rows, columns)."""
    return slow


print(check_write_slow(write_slow))

# %% [markdown]
# ## Exercise 5: AdaGrad with a full matrix (hard, 15 minutes)
#
# Return AdaGrad's direction $H^{-1/2} g_t$ after the gradients G of size (steps, n).
#
# <details><summary>Hint</summary>
#
# `torch.linalg.eigh(G.T @ G)` gives eigenvalues and eigenvectors. A power of H is the same power of each eigenvalue. Which
# gradient is $g_t$?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `values, Q = torch.linalg.eigh(G.T @ G)`, then
# `return Q @ ((Q.T @ G[-1]) / values.sqrt())`
#
# </details>

# %%
def direction(G):
    """Full-matrix AdaGrad's direction at the last gradient."""
    return None


print(check_full_adagrad(direction))
