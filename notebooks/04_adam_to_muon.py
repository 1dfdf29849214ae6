# %% [markdown]
# # 04 · Adam, AdaGrad, Muon, M3
#
# [Momentum](glossary.md#momentum) is one [memory](glossary.md#memory) of gradients. This chapter asks which memory
# would be the best one, and finds many of the optimizers in use among the answers. It has two parts, and each is one
# sitting, with a summary and exercises of its own: **part one**, *Adam and AdaGrad are regressions*, and **part two**,
# *Muon and M3*.
#
# Both follow sections 4.2 and 7.2 and Appendix B of *Nested Learning: The Illusion of Deep Learning Architectures*
# (Behrouz, Razaviyayn, Zhong, Mirrokni, 2025; long version, [arXiv 2512.24695](https://arxiv.org/abs/2512.24695)).
# Numbers in brackets are its equations.

# %% [markdown]
# ## Part one: Adam and AdaGrad are regressions
#
# **After this part** you can say which least squares problem [Adam](glossary.md#adam) solves at each step, and what was
# put into that problem so that Adam comes out; compute one step of Adam and of [AdaGrad](glossary.md#adagrad) by hand;
# and say what two of the paper's equations do when they are run as printed.
#
# **You need** chapters 00 and 03: what a memory is, and momentum. **Time:** 30 minutes, exercises apart; its cells
# take a few seconds on a laptop.

# %% [markdown]
# ### Which memory is each optimizer?
#
# Chapter 03 found a memory inside the optimizer: momentum, which every gradient is written into, and which tells the
# weights where to go. In the nest it is a [level](glossary.md#level) of its own, inside that of the weights. But most
# models of today are trained with Adam, which keeps a second memory beside it, of the gradients' squares. What is the
# second one for?

# %% [markdown]
# Look at both at work. Below, one weight gets gradients around 1, and at step 41 they turn to around -1. Adam keeps two
# running means, $m$ of the gradients and $h$ of their squares, and its step is $m / \sqrt{h}$, times a learning rate and
# a minus, which the picture leaves out. Does the step turn at once? And does the root of $h$ notice the turn at all?

# %%
from nlcore.viz.explorers.adam_as_regression import adam_as_regression

adam_as_regression().predict("04-turn")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Sixty gradients seen. Left, what Adam keeps of them (amber) and its step (blue); right, the same step as the slope of
# a line.* The step needs more than ten gradients to turn, since $m$ keeps 0.9 of itself; the root stays where it was,
# because squares have no sign. So the second memory does not say where to go. It says how large a gradient usually is
# here.
#
# </details>

# %% [markdown]
# On the right each past gradient is a point: how high it lies is what a memory of one number should answer to it, and
# its size is how much it counts (here nearly alike). The blue line is the best memory, and its slope is exactly Adam's
# step.
#
# The line misses the points by far, and that is no bug. A memory of one number must answer 0 to 0, so its line goes
# through the origin, but the points ask for positive answers on both sides. Where the heights come from is what this
# part is about.

# %% [markdown]
# | letter | here | elsewhere |
# |---|---|---|
# | $g_i$ | the gradient of step $i$ | 101 calls its negative $g$; we keep the minus in the step |
# | $m^{*}$ | the best memory, one number for each entry | |
# | $m$, $h$ | Adam's two running means | $M$ and $H$ in 102, which are plain sums |
# | $P$ | what a step is divided by (38); what a memory should answer (101): the same, it will turn out | in chapter 03 values of momentum |
# | $H$ | the matrix $\sum g g^\top$ | |
# | $\beta_1, \beta_2, \beta_3$ | what a running mean keeps of itself | in 102 and Alg. 1 a factor before the *new* |
# | $\alpha$ | in part two, the weight of M3's slow memory | retention |
# | $V$ | in part two, M3's name for $h$ | in an SVD, the right singular vectors, which we call $R$ |

# %% [markdown]
# ### Two gradients for the whole chapter
#
# We want numbers that fit on paper. One weight matrix has four entries, and two gradients came: the upper left entry
# saw 3 and 4, the upper right twice as much, the lower left -5 and 5, the lower right 0 and 2. Plain momentum adds them
# up. Which entry would it move most, and do you trust that entry most?

# %%
import torch

double = torch.float64
G = torch.tensor([[[3, 6], [-5, 0]], [[4, 8], [5, 2]]], dtype=double)  # (steps, 2, 2)
total, squares = G.sum(0), G.square().sum(0)
print("sum of gradients", total.tolist())
print("sum of squares  ", squares.tolist())
print("its root        ", squares.sqrt().round(decimals=4).tolist())

# %% [markdown]
# Momentum moves the upper right by 14 and the upper left by 7, although both saw the same thing, two gradients that
# agree; the upper right merely speaks louder. The lower left does not move, since its gradients cancel. We shall meet
# all four again and again: one that agrees, one that agrees twice as loud, one that contradicts itself, and one seen
# only once.

# %% [markdown]
# ### A preconditioner is a memory
#
# So it would be good to divide each entry by how loud it is. What a step is divided by is called a
# [preconditioner](glossary.md#preconditioner) (38). The paper calls it a memory as well, with a problem of its own
# inside the step (39-41),
#
# $$W_{t+1} = W_t - \eta\, P^{-1} g_t \qquad\qquad \min_P \tilde{\mathcal{L}}(P;\, g, \hat g)$$
#
# It maps gradients $g$ to gradients $\hat g$ in better coordinates, and $\tilde{\mathcal{L}}$ says what makes them
# better. This is meant literally, because dividing by $P$ is plain descent for another variable, $z = P^{1/2} W$. Try
# it with the root of the summed squares as $P$.

# %%
root, eta, W = squares.sqrt(), 0.1, torch.ones(2, 2, dtype=double)

z = (root.sqrt() * W).requires_grad_()
(G[1] * (z / root.sqrt())).sum().backward()  # a loss whose gradient for W is G[1]
plain = (z - eta * z.grad).detach() / root.sqrt()  # plain descent in z, back in W

step = W - eta * G[1] / root  # eq. 38
assert torch.allclose(plain, step, atol=1e-15)
print("P^-1 g =", (G[1] / root).round(decimals=4).tolist())

# %% [markdown]
# The two upper entries get the same step, 0.8, though one saw twice the gradient: the louder one was divided by twice as
# much. What remains is to say which $P$ is best, and for what. The optimizers of this chapter give different answers:
#
# | optimizer | what its inner problem asks for | equations |
# |---|---|---|
# | Adam | in each entry, one answer to all gradients | 101-105 |
# | AdaGrad, full | one answer to all gradients, all entries together | 106-111 |
# | Muon | an orthogonal matrix | 42-44 |
#
# (They differ in their numerators too: Adam divides a mean, AdaGrad the newest gradient, and Muon looks a step ahead.)

# %% [markdown]
# ### The best memory of gradients
#
# What should a memory of gradients do? Momentum, says Appendix B, maps gradients to 1, which is not much to ask. Better
# to map them to "a global property of past data". Take each entry alone, as Adam does. Then a memory is one number $m$,
# it answers $m\, g_i$ to a gradient $g_i$, and the answer should be a target $P$, the same for all (101):
#
# $$\min_m \; \sum_{i=1}^{t} (m\, g_i - P)^2 + \lambda m^2$$

# %% [markdown]
# Where is the minimum? There the derivative is zero:
#
# $$2 \sum_i g_i\, (m\, g_i - P) + 2 \lambda m = 0 \quad\Rightarrow\quad m \left( \sum_i g_i^2 + \lambda \right) = P \sum_i g_i
#   \quad\Rightarrow\quad m^{*} = \frac{P \sum_i g_i}{\lambda + \sum_i g_i^2}$$
#
# This is (102), and (103) steps with it. All it needs of the past are two sums, of gradients and of squares, so these
# two are what an optimizer keeps: the two memories of Adam have appeared, and nobody asked for them. The cell compares
# $m^{*}$ with a least squares solver.

# %%
from nlcore.optim.regression import elementwise_memory

target = squares.sqrt()
best = target * total / squares  # eq. 102, lambda = 0

for i in range(2):
    for j in range(2):
        solved = torch.linalg.lstsq(G[:, i, j, None], target[i, j].expand(2, 1)).solution
        assert abs(solved.item() - best[i, j].item()) < 1e-12
assert torch.allclose(elementwise_memory(G, target, torch.ones(2, dtype=double)), best, atol=1e-15)
print("best memory", best.round(decimals=12).tolist())

# %% [markdown]
# ### Two targets: momentum and Adam
#
# Two targets make known optimizers of it. With $P = \sum g^2$ the denominator cancels, and what is left is momentum
# (104). With the root of that sum, it is Adam's ratio (105):
#
# $$P = \sum_i g_i^2:\; m^{*} = \sum_i g_i \qquad\qquad
#   P = \sqrt{\textstyle\sum_i g_i^2}:\; m^{*} = \frac{\sum_i g_i}{\sqrt{\sum_i g_i^2}}$$
#
# **By hand:** $7/5$, $14/10$, $0$ and $2/2$. The upper entries now agree, and the lower left, which saw -5 and 5, stays.
# Size is removed, agreement is kept.

# %%
momentum = squares * total / squares
adam = squares.sqrt() * total / squares

assert torch.equal(momentum, total)
assert torch.allclose(adam, torch.tensor([[1.4, 1.4], [0.0, 1.0]], dtype=double))
print("eq. 104", momentum.tolist())
print("eq. 105", adam.round(decimals=12).tolist())

# %% [markdown]
# The paper reads this as a prediction: Adam solves an objective "that aims to predict the variance of gradients". Its
# variance is this root; strictly, the root of a sum of squares, from which no mean is taken away. In its words, then,
# the memory looks at a gradient and must say how large gradients are here. One number can do that only if they agree in
# sign: to -5 and 5 it should answer the same 7.07, so the best it can do is to answer nothing. *That* is what makes
# Adam careful.

# %% [markdown]
# And now the letter. With $P^2 = \sum g^2$ the best memory is $m^{*} = P \sum g / P^2 = P^{-1} \sum g$. So the target of
# the regression and the preconditioner of (38) are the same $P$: what a memory is told to answer is what the step ends
# up divided by.

# %% [markdown]
# ### What the printed form leaves out
#
# Is (105) Adam, then? Eq. 102 prints its sums as $M_{i+1} = M_i + \beta_1\, g_{i+1} \odot P$ and $H_{i+1} = H_i + \beta_2\,
# g_{i+1}^2$ (long version): a factor before the new, and none before the old. It adds and never forgets. What does that
# do to gradients of 1, forty of them, that then turn to -1?

# %%
import matplotlib.pyplot as plt
from nlcore.viz.optimizers import OPTIMIZERS, like
from nlcore.viz.show import show
from nlcore.viz.theme import GREY, tidy

turning = torch.cat([torch.ones(40, dtype=double), -torch.ones(60, dtype=double)])
printed = turning.cumsum(0) / turning.square().cumsum(0).sqrt()
m, forgets = 0.0, []  # the root of h is 1 throughout
for t, gradient in enumerate(turning, start=1):
    m = 0.9 * m + 0.1 * gradient
    forgets.append(m / (1 - 0.9**t))
assert abs(printed[39] - 40**0.5) < 1e-12 and abs(printed[79]) < 1e-12

figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
axes.plot(range(1, 101), printed, **OPTIMIZERS["as printed"].line(), markevery=10, label="eq. 105, with the sums of 102")
axes.plot(range(1, 101), forgets, **OPTIMIZERS["Adam"].line(), markevery=10, label="Adam")
axes.axvline(40, color=GREY, linewidth=0.8)
tidy(axes, "A gradient of 1 that turns to -1 after step 40", "step", "direction (learning rates)")
axes.legend(frameon=False)
show(figure, alt="The printed direction rises to 6.3 at step 40 and needs until step 80 to come back to zero; "
     "Adam's stays at 1 and is below zero seven steps after the turn.")

# %% [markdown]
# *The direction of each step, before its minus.* The sum of forty ones is 40 and its root $\sqrt{40} = 6.3$, so as
# printed the direction grows with $\sqrt{t}$, and it takes forty gradients to take back forty. Adam's is 1 all the
# while, and turns after seven. (With noise, in the first picture, it took longer.) The paper calls (105) "equivalent to
# the popular Adam optimizer"; what is still missing is forgetting.

# %% [markdown]
# ### Adam itself, as a regression that forgets
#
# Can the regression forget? Let a gradient of age $a$ weigh $w = (1 - \beta_2)\, \beta_2^a$, and let its target be $P_a$.
# Setting the derivative to zero as before gives
#
# $$m^{*} = \frac{\sum_a w_a P_a\, g_a}{\sum_a w_a\, g_a^2}$$
#
# The denominator is Adam's $h$. The numerator ought to be $\sqrt{h}$ times Adam's $m = \sum_a (1 - \beta_1)\, \beta_1^a\,
# g_a$, because $\sqrt{h}\, m / h = m / \sqrt{h}$.

# %% [markdown]
# So we *choose* the targets such that it is, gradient by gradient: $w_a P_a = \sqrt{h}\,(1 - \beta_1)\, \beta_1^a$, that is
#
# $$P_a = \sqrt{h}\; \frac{(1-\beta_1)\,\beta_1^{a}}{(1-\beta_2)\,\beta_2^{a}}$$
#
# (This is ours; the paper leaves it open.) It is why old points lie low in the first picture: $\beta_1$ forgets faster
# than $\beta_2$, so an old gradient still counts, while its target is already near 0. What Adam's bias correction does
# is to multiply all targets by one number.

# %%
from nlcore.optim import Adam
from nlcore.optim.regression import adam_regression

beta1, beta2, t = 0.9, 0.999, 2
targets, weights = adam_regression(G, beta1, beta2)
corrected = (1 - beta2**t) ** 0.5 / (1 - beta1**t)
best = corrected * elementwise_memory(G, targets, weights)

for kind in (torch.optim.Adam, Adam):
    W = torch.zeros(2, 2, dtype=double, requires_grad=True)
    optimizer = kind([W], lr=1.0, betas=(beta1, beta2), eps=1e-30)
    for gradient in G:
        before, W.grad = W.detach().clone(), gradient.clone()
        optimizer.step()
    assert torch.allclose(before - W.detach(), best, atol=1e-12)
print("Adam's second step:", best.round(decimals=4).tolist())

# %% [markdown]
# The regression, our Adam and torch's take the same step. But how much does that *explain*? Targets that are chosen so
# that Adam comes out could have been chosen for any other ratio as well, so that it can be done is no evidence. What
# counts is whether they are natural. With $\beta_1 = \beta_2$ they are: one target for all, the root mean square, as in
# (105). With Adam's own two betas they fade with age, and we know of no better reason for this than that Adam does it.

# %% [markdown]
# Four things, then, stand between (105) and `torch.optim.Adam`. Both sums decay. Both are corrected for having started at
# zero. An $\varepsilon$ is added to the root, where $\lambda$ of (101) would be added to $h$. And there is weight decay:
# ours takes a share of the weights, as `AdamW` does, whereas torch's plain `Adam` adds the weights to the gradient, so
# that what they lose is divided by the root too.

# %% [markdown]
# ### One family
#
# Because so much hangs on two running means, a whole family differs only in how they are kept and read. The paper lists
# these by name. `nlcore.optim` has them all, and its tests follow torch's through 200 steps, where torch has them.
#
# | optimizer | what it keeps, and how it reads it |
# |---|---|
# | SignSGD | nothing: `Adam(betas=(0, 0))`, since the root mean square of a single gradient is its absolute value |
# | RMSProp | $h$ alone, without bias correction, under the newest gradient |
# | AMSGrad | both, but divides by the largest $h$ so far |
# | NAdam | both, but reads $m$ as it will be after one more such gradient (Nesterov's idea) |
# | RAdam | both, but is plain momentum until $h$ has seen enough gradients |
# | Lion | $m$ alone, and reads its sign |

# %% [markdown]
# ### AdaGrad: which gradients come together
#
# All of these take each entry alone. But squares of single entries cannot know that two entries always move *together*,
# and then they count the same news twice. Appendix B therefore goes on to outer products (106-111). Here are its steps,
# a little tidied, with the gradient written as one long vector.
#
# **Problem.** A memory is now a vector $m$, it answers $m^\top g_i$, and we ask for 1:
#
# $$\min_m \; \sum_{i \le t} (m^\top g_i - 1)^2 + \lambda \lVert m \rVert^2$$

# %% [markdown]
# **Solution.** Set the gradient to zero, and use $g_i\, (g_i^\top m) = (g_i g_i^\top)\, m$:
#
# $$\sum_i g_i\, (g_i^\top m - 1) + \lambda m = 0
#   \quad\Rightarrow\quad \Big( \underbrace{\sum_i g_i g_i^\top}_{H} + \lambda I \Big)\, m = \sum_i g_i
#   \quad\Rightarrow\quad m^{*} = (H + \lambda I)^{-1} \sum_i g_i$$
#
# The sum of squares has become a matrix of sums of products, and its diagonal is the old sum of squares.

# %% [markdown]
# **Target.** "With a similar choice as Adam" the target is the root, $P = H^{1/2}$, now a matrix. In one entry a target $P$
# multiplies the memory that was asked for 1; here too, and with $\lambda = 0$
#
# $$P m^{*} = H^{1/2} H^{-1} \sum_i g_i = H^{-1/2} \sum_i g_i$$
#
# which is (111). (With fewer gradients than entries $H$ has no inverse; then read its powers in the directions that the
# gradients span, as the code does.) *Print and we differ in one point:* there $m$ is a matrix, so that (106) asks the
# vector $m\, g_i$ to equal the matrix $P$. Ours leads to the paper's own result.

# %% [markdown]
# Now look at what is divided. A regression that weighs all gradients alike must have their *sum* on top. AdaGrad has the
# newest gradient alone:
#
# $$W_{t+1} = W_t - \eta\, H_t^{-1/2}\, g_t$$
#
# Keep that in mind for a moment, and look at AdaGrad's own direction first.

# %%
from nlcore import optim
from nlcore.optim.adagrad import over_root

rows = G.flatten(1)  # (2, 4): one gradient per row
H = rows.T @ rows
newest = over_root(H, rows[-1], eps=0.0)  # H^-1/2 g
diagonal = rows[-1] / H.diagonal().sqrt()

solved = torch.linalg.pinv(rows) @ torch.ones(2, dtype=double)  # the shortest of the best m
assert torch.allclose(over_root(H, over_root(H, rows.sum(0), 0.0), 0.0), solved, atol=1e-12)
print("diagonal", diagonal.round(decimals=3).tolist())
print("full    ", newest.round(decimals=3).tolist(), "length", round(newest.norm().item(), 12))

# %% [markdown]
# The full direction has length exactly 1. So it is for any gradients that are linearly independent, since $H^{-1/2}$
# turns them into vectors of length 1 at right angles: with a gradient in each row of $G$ we have $H = G^\top G$, and so
# $(G H^{-1/2})(G H^{-1/2})^\top = G H^{-1} G^\top = I$. Adam made entries equally loud; this makes *directions* equally
# loud, and part two is about what that is good for.

# %% [markdown]
# **[Erratum](glossary.md#erratum) (eq. 109).** The long version prints what is divided by the root as a sum, and the
# step (111) with it:
#
# $$\tilde M_{i+1} = M_i + \beta_1\, g_{i+1}^\top \qquad W_{i+1} \approx W_i - \frac{\eta_t}{\sqrt{\beta_2}}\, H_i^{-1/2}\, \tilde M_i$$
#
# It says that this "generalizes the AdaGrad", "i.e., when $\beta_1 = 1$". But at $\beta_1 = 1$ the sum is the sum of all
# gradients, as in the regression, and so two unit vectors at a right angle are added.

# %%
as_printed = over_root(H, rows.sum(0), eps=0.0)

for name, beta, direction in (("AdaGrad", 0.0, newest), ("eq. 109, beta_1 = 1", 1.0, as_printed)):
    W = torch.zeros(4, dtype=double, requires_grad=True)
    optimizer = optim.FullAdaGrad([W], lr=1.0, beta=beta, eps=0.0)
    for gradient in rows:
        before, W.grad = W.detach().clone(), gradient.clone()
        optimizer.step()
    assert torch.allclose(before - W.detach(), direction, atol=1e-12)
    print(f"{name:20} length {direction.norm():.4f}")

# %% [markdown]
# After $t$ independent gradients the printed direction has length $\sqrt{t}$, and AdaGrad's has 1. Let the old sum
# decay, and it is "AdaGrad with momentum", as the paper rightly calls the family; let it decay to nothing, and it is
# AdaGrad. So the family is right, and only the member is misnamed.

# %% [markdown]
# ### What does the matrix buy?
#
# The claim was that single entries cannot see which gradients come together. To test it, take a valley that is thirty
# times steeper across than along, and turn it by an angle: at 0 degrees across and along are single entries, at 45
# degrees each is a mixture of both. Each optimizer gets the best of six learning rates at each angle.

# %%
def after(kind, degrees, lr, steps=60):
    """The loss that is left in a valley turned by an angle."""
    a = torch.deg2rad(torch.tensor(float(degrees), dtype=double))
    turn = torch.stack([torch.stack([a.cos(), -a.sin()]), torch.stack([a.sin(), a.cos()])])
    A = turn @ torch.diag(torch.tensor([30, 1], dtype=double)) @ turn.T
    W = (turn @ torch.ones(2, dtype=double)).requires_grad_()
    optimizer = kind([W], lr=lr)
    for _ in range(steps):
        W.grad = A @ W.detach()
        optimizer.step()
    return (0.5 * W @ A @ W).item()


angles, rates = range(0, 91, 15), (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
looks = {"diagonal": like("AdaGrad", "dashed"), "full matrix": like("AdaGrad", "solid", "o")}
for (name, look), kind in zip(looks.items(), (optim.AdaGrad, optim.FullAdaGrad)):
    left = {angle: [after(kind, angle, lr) for lr in rates] for angle in angles}
    axes.semilogy(angles, [max(min(losses), 1e-12) for losses in left.values()], **look.line(), label=name)
    print(f"{name:12} best rate at 45 degrees {rates[left[45].index(min(left[45]))]}, loss {min(left[45]):.1e}")
tidy(axes, "Loss after 60 steps in a turned valley (what is below 1e-12 is drawn there)", "angle of the valley (degrees)", "loss")
axes.legend(frameon=False)
show(figure, alt="Loss after 60 steps against the angle of the valley: a flat line at the bottom, 1e-12, for the full matrix; for the "
     "diagonal an arch, from the bottom at 0 and 90 degrees over 1e-7 at 15 degrees to 3e-3 at 45.")

# %% [markdown]
# *Loss that is left, each at its best rate.* The full matrix does not notice the angle. The diagonal arrives where the
# valley lies along the axes, and the further it is turned the more is left, whatever the rate: at 45 degrees 0.003. So
# the matrix does buy what it promised, in a valley of two weights. For $n$ weights $H$ has $n^2$ numbers, and its root
# costs $n^3$ operations, which no large model can pay.

# %% [markdown]
# Two optimizers want the same for less, by using that a weight is a matrix. **Shampoo** keeps one small matrix for its
# rows, $\sum g g^\top$, and one for its columns, $\sum g^\top g$, and multiplies the gradient from both sides by their
# powers of $-1/4$. **SOAP** runs Adam in the coordinates that the two find. Something remarkable happens to
# Shampoo's step if it has seen a single gradient:

# %%
def power(A, exponent):
    values, Q = torch.linalg.eigh(A)
    return Q * values**exponent @ Q.T


U, S, Rt = torch.linalg.svd(total)
shampoo = power(total @ total.T, -0.25) @ total @ power(total.T @ total, -0.25)
assert torch.allclose(shampoo, U @ Rt, atol=1e-10)
print("singular values of the summed gradient", S.round(decimals=3).tolist())
print("of Shampoo's step from it alone       ", torch.linalg.svdvals(shampoo).round(decimals=10).tolist())

# %% [markdown]
# Of the gradient's singular value decomposition $U S R^\top$ only $U R^\top$ is left: its directions, with all singular
# values at 1. A direction eighteen times as strong as the other moves the weights no further. Part two gets there
# without any root.

# %% [markdown]
# ### Where do the two memories stand in the nest?
#
# Levels are told apart by how often they change and, at equal [frequency](glossary.md#frequency), by who needs whom
# (Def. 2). Adam's $m$ and $h$ both change with every gradient, as the weights do. Since the weights of step $t$ need
# both memories of step $t$, they come after them. But neither memory needs the other.

# %%
from nlcore.levels import Component, order

parts = [Component("m", 1), Component("h", 1), Component("W", 1)]
levels = order(parts, [("W", "m"), ("W", "h")])
print("fastest first:", [[part.name for part in level] for level in levels])

# %% [markdown]
# So they share a level, and Appendix B takes the trouble to say so: "it is one of the few examples that two components
# without any internal gradient flow, are placed in the same frequency and so level". Who writes? Two running means.
# Into what: $m$ and $h$. How often: every step. From which context: the gradients, which the weights produce by being
# where they are. To whom do they hand what they know? To the weights: one says which way to go, the other how large a
# gradient usually is.

# %% [markdown]
# ### Summary of part one
#
# 1. The best entrywise memory of gradients needs two sums, of gradients and of squares; its target decides how they are
#    read, and the root of the second gives Adam's ratio.
# 2. That target and the preconditioner are the same $P$.
# 3. As printed, (102) never forgets. A regression that forgets becomes Adam, exactly, when old targets fade in the right
#    way; but they were chosen for that.
# 4. With outer products the same regression divides by $H^{1/2}$; with $\beta_1 = 1$, (109) sums gradients and is not
#    AdaGrad.
# 5. $m$ and $h$ share a level, inside that of the weights.

# %% [markdown]
# ### Exercise 1: four suspects (easy, 10 minutes)
#
# *Diagnose.* `FOUR[name](g)` takes gradients of one weight, (steps,), and returns the steps of an optimizer at rate 1,
# before their minus. One is Adam, one RMSProp, one AdaGrad, and one is (105) as printed ("printed"). One stream of
# gradients tells all four apart. Which is which?
#
# <details><summary>Hint</summary>
#
# The simplest stream there is: ones. Whose steps grow, whose shrink, whose stay, whose come down to 1 from above?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `{"A": "AdaGrad", "B": "Adam", "C": "printed", "D": "RMSProp"}`: on ones they step by $1/\sqrt{t}$, by 1, by $\sqrt{t}$,
# and by $1/\sqrt{1 - 0.99^t}$.
#
# </details>

# %%
from nlcore.exercises.chapter_04 import FOUR, check_four, check_full_adagrad, check_uphill

for name, box in FOUR.items():
    print(name, "steps by", box(torch.tensor([2.0, -2.0])).round(decimals=3).tolist())  # does this tell?
named = {"A": "", "B": "", "C": "", "D": ""}
print(check_four(named))

# %% [markdown]
# ### Exercise 2: send Adam uphill (hard, 20 minutes)
#
# *Break.* Find at most 1,000 gradients of one weight whose sum is positive, so that the weight ought to go *down*, and on
# which Adam (betas 0.9 and 0.99) goes *up*. They are played three times, and the third counts.
#
# <details><summary>Hint</summary>
#
# Adam listens to agreement, not to size. How long does its root remember the one gradient that matters?
#
# </details>
#
# <details><summary>Solution</summary>
#
# One of 1100, then 999 of -1: `return torch.cat([torch.tensor([1100.0]), -torch.ones(999)])`. Its step is no longer than
# others, and some hundred steps later the root has forgotten it. Hence AMSGrad (Reddi et al., 2018), whose root never
# shrinks.
#
# </details>

# %%
def stream():
    """Gradients of one weight, (at most 1000,), with a positive sum."""
    return None


print(check_uphill(stream))

# %% [markdown]
# ### Exercise 3: AdaGrad without its matrix (hard, 20 minutes)
#
# *Build.* With a million weights $H$ would have $10^{12}$ numbers, but after five gradients nearly all its eigenvalues
# are 0. Return AdaGrad's direction $H^{-1/2} g_t$ after gradients `G`, (steps, n), steps below n, without any n x n
# matrix.
#
# <details><summary>Hint</summary>
#
# $K = G G^\top$ is small. What are $H$, $K$ and $g_t$ if $G = U S R^\top$?
#
# </details>
#
# <details><summary>Solution</summary>
#
# $H^{-1/2} g_t = R S^{-1} R^\top \cdot R S U^\top e_t = R U^\top e_t = G^\top K^{-1/2} e_t$, where $e_t$ picks the
# last: `values, Q = torch.linalg.eigh(G @ G.T)`, then `return G.T @ (Q @ (Q[-1] / values.sqrt()))`.
#
# </details>

# %%
def full_direction(G):
    """Full-matrix AdaGrad's direction at the last gradient, (n,)."""
    return None


print(check_full_adagrad(full_direction))

# %% [markdown]
# ## Part two: Muon and M3
#
# **After this part** you can say why [Newton-Schulz](glossary.md#newton-schulz) makes a matrix orthogonal, and why
# *this* orthogonal matrix; compute a step of it by hand; tell Adam, [Muon](glossary.md#muon) and [M3](glossary.md#m3)
# apart by their steps; say what (44), (75) and Alg. 1 do when they are run as printed, and what M3's slow memory did,
# and did not do, on a small vision transformer.
#
# **You need** part one, at least its section *What does the matrix buy?*, which ends where this one begins. **Time:**
# 30 minutes, exercises apart; its cells take about twenty seconds on a laptop.

# %% [markdown]
# ### Newton-Schulz: orthogonal by descent
#
# Part one left us with a wish. A gradient $g = U S R^\top$ has strong directions and weak ones, and a step along $U
# R^\top$ moves both by as much. Shampoo can give it, at the price of two matrix roots; Muon (42) gets there with
# products alone. Its inner problem is to be orthogonal (43):
#
# $$\min_O \lVert O^\top O - I \rVert^2 \qquad\qquad \nabla = 4\, O\,(O^\top O - I)$$
#
# (With $A = O^\top O - I = A^\top$, $d \lVert A \rVert^2 = 2 \langle A,\, dO^\top O + O^\top dO \rangle = 4 \langle O
# A,\, dO \rangle$.)

# %% [markdown]
# One thing is odd about it. *The gradient $g$ does not occur.* The identity solves this problem, and so does any
# rotation, so how can it answer with something that has to do with $g$? By where it starts: "initial value $O_0 = g_t$",
# says the paper below (44). We scale $g$ to norm 1 first, so that no singular value is above 1, and take steps of rate
# $1/8$:
#
# $$O \leftarrow O - \tfrac{1}{8} \cdot 4\, O\,(O^\top O - I) = 1.5\, O - 0.5\, O O^\top O$$
#
# This is the cubic Newton-Schulz.

# %% [markdown]
# What does such a step keep? Write $O = U S R^\top$. In $O O^\top O = U S R^\top\, R S U^\top\, U S R^\top$ the inner
# pairs cancel, and what is left is $U S^3 R^\top$. So a step never touches $U$ and $R$.

# %% [markdown]
# Only the singular values change, each by itself,
#
# $$s \leftarrow 1.5\, s - 0.5\, s^3,$$
#
# and all that are not 0 go to 1: below 1 the factor $1.5 - 0.5\, s^2$ is above 1, so that $s$ grows, and it cannot pass 1,
# where the cubic has its maximum. That is why the descent from $g$ ends at $U R^\top$ and nowhere else; it is also the
# orthogonal matrix nearest to $g$. **By hand:** 0.6 becomes $0.9 - 0.108 = 0.792$.

# %%
from nlcore.ops.newton_schulz import CUBIC, QUINTIC, newton_schulz

eye = torch.eye(2, dtype=double)


def off_orthogonal(O):
    return (O.T @ O - eye).square().sum()  # eq. 43


def descend(O, steps):
    for _ in range(steps):
        O = O - torch.func.grad(off_orthogonal)(O) / 8
    return O


g = total / total.norm()  # all singular values at most 1
for steps in (0, 3, 6, 9, 12):
    print(f"step {steps:2}  singular values {[round(s, 4) for s in torch.linalg.svdvals(descend(g, steps)).tolist()]}")
assert torch.allclose(descend(g, 13), newton_schulz(total, 13, CUBIC), atol=1e-14)

for name, start in {"g": g, "half the identity": eye / 2, "noise": torch.tensor([[0.1, 0.7], [0.6, 0.1]], dtype=double)}.items():
    ended = descend(start, 40)
    print(f"from {name:18} off by {off_orthogonal(ended):.0e}, inner product with g {(ended * g).sum():.3f}")
assert torch.allclose(descend(g, 40), U @ Rt, atol=1e-10)

# %% [markdown]
# The small singular value grows by half at each step as long as it is small, and arrives after a dozen. All three
# starts end at an orthogonal matrix, and only the first at the one that agrees with $g$ most: no other has a larger
# inner product with it (1.055 is the sum of $g$'s singular values). So the memory of $g$ is in the start, and the
# objective is there to forget how large its parts were.

# %% [markdown]
# ### One term too many in eq. 44
#
# **Erratum.** The long version prints the objective (43) and its step (44) as
#
# $$\lVert P(g)^\top P(g) - I \rVert_F^2 \qquad O_{i+1} = O_i - \zeta_{i+1} \left( O_i - g_t + 2\, O_i\, (O_i^\top O_i - I) \right)$$

# %% [markdown]
# The 2 in place of 4 is a matter of the rate $\zeta$. But the gradient of (43) contains no $O - g$. It is the pull of
# another problem, one that also wants to stay near $g$, as the sentence below (43) says it should. What does it do?
# Where a singular value rests the bracket is zero: $(s - s_0) + 2 s\,(s^2 - 1) = 0$, or $2 s^3 - s = s_0$. For $s_0 = 1$
# that is 1, and for $s_0 = 0$ it is $1/\sqrt{2}$. So as printed it ends between $g$ and an orthogonal matrix.

# %%
from nlcore.ops.newton_schulz import printed_newton_schulz

corrected, printed = newton_schulz(g, 100, CUBIC), printed_newton_schulz(g, 100)
s0, s = torch.linalg.svdvals(g), torch.linalg.svdvals(printed)
assert torch.allclose(2 * s**3 - s, s0, atol=1e-10)
print("start    ", s0.round(decimals=4).tolist())
print("printed  ", s.round(decimals=4).tolist(), f"|O^T O - I|^2 = {off_orthogonal(printed):.3f}")
print("corrected", torch.linalg.svdvals(corrected).round(decimals=4).tolist(), f"|O^T O - I|^2 = {off_orthogonal(corrected):.0e}")

# %% [markdown]
# Muon takes neither. A dozen steps are dear when each is a few products of large matrices, so it uses a polynomial that
# was tuned to be fast, the quintic $3.4445\, s - 4.7750\, s^3 + 2.0315\, s^5$. It grows small values 3.4 times per step;
# the price is that it never comes to rest at 1, but leaves them somewhere between 0.68 and 1.20. Below, all three at work.

# %%
from nlcore.viz.explorers.newton_schulz_spectra import newton_schulz_spectra

newton_schulz_spectra().predict("04-first")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Sixteen singular values after five steps; right, how far the worst one is from 1.* The quintic is there after three
# steps, roughly, and gets no better. The cubic needs a dozen and is then exact. The printed form rests elsewhere. Muon
# stops at five: for a step of the weights, 0.7 is near enough to 1.
#
# </details>

# %% [markdown]
# ### Muon
#
# Muon is momentum, read through Newton-Schulz (42): the linear memory of chapter 03, and an inner problem that is solved
# at each read. (In chapter 03 it was the read-out of (52).) The step moves weak directions as much as strong ones, which
# is its whole point.
#
# torch has it too, and computes Newton-Schulz in bfloat16, numbers of 16 bits of which 8 are significant. That is about
# two and a half decimal digits. How much of the step survives?

# %%
def second_step(kind, **settings):
    """The step that two gradients lead to."""
    W = torch.zeros(2, 2, dtype=double, requires_grad=True)
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
# With the same rounding, ours and torch's are equal to the last bit; without it they differ by about a percent, which is
# little beside a singular value that may be 0.7 or 1.2 anyway.

# %% [markdown]
# ### M3: two time scales
#
# Muon forgets: at a momentum of 0.95, the newest 14 gradients carry half of it. M3 (75 and Alg. 1) wants the long past
# too. Beside its fast momentum $M^{(1)}$ it keeps a slow one, $M^{(2)}$, which takes up the gradients of a whole
# [period](glossary.md#period) of $f$ steps at once. It makes both orthogonal by Newton-Schulz (NS), weighs the slow one
# by $\alpha$, and divides by Adam's root:
#
# $$W \leftarrow W - \eta\, \frac{\mathrm{NS}(M^{(1)}) + \alpha\, \mathrm{NS}(M^{(2)})}{\sqrt{V + \varepsilon}}$$
#
# It is "the combination of Adam, Muon, and our [Continuum Memory System](glossary.md#continuum-memory)", in the paper's
# words. Below, $G$ comes twice, with a period of 2.

# %%
from nlcore.optim import MultiscaleMomentumMuon

b1, b2, b3, alpha, lr, f = 0.9, 0.999, 0.9, 0.5, 0.01, 2
W = fast = slow = V = slow_answer = torch.zeros(2, 2, dtype=double)
stream_of_G = torch.cat([G, G])
for t, gradient in enumerate(stream_of_G, start=1):
    fast, V = b1 * fast + (1 - b1) * gradient, b2 * V + (1 - b2) * gradient**2
    root = (V / (1 - b2**t) + 1e-8).sqrt()
    W = W - lr * (newton_schulz(fast) + alpha * slow_answer) / root
    if t % f == 0:  # the slow level's turn
        slow = b3 * slow + (1 - b3) * stream_of_G[t - f : t].mean(0)
        slow_answer = newton_schulz(slow)  # serves the next period

ours = torch.zeros(2, 2, dtype=double, requires_grad=True)
m3 = MultiscaleMomentumMuon([ours], lr, (b1, b2, b3), alpha, period=f)
for gradient in stream_of_G:
    ours.grad = gradient.clone()
    m3.step()
assert torch.allclose(W, ours.detach(), atol=1e-12) and W[1, 1] < -20
print("after four gradients:", W.round(decimals=4).tolist())

# %% [markdown]
# The lower right moved by 20, and the others by less than 0.01. Why? Its first gradient is 0, so that $V$ is 0 there, and
# the root is $\sqrt{\varepsilon} = 0.0001$. Adam would divide by that too, but its numerator would be 0 as well. An
# orthogonal matrix, however, has no reason to be 0 where the gradient is.
#
# So M3 steps furthest where it has seen least. A larger $\varepsilon$ bounds that, and in matrices all of whose entries get
# gradients it is rare. Still, two ideas that are good each by itself need not be good in a quotient.

# %% [markdown]
# ### What can a second time scale do?
#
# To see it, one needs news on two time scales. The gradients below hold two directions of a 6 x 6 weight: a loud one
# that turns to its opposite every 20 steps, as across a ravine, and a quiet one that drifts slowly, as along it. A good
# step follows the quiet one. Which line holds it steadily, and does M3's step, which mixes both memories, gain by it?

# %%
from nlcore.viz.explorers.two_time_scales import two_time_scales

two_time_scales()

# %% [markdown]
# *Cosines of steps with the two directions; means in the legend.* The slow memory (pink) holds the quiet direction
# through every turn of the loud one, at which Muon and AdamW swing. But it is steady rather than close: its mean is
# 0.66 where AdamW has 0.71, in part because it has nothing to say for ten steps and is late for the next twenty. Does
# M3 gain from it, then? The cell draws ten such streams, takes from M3 the slow memory (`alpha 0.0`) or the division by
# $\sqrt{V}$, and gives AdamW a longer memory.

# %%
import numpy as np
from nlcore.viz.explorers.two_time_scales import compute

shown = {"beta1": 0.9, "beta3": 0.9, "period": 10, "alpha": 0.5}  # as in the picture
print(f"{'cosine with the quiet direction':40}all steps    from step 31")
for other, names in (({}, ("M3's slow memory", "Muon", "AdamW", "M3")), ({"beta1": 0.98}, ("AdamW",)),
                     ({"alpha": 0.0}, ("M3",)), ({"divided": False}, ("M3",))):  # fmt: skip
    draws = [compute(**shown | other, seed=draw).quiet for draw in range(10)]
    for name in names:
        cosine = np.array([draw[name] for draw in draws])
        called = name + "".join(f", {setting} {value}" for setting, value in other.items())
        print(f"{called:40}{cosine.mean():9.2f}{cosine[:, 30:].mean():16.2f}")

# %% [markdown]
# It gains, in each of the ten: with its slow memory M3 has 0.59, and without it 0.49. Yet AdamW, which has one time
# scale, has 0.72, and 0.81 with a longer one; even from step 31 on the slow memory is no closer than AdamW. What holds
# M3 back is the division, for undivided it has 0.69: on these streams, to divide an orthogonal matrix by $\sqrt{V}$
# entry by entry costs M3 about as much as its second time scale wins.

# %% [markdown]
# ### A minus in eq. 75
#
# **Erratum.** Beside each other in section 7.2 the long version prints, for the slow memory, eq. 75 and line 3 of Alg. 1
# (the period is $\hat C$ in one and $f$ in the other):
#
# $$M_t^{(2)} = M_t^{(2)} - \beta_2 \sum_{i = t - \hat C}^{t} g_i \;\text{ if } t \equiv 0 \;(\mathrm{mod}\; \hat C)
#   \qquad\qquad M_t^{(2)} = M_{t-1}^{(2)} + \beta_3 \sum_{i = (k-1) f}^{k f} g_i$$

# %% [markdown]
# (75 also has $t$ on both sides, and a zero in place of the sum at other $t$.) Which sign is right? The only step of the
# weights in print, line 10 of Alg. 1, *subtracts* the answer. With a plus the slow memory holds gradients, and
# subtracting it goes downhill. With a minus it holds their negatives; Newton-Schulz keeps signs; so its part of the step
# should go uphill. Gradients that always point one way make the test.

# %%
from nlcore.optim.m3 import Equation75


def downhill(kind, alpha):
    """How far 20 steps lead down a constant gradient."""
    W = torch.zeros(2, 2, dtype=double, requires_grad=True)
    optimizer = kind([W], lr=0.1, alpha=alpha, period=2, decay="none")
    for _ in range(20):
        W.grad = G[1].clone()
        optimizer.step()
    return -(W * G[1]).sum().item()


for name, found in {
    "Alg. 1, plus": downhill(MultiscaleMomentumMuon, 0.5), "no slow memory": downhill(MultiscaleMomentumMuon, 0.0),
    "eq. 75, minus": downhill(Equation75, 0.5), "eq. 75, alpha 2": downhill(Equation75, 2.0),
}.items():  # fmt: skip
    print(f"{name:16} {found:6.2f} downhill")

# %% [markdown]
# With the plus the slow memory helps, with the minus it brakes, and at $\alpha = 2$ it wins and M3 climbs. The plus it is.

# %% [markdown]
# ### Sums or means?
#
# **Ambiguity.** Alg. 1 calls its betas momentum factors, but prints sums, $M + \beta_1 g$ and $V + \beta_2 g^2$. A sum
# weighs the first gradient as much as the newest, and $V$ only grows, so that steps shrink with $1/\sqrt{t}$. In
# `MultiscaleMomentumMuon`, `decay="none"` is this, and `decay="ema"`, our default, reads running means. When gradients
# turn to their opposite after step 50, which reading follows, and when?

# %%
draw = torch.Generator().manual_seed(0)
way = torch.randn(6, 6, generator=draw, dtype=double)
noisy = [(1 if t < 50 else -1) * way + 0.5 * torch.randn(6, 6, generator=draw, dtype=double) for t in range(150)]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
for name, decay, look in (("running means", "ema", like("M3", "solid")), ("sums, as printed", "none", OPTIMIZERS["as printed"])):
    W = torch.zeros(6, 6, dtype=double, requires_grad=True)
    m3, cosines, sizes = MultiscaleMomentumMuon([W], lr=1.0, decay=decay), [], []
    for gradient in noisy:
        before, W.grad = W.detach().clone(), gradient
        m3.step()
        step = before - W.detach()
        cosines.append(((step * way).sum() / step.norm() / way.norm()).item())
        sizes.append(step.norm().item())
    turned = next(t for t in range(50, 150) if cosines[t] < 0) - 49
    print(f"{name:17} turn {turned} steps after the gradients; norm of step 1 and 150: {sizes[0]:.1f}, {sizes[-1]:.1f}")
    for axes, values in ((left, cosines), (right, sizes)):
        axes.plot(values, **look.line(), markevery=15, label=name)
        axes.legend(frameon=False)
tidy(left, "Direction", "step", "cosine with the first gradients")
tidy(right, "Size", "step", "norm of the step (learning rates)")
right.set_ylim(bottom=0)
show(figure, alt="Left, the step's cosine with the first direction: with running means it turns soon after step 50, with sums only "
     "near step 100. Right, the norm of the step: level for means, with a dip after the turn, and falling for sums.")

# %% [markdown]
# *The same M3, read in two ways.* With running means (green) it turns eight steps after the gradients, and is short for
# a while, since the slow memory still points the old way. As printed (black) it follows the old direction until as many
# new gradients have come as there were old ones, with ever smaller steps. A momentum that cannot forget is hardly what
# the name says, so means are our default.

# %% [markdown]
# ### What if the loss is multiplied by 10?
#
# One more thing to know before you use M3. Suppose somebody sums the loss over a batch where you take its mean. Nothing
# about the problem has changed; all gradients are merely larger by one factor. Which optimizers notice?

# %%
from nlcore.viz.predictions import predict

predict("04-tenfold")

# %%
def first_step(kind, scale, **settings):
    W = torch.zeros(2, 2, dtype=double, requires_grad=True)
    W.grad = scale * G[1]
    kind([W], lr=1.0, weight_decay=0.0, **settings).step()
    return W.detach().norm().item()


for kind, settings in ((Adam, {}), (optim.Muon, {"dtype": None}), (MultiscaleMomentumMuon, {})):
    ratio = first_step(kind, 10.0, **settings) / first_step(kind, 1.0, **settings)
    print(f"{kind.__name__:24} a loss 10 times larger: step {ratio:.2f} times as large")

# %% [markdown]
# Adam divides a gradient by gradients, and Muon removes the size; M3 divides something without a size by something with
# one. So its learning rate is in units of the gradient, and a loss of another scale, or a layer with smaller gradients,
# needs another rate. The paper does not say so.
#
# Nor does it say what M3 does with vectors and embeddings. Ours leaves vectors as they are, both momenta over the root,
# which is Adam with a second time scale. Embeddings go in a group with `orthogonal=False`, or to AdamW, as below.

# %% [markdown]
# ### Does it help?
#
# The paper's figures 11 and 12 compare M3 with AdamW and Muon on a vision transformer, by loss, and on a language
# model, by time. M3 has the best loss there, and is slower than Muon. Our comparison is a small one: handwritten digits
# of 8 x 8 pixels, 57,000 weights, 300 steps, one CPU core. Muon and M3 train the matrices inside the blocks, and AdamW
# all else in every run. "Fast only" is M3 without its slow memory, the [control](glossary.md#control) that could kill
# its claim.

# %%
predict("04-order")

# %% [markdown]
# Each line has the best of five learning rates, chosen by training loss on three other seeds, and none is at the end of its
# grid. AdamW and Muon have a weight decay of 0.01, M3 has none, like Alg. 1; all else is at its default, but AdamW also
# gets a second $\beta_1$. `python -m bench.vit_digits` measured it, in about ten minutes. The next cell reads its log,
# figures/vit_digits.json: five seeds per line, means with 95% intervals.

# %%
import json
from pathlib import Path

import nlcore

log = json.loads((Path(nlcore.__file__).parent.parent / "figures/vit_digits.json").read_text())
runs, control = log["runs"], "Muon, M3's settings"


def interval(values):
    """Mean and half width of the 95% interval over five seeds (Student's t, 4 degrees)."""
    x = torch.tensor(values, dtype=double)
    return x.mean().item(), 2.776 * x.std().item() / len(values) ** 0.5


end = {name: [sum(r["losses"][-50:]) / 50 for r in seeds] for name, seeds in runs.items()}
print(f"{'':20}training loss      test accuracy    ms per step")
for name, seeds in runs.items():
    (loss, a), (right, b) = interval(end[name]), interval([r["accuracy"] for r in seeds])
    ms = sum(r["ms_a_step"] for r in seeds) / len(seeds)
    taken = "(timed apart)" if name == control else f"{ms:.1f}"
    print(f"{name:20}{loss:.4f} ± {a:.4f}    {right:.3f} ± {b:.3f}    {taken}")

# %%
from dataclasses import replace


def smooth(losses, width=20):
    return torch.tensor(losses).unfold(0, width, 1).mean(1)


dash = {"AdamW, beta1 0.8": like("Adam", "dashed", "v"), "M3, fast only": like("M3", "dashed", "v"), control: like("Muon", "solid", "v")}
drawn = {"AdamW": OPTIMIZERS["Adam"], "Muon": OPTIMIZERS["Muon"], "M3": OPTIMIZERS["M3"], "M3, as printed": OPTIMIZERS["as printed"]} | dash
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", sharey=True)
for name, seeds in runs.items():
    curves = torch.stack([smooth(r["losses"]) for r in seeds])
    spread = 2.776 * curves.std(0) / len(seeds) ** 0.5
    seconds = sum(r["ms_a_step"] for r in seeds) / len(seeds) / 1000
    for part, scale in list(zip(axes, (1.0, seconds)))[: 1 if name == control else 2]:
        x, look = scale * torch.arange(20, 301), drawn[name]
        part.semilogy(x, curves.mean(0), **look.line(), markevery=40, label=name)
        low = (curves.mean(0) - spread).clamp(min=1e-3)
        part.fill_between(x, low, curves.mean(0) + spread, color=look.colour, alpha=0.12, linewidth=0)
tidy(axes[0], "By step", "step", "training loss (mean of 20 steps)")
tidy(axes[1], "By time, one CPU core", "seconds", "")
axes[0].legend(frameon=False, fontsize=8)
show(figure, name="vit_digits", alt="Training loss of the optimizers on the digits, by step and by seconds, with intervals over five "
     "seeds. AdamW with both betas is far above; Muon, M3 and M3 without slow memory end lowest; M3 as printed lies between.")

# %% [markdown]
# *Bands are 95% intervals; a colour is an optimizer, a dash a form of it, black the print. The control, timed apart, is
# on the left only.* Orthogonal steps matter most at this size: both AdamW are far above. **Muon and M3 overlap**, in
# loss and in accuracy, so the means alone do not rank them. Seeds are shared, though, so pairs can be compared seed by
# seed, which is sharper.

# %%
pairs = [("M3", "Muon"), ("M3, fast only", "M3"), ("M3, fast only", "Muon"), (control, "Muon"), ("M3, fast only", control)]
for one, other in pairs:
    gap, half = interval([b - a for a, b in zip(end[one], end[other])])
    lower = sum(a < b for a, b in zip(end[one], end[other]))
    print(f"{one:20} lower than {other:20} in {lower} of 5 seeds, by {gap:.4f} ± {half:.4f}")

# %% [markdown]
# M3 is below Muon in four seeds of five, and M3 *without* its slow memory is below both in all five (its gap to M3 is
# so small that the interval reaches 0). So whatever M3 wins here, its second time scale does not win it.

# %% [markdown]
# Is it the second moment, then? Four things differ between Muon and "fast only": $V$ is one; the others are the momentum
# (0.95 against 0.9), Nesterov's look ahead, and weight decay. Hence one more control, Muon with M3's settings. What it
# changes against Muon is due to the settings; what "fast only" changes against *it* is due to $V$ (and to a factor in
# Muon's rate that depends on a matrix's size). Of the 0.0090 between the two, the settings explain 0.0033, which is less
# than its interval, and the rest, 0.0057, is there in every seed.

# %% [markdown]
# What about learning rates that are too small? Does the slow memory still hurt there?

# %%
print("training loss on the tuning seeds, mean of three\n" + f"{'lr':>8}{'M3':>10}{'fast only':>12}")
for lr in log["tuning"]["M3"]:
    slow, fast = (sum(log["tuning"][name][lr]) / 3 for name in ("M3", "M3, fast only"))
    print(f"{lr:>8}{slow:>10.4f}{fast:>12.4f}")

# %% [markdown]
# At small rates it helps, and at large ones it hurts. A longer step would do the same, and the learning rate gives it
# for free. So two time scales are not what helped on these digits, where nothing has to be remembered for long. A
# stream with more to forget may say otherwise.

# %% [markdown]
# Now live, on this machine: the same model and rates, one seed, a shorter run at a constant rate. Loss and time here
# are yours, whereas those above are the log's. One seed ranks nothing, and a machine that is busy with other work takes
# many times as long per step.

# %%
import os, time
from torch.nn.functional import cross_entropy
from nlcore.models.vision_transformer import VisionTransformer
from nlcore.tasks.digits import digits

data, steps = digits(), 10 if os.environ.get("NL_FAST") else 100
for name, lr in {"AdamW": 3e-3, "Muon": 1e-2, "M3": 1e-4}.items():
    torch.manual_seed(0)
    model = VisionTransformer()
    inner = {"AdamW": lambda p: Adam(p, lr, weight_decay=0.01), "M3": lambda p: MultiscaleMomentumMuon(p, lr),
             "Muon": lambda p: optim.Muon(p, lr, weight_decay=0.01, rate="match_rms_adamw", dtype=None)}[name](model.matrices())
    losses, others, began = [], Adam(model.others(), 3e-3, weight_decay=0.01), time.perf_counter()
    for _ in range(steps):
        chosen = torch.randint(len(data.train_labels), (64,))
        loss = cross_entropy(model(data.train_images[chosen]), data.train_labels[chosen])
        model.zero_grad()
        loss.backward()
        inner.step()
        others.step()
        losses.append(loss.item())
    spent = 1000 * (time.perf_counter() - began) / steps
    print(f"{name:6} loss of the last ten steps {sum(losses[-10:]) / 10:.3f}, {spent:.1f} ms per step")

# %% [markdown]
# ### Where are we in the nest?
#
# Let us look at M3's four parts while it learns: a 6 x 6 weight $W$ that is to become another, from batches of sixteen
# pairs, with a period of 8.

# %%
from nlcore.viz.roll import Row, roll
from nlcore.viz.theme import level_looks

draw = torch.Generator().manual_seed(0)
aim, W = (torch.randn(6, 6, generator=draw, dtype=double) for _ in range(2))
W.requires_grad_()
m3, names = MultiscaleMomentumMuon([W], lr=0.05, period=8), ("fast", "second_moment", "slow")
zero, ticks = torch.zeros(6, 6, dtype=double), 40
change = np.zeros((4, ticks))
for tick in range(ticks):
    x = torch.randn(16, 6, generator=draw, dtype=double)
    m3.zero_grad()
    (x @ (W - aim).T).square().mean().backward()
    before = [m3.state[W].get(name, zero).clone() for name in names] + [W.detach().clone()]
    m3.step()
    now = [m3.state[W][name] for name in names] + [W.detach()]
    change[:, tick] = [((b - a).norm() / b.norm().clamp(min=1e-12)).item() for a, b in zip(before, now)]
change = change[[0, 1, 3, 2]]  # fastest first
M1, V, weights, M2 = (Component(name, rate) for name, rate in (("M1", 1), ("V", 1), ("W", 1), ("M2", 1 / 8)))
levels = order([M1, V, weights, M2], [("W", "M1"), ("W", "V")])
print("levels, fastest first:", [[part.name for part in level] for level in levels])

# %%
green = level_looks(["weights"])["weights"].colour
score = [Row(name, every, green) for name, every in (
    ("M1", "every step, first"), ("V", "every step, first"), ("W", "every step, then"), ("M2", "every 8 steps"))]
figure, axes = plt.subplots(figsize=(10, 2.4), layout="constrained")
roll(axes, score, np.arange(ticks), np.arange(ticks) + 1, change, (change > 0).astype(int))
axes.set(xlim=(0, ticks), xlabel="step")
show(figure, name="level_score_of_m3",
     alt="A level score of four rows over 40 steps. M1 and V change at every step, most at the first, and V less and less; W changes "
     "at every step, by about as much each time; M2 changes at every eighth step only, and brightly.")

# %% [markdown]
# *A [level score](glossary.md#level-score): brightness is the size of a change; all is green because all belongs to the
# weights.* $V$ grows dark, because it averages ever more squares; $M^{(2)}$ is dark seven steps of eight. Who writes?
# Two running means, every step, into $M^{(1)}$ and $V$, from one batch's gradient; M3's step into $W$, every step, from
# what its memories hand over; and a third running mean into $M^{(2)}$, every eighth step, from eight batches at once.
# To whom does it hand what it knows? To $W$ too, as an answer that serves for the next eight steps.

# %% [markdown]
# So there are three levels, and the slow memory is the slowest of all: slower than the weights whose gradients it
# remembers, although it is a part of their optimizer. Chapter 08 makes a whole chain of such levels out of MLPs. On the
# map of [Hope](glossary.md#hope), this chapter fills the second box beside each set of weights:

# %%
from nlcore.viz.hope_map import hope_map

hope_map(4)

# %% [markdown]
# *New: `squares`, beside each momentum and updated as often.* They are written from the same gradients, and tell by how
# much the step of each parameter is divided. M3 would add a third, slower box to each pair, but this course trains Hope
# with AdamW.

# %% [markdown]
# ### Summary of part two
#
# 1. Newton-Schulz is descent on $\lVert O^\top O - I\rVert^2$; because it starts at $g$ it ends at $U R^\top$, and (44)'s
#    extra term keeps it from arriving.
# 2. Muon is momentum read through it, roughly and fast.
# 3. M3 needs a plus where (75) has a minus, means where Alg. 1 has sums, and a rate in units of the gradient. It steps
#    furthest where it has seen least.
# 4. Its slow memory holds what drifts through what swings; on the digits the loss is lower without it, in five seeds of
#    five.
# 5. That slow memory is a level slower than the weights.

# %% [markdown]
# ### Sources
#
# - Behrouz, Razaviyayn, Zhong, Mirrokni (2025), [Nested Learning](https://arxiv.org/abs/2512.24695), sections 4.2, 7.2, 9.7
#   and Appendix B.
# - Duchi, Hazan, Singer (2011), [AdaGrad](https://jmlr.org/papers/v12/duchi11a.html), with the full matrix; Kingma, Ba
#   (2014), [Adam](https://arxiv.org/abs/1412.6980); Loshchilov, Hutter (2017),
#   [AdamW](https://arxiv.org/abs/1711.05101).
# - Reddi, Kale, Kumar (2018), [On the convergence of Adam and beyond](https://arxiv.org/abs/1904.09237): AMSGrad, and
#   exercise 2. Défossez et al. (2020), [A simple convergence proof of Adam and
#   Adagrad](https://arxiv.org/abs/2003.02395).

# %% [markdown]
# - Relatives: Bernstein et al. (2018), [signSGD](https://arxiv.org/abs/1802.04434); Liu et al. (2019),
#   [RAdam](https://arxiv.org/abs/1908.03265); Chen et al. (2023), [Lion](https://arxiv.org/abs/2302.06675).
# - Matrices: Gupta, Koren, Singer (2018), [Shampoo](https://arxiv.org/abs/1802.09568); Vyas et al. (2024),
#   [SOAP](https://arxiv.org/abs/2409.11321); Jordan et al. (2024), [Muon](https://kellerjordan.github.io/posts/muon/);
#   Bernstein, Newhouse (2024), [Old optimizer, new norm](https://arxiv.org/abs/2409.20325), on what their steps have in
#   common.
# - Newton-Schulz: Higham (2008), [Functions of matrices](https://doi.org/10.1137/1.9780898717778), chapter 8.

# %% [markdown]
# ### Exercise 4: three suspects (middle, 15 minutes)
#
# *Diagnose.* `THREE[name](G)` takes gradients of a matrix, (steps, rows, columns), and returns the steps of an optimizer
# at rate 1, before their minus. One is Adam, one Muon, one M3. You see nothing but steps, and may send what gradients you
# like. Which is which?
#
# <details><summary>Hint</summary>
#
# Two experiments suffice: the same gradients at another size, and a single gradient whose entries differ. Before you run
# them, say for each of the three what must not change, and what its first step is made of.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `{"A": "Muon", "B": "M3", "C": "Adam"}`
#
# </details>

# %%
from nlcore.exercises.chapter_04 import THREE, check_cubic, check_three

for name, box in THREE.items():
    print(name, "steps by", box(torch.eye(2, dtype=double)[None])[0].round(decimals=2).tolist())  # does this tell?
named = {"A": "", "B": "", "C": ""}
print(check_three(named))

# %% [markdown]
# ### Exercise 5: a bolder cubic (middle, 15 minutes)
#
# *Build.* The cubic $1.5\, s - 0.5\, s^3$ brings 0.1 to 0.66 in five steps. Find an $a\, s + b\, s^3$ that brings it above
# 0.9 and still ends at 1 from any $s$ in $(0, 1]$. How bold can one be?
#
# <details><summary>Hint</summary>
#
# Where should 1 go? That ties $b$ to $a$. Near 1 a step multiplies an error by the polynomial's slope, $a + 3b$.
#
# </details>
#
# <details><summary>Solution</summary>
#
# $b = 1 - a$, so that 1 stays. The slope $3 - 2a$ is inside $(-1, 1)$ for $1 < a < 2$: for example `return 1.9, -0.9`.
#
# </details>

# %%
def coefficients():
    """a and b of a s + b s^3."""
    return None


print(check_cubic(coefficients))
