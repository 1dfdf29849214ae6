# %% [markdown]
# # 02 · Backpropagation is a memory
#
# **After this notebook** you can say what a training step writes into each layer, under which key,
# and who chose the value; and tell backpropagation from linear attention on gradients.
#
# **You need** notebook 00, matrix products, and to have met gradient descent. Notebook 01 helps.
# **Time:** 30 minutes; all cells together take well under a minute on a laptop.

# %% [markdown]
# ## What does training write, and under which key?
#
# Below, a network of three layers learns to tell two spirals apart, 16 points each. At every step
# each layer meets its own input, the **key**, and a gradient at its output, the **surprise**. In the
# corner between both stands their product, what the step **writes**. Red is above 0, blue below.
#
# Training makes the loss small. What becomes small with it?

# %%
from nlcore.viz.explorers.backward_as_writes import backward_as_writes

backward_as_writes().predict("02-small")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *The hidden layer at step 10.* Keys stay large: they are what the layer sees. What is written shrinks
# with the loss. The surprises of single points shrink much less: what one point asks for, others ask
# back, and it cancels in the sum.
#
# </details>

# %% [markdown]
# In numbers, for the same layer:

# %%
import numpy as np
from nlcore.viz.explorers.backward_as_writes import ETA, STEPS, run

hidden = run().layers[1]
sizes = {
    "key": np.linalg.norm(hidden.keys, axis=-1).mean(-1),
    "surprise": np.linalg.norm(hidden.surprises, axis=-1).mean(-1),
    "write": np.linalg.norm(hidden.writes, axis=(-2, -1)),
}
for name, size in sizes.items():
    times = size[0] / size[STEPS]
    print(f"{name:9} {size[0]:.3f} at step 0, {size[STEPS]:.4f} at step {STEPS}: {times:.1f} times less")
alone = np.linalg.norm(hidden.surprises, axis=-1) * np.linalg.norm(hidden.keys, axis=-1) * ETA / 32
share = sizes["write"] / alone.sum(-1)
print(f"of what the points ask for, {share[0]:.0%} is written at first and {share[STEPS]:.0%} at the end")
assert sizes["write"][0] / sizes["write"][STEPS] > 5 * sizes["surprise"][0] / sizes["surprise"][STEPS]

# %% [markdown]
# This chapter takes that picture apart, one step at a time, on a layer small enough to do by hand: one
# key of two numbers and one value of two numbers, which stay with us to the end.

# %% [markdown]
# ## What does one step write?
#
# A layer answers $y = W x$ and should have answered $v$. Its surprise is the gradient of the loss at
# the answer, $\delta = \nabla_y \mathcal{L}$. The gradient for $W$ is then an outer product, and so is
# the step (eq. 7-8, 29-30):
#
# $$W_{t+1} = W_t - \eta\, \delta_t x_t^\top$$
#
# Take $x = (1, 2)$, $v = (3, 1)$, $W = I$ and $\eta = 0.1$. Work out the answer after one step, then run.

# %%
import torch
from nlcore.memory import AssociativeMemory, Linear, Rates
from nlcore.memory import Decay, GradientDescent, L2

torch.set_default_dtype(torch.float64)
x, v = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 1.0])
W, eta, alpha = torch.eye(2), torch.tensor(0.1), torch.tensor(1.0)

delta = W @ x - v  # gradient of ||W x - v||^2 / 2 at the answer
W_new = W - eta * torch.outer(delta, x)

memory = AssociativeMemory(Linear(2, 2), L2(), GradientDescent(), Decay())
state, report = memory.write(memory.start((), (W,)), x, v, Rates(eta, alpha))
assert torch.equal(state.memory[0], W_new)
print("surprise", delta.tolist(), " W =", W_new.tolist())
print("it answered", (W @ x).tolist(), "and now answers", (W_new @ x).tolist())

# %% [markdown]
# The answer went half of the way, from $(1, 2)$ to $(2, 1.5)$, because $\eta \lVert x\rVert^2 = 0.5$.
#
# Read the step as chapter 00 read a write: it stores the value $u = -\delta$ under the key $x$, at rate
# $\eta$. What does a layer answer at another key $q$ after that? Its old answer, and
# $\eta\, u\, (x^\top q)$: the value, as loud as $q$ is like $x$.

# %%
from nlcore.viz.predictions import predict

predict("02-orthogonal")

# %%
u = -delta
for q in ([1.0, 2.0], [2.0, 4.0], [2.0, -1.0]):
    q = torch.tensor(q)
    change = W_new @ q - W @ q
    assert torch.allclose(change, eta * u * (x @ q))
    print(f"asked at {q.tolist()}: the answer changes by {[round(c, 10) for c in change.tolist()]}")

# %% [markdown]
# ## Which problem does the step solve?
#
# A step is itself the answer to a small problem: agree with $-\delta$ as much as you can, without
# going far (eq. 9, 31):
#
# $$W_{t+1} = \mathrm{argmin}_W\; \langle W x_t, \delta_t \rangle + \frac{1}{2\eta} \lVert W - W_t \rVert^2$$
#
# That is an associative memory with the dot product as its objective. `proximal_step` solves such a
# problem by Newton's method; it is given the problem and not the answer.

# %%
from nlcore.memory import proximal_step

W_argmin = proximal_step(lambda W: (W @ x) @ delta, W, eta=0.1)
print("by the formula", W_new.tolist())
print("by solving it ", [[round(w, 12) for w in row] for row in W_argmin.tolist()])
assert (W_argmin - W_new).abs().max() < 1e-12

# %% [markdown]
# Walk from $W$ against the gradient and look at all of it in one picture: the true loss, its tangent,
# and the tangent with a price for distance. The tangent alone would send you to infinity. With the
# price its lowest point lies at exactly $s = \eta$.

# %%
import matplotlib.pyplot as plt
from nlcore.viz.show import show
from nlcore.viz.theme import looks, tidy

s = torch.linspace(0, 0.2, 81)
size = delta.square().sum() * x.square().sum()  # squared norm of the gradient: 25
loss = ((W - s[:, None, None] * torch.outer(delta, x)) @ x - v).square().sum(-1) / 2
tangent = loss[0] - s * size
curves = {"loss": loss, "tangent": tangent, "tangent + price": tangent + s**2 * size / (2 * eta)}

figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for (name, curve), look in zip(curves.items(), looks(tuple(curves)).values()):
    axes.plot(s, curve, color=look.colour, linestyle=look.dash, label=name)
axes.axvline(0.1, color="#7a7a7a", linewidth=0.8)
axes.set_ylim(-1, 3)
tidy(axes, "One step as a problem", "distance walked, s (in units of the gradient)", "value")
axes.legend(frameon=False)
assert curves["tangent + price"].argmin() == 40 and abs(s[40] - eta) < 1e-12
show(figure, alt="Three curves over the distance walked. The loss falls from 2.5 and touches 0 at 0.2. Its tangent "
     "falls straight and leaves the picture. Tangent plus price is a parabola, lowest at 0.1, where it is 1.25.")

# %% [markdown]
# ## Three faces of gradient descent
#
# With $g_t = \nabla \mathcal{L}(W_t)$, the same trajectory is a rule, a chain of problems, and one
# problem over the whole past (eq. 1, 2, 3):
#
# $$W_{t+1} = W_t - \eta g_t \qquad
#   W_{t+1} = \mathrm{argmin}_W\, \langle g_t, W\rangle + \frac{\lVert W - W_t\rVert^2}{2\eta} \qquad
#   W_{t+1} = \mathrm{argmin}_W \sum_{s \le t} \langle g_s, W\rangle + \frac{\lVert W - W_0\rVert^2}{2\eta}$$
#
# The second is steepest descent, the third follow-the-regularised-leader. Three steps, computed
# three ways:

# %%
from nlcore.memory import follow_the_leader, steepest_step


def gradient(W):
    return torch.outer(W @ x - v, x)


descent = steepest = leader = W
past = []
for t in range(3):
    past.append(gradient(descent))
    descent = descent - eta * gradient(descent)  # eq. 1
    steepest = steepest_step(gradient(steepest), steepest, 0.1)  # eq. 2
    leader = follow_the_leader(past, W, 0.1)  # eq. 3
    apart = max((steepest - descent).abs().max(), (leader - descent).abs().max())
    assert apart < 1e-12
    print(f"after step {t + 1} the answer is {(descent @ x).tolist()}; the three differ by {apart:.0e}")

# %% [markdown]
# The third form says what training is: a sum of everything written since the start, held near the
# start. The paper gives it "with a constant learning rate", since the one $\eta$ before the norm weighs every gradient
# alike. What if the rate is halved before the last step? Then each rate must go where its gradient is, into the sum:
#
# $$W_{t+1} = \mathrm{argmin}_W \sum_{s \le t} \eta_s \langle g_s, W\rangle + \tfrac{1}{2} \lVert W - W_0\rVert^2$$
#
# How far is eq. 3 from the first form, and how far is this one?

# %%
rates = 0.1, 0.1, 0.05
halved = W - sum(rate * g for rate, g in zip(rates, past))  # eq. 1
leader = follow_the_leader(past, W, 0.05)  # eq. 3 knows one rate only
repaired = follow_the_leader([rate * g for rate, g in zip(rates, past)], W, 1.0)  # rates inside the sum

missing = eta / 2 * (past[0] + past[1])
assert torch.allclose(leader - halved, missing) and (repaired - halved).abs().max() < 1e-15
print("eq. 1 answers", (halved @ x).round(decimals=6).tolist(), " eq. 3 answers", (leader @ x).tolist())
print("eq. 3 lacks half of the first two writes, of norm", round(missing.norm().item(), 4))
print(f"with the rates inside the sum they differ by {(repaired - halved).abs().max():.0e}")

# %% [markdown]
# ## How does a hidden layer get its surprise?
#
# Put a second layer on top: $y = W_1\, \mathrm{relu}(W_2 x)$ with $W_2 = I$, $W_1 = (2, 1)$; as in the
# package, 1 is the layer at the output. For $x = (1, 2)$ the hidden layer gives $(1, 2)$ and $y$ is 4.
# If it should be 3, the surprise at the output is 1.
#
# The hidden surprise is that, carried back: $W_1^\top \delta_1$ times the slope of relu. By hand it is a line; the
# cell writes it, and what it makes the layer write.

# %%
from nlcore.memory import DeepMLP

net = DeepMLP((2, 2, 1), torch.relu)
weights = torch.tensor([[2.0, 1.0]]), torch.eye(2)
out, hidden = net.gradients(weights, x[None], lambda answer: answer - 3.0)

by_hand = weights[0].T @ out.delta[0] * (hidden.output[0] > 0)  # relu's slope is 1 here
assert torch.equal(hidden.delta[0], by_hand)
print("output layer: key", out.x[0].tolist(), "surprise", out.delta[0].tolist())
print("hidden layer: key", hidden.x[0].tolist(), "surprise", hidden.delta[0].tolist())
print("hidden layer writes", (-eta * torch.outer(hidden.delta[0], hidden.x[0])).tolist())

# %% [markdown]
# Each layer is a memory of its own: it maps *its* inputs to *its* surprises, and knows nothing of the
# others. Backpropagation is the way in which surprises are handed down.
#
# Is that all of training? Take the network of the first picture, write one point after the other into
# the memory, and let PyTorch's autograd and `torch.optim.SGD` train the same network beside it.

# %%
from nlcore.viz.spiral import network, spiral

points, sides = spiral()
memory, state = network()  # three layers, tanh between them
layers = [w.clone().requires_grad_() for w in reversed(state.memory)]  # torch's, from the input on
sgd = torch.optim.SGD(layers, lr=0.05)
for t in range(64):
    k, target = points[5 * t % 32], sides[5 * t % 32]
    state, report = memory.write(state, k, target, Rates(eta / 2, alpha))
    sgd.zero_grad()
    answer = layers[2] @ torch.tanh(layers[1] @ torch.tanh(layers[0] @ k))
    (0.5 * (answer - target).square().sum()).backward()
    sgd.step()
for number, (ours, torchs) in enumerate(zip(state.memory, reversed(layers)), start=1):
    apart = (ours - torchs).abs().max().item()
    assert apart < 1e-12
    print(f"layer {number} {list(ours.shape)}: after 64 writes, at most {apart:.0e} from autograd and SGD")

# %% [markdown]
# ## What does a batch write?
#
# A batch's gradient is a mean. Read as memory: every point writes, at $\eta / n$, and all of them use
# keys and surprises of **one** state, the one before the batch. The argument `at` of `write` says so.
#
# It is the same pattern as a chunk of tokens in a fast-weight layer, which we meet again in chapter 09.

# %%
start = state
for k, target in zip(points, sides):
    state, _ = memory.write(state, k, target, Rates(eta / 32, alpha), at=start)

layers = [w.clone().requires_grad_() for w in reversed(start.memory)]
answers = torch.tanh(torch.tanh(points @ layers[0].T) @ layers[1].T) @ layers[2].T
(0.5 * (answers - sides).square().sum(-1).mean()).backward()
for ours, w in zip(state.memory, reversed(layers)):
    assert (ours - (w - eta * w.grad)).abs().max() < 1e-12
print("32 writes from one state are one step on the mean loss")

# %% [markdown]
# ## Who goes on surprising?
#
# A well-known pair writes nothing: no surprise, no value. So training spends itself on what is not yet
# known. The picture shows the surprise of each of the 32 points at the output, step after step, in the run of the
# first picture.

# %%
predict("02-spiral")

# %%
output = run().layers[2]
surprise = np.linalg.norm(output.surprises, axis=-1).T  # (points, steps)

figure, axes = plt.subplots(figsize=(8, 3.4), layout="constrained")
image = axes.imshow(surprise, aspect="auto", cmap="cividis", vmin=0, vmax=0.6, interpolation="nearest")
figure.colorbar(image, label="norm of the surprise", extend="max")
axes.axhline(15.5, color="white")
axes.set_yticks([7.5, 23.5], ["arm 1,\ncentre (top)\nto end", "arm 2,\ncentre (top)\nto end"])
tidy(axes, "Surprise of each point at the output layer", f"step (of {STEPS})", "")
axes.grid(False)
centre, ends = surprise[[0, 1, 16, 17], -1].mean(), surprise[[14, 15, 30, 31], -1].mean()
assert centre > ends
show(figure, alt="A heat map, 32 points by 201 steps. All are bright at first. After ten steps most points are dark; "
     "the points at the centre of both arms stay brightest to the end.")
print(f"at the end: centre {centre:.2f}, ends {ends:.2f}")

# %% [markdown]
# ## Is it linear attention, then?
#
# A linear attention layer writes $v_t k_t^\top$ too. The difference is who chooses the value. There the
# value comes from the input alone. Here it is $u_t = -\nabla_y \mathcal{L}(W_t; x_t)$ (eq. 54-55, 58):
# made by the memory itself, from what it knows by now. It writes less of what it already knows.
#
# Freeze the value at the first one, $u = (2, -1)$, and write the same pair four times. The live memory's error halves
# at each write, as you know; what does the frozen one's do?

# %%
live = frozen = W
u_0 = v - W @ x  # what the first state asked for
for t in range(4):
    u_t = v - live @ x  # what the present state asks for
    live = live + eta * torch.outer(u_t, x)
    frozen = frozen + eta * torch.outer(u_0, x)
    show_both = [round(a, 4) for a in (live @ x).tolist()], [round(a, 4) for a in (frozen @ x).tolist()]
    print(f"write {t + 1}: live answers {show_both[0]}, frozen answers {show_both[1]}")
assert torch.allclose(live @ x - v, (W @ x - v) / 16)
assert torch.allclose(frozen @ x - v, -(W @ x - v))

# %% [markdown]
# The live memory halves its error each time and stops asking. The frozen one is right after two
# writes, does not notice, and after four is as wrong as at the start, on the other side.
#
# Now the network of three layers, point by point, and beside it the same network with keys and
# surprises of all layers taken at the first state: linear attention on gradients. For how many writes do they agree?

# %%
from nlcore.viz.explorers.frozen_values import frozen_values

frozen_values().predict("02-frozen")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Rate 0.05, values never made anew.* For seven writes the frozen network learns as well. Then it
# passes by the answer: it cannot see what it has written.
#
# </details>

# %% [markdown]
# Asking the memory again from time to time is not always a cure. Every 8 writes follows
# backpropagation closely; every 32 writes is **worse than never**. Each time, 32 values try to mend one
# and the same error, and overshoot together; the next 32 mend the overshoot.

# %%
from nlcore.viz.explorers.frozen_values import ETAS, NEVER, compute

print("rate   distance at write 4   at the end   loss at the end: live, frozen")
for rate in ETAS[:4]:
    found = compute(rate, NEVER)
    ends = f"{found.live[-1]:.3f}, {found.frozen[-1]:.2f}"
    print(f"{rate:<6} {found.distance[4]:<21.2g} {found.distance[-1]:<12.3g} {ends}")
ratio = compute(0.02, NEVER).distance[4] / compute(0.01, NEVER).distance[4]
assert 3.4 < ratio < 4.6
print(f"from rate 0.01 to 0.02 the distance at write 4 grows {ratio:.2f} times")
never, every_8, every_32 = (compute(0.05, n).frozen for n in (NEVER, 8, 32))
assert never[7] < never[0] / 3 and never[-1] > 5 and every_8[-1] < 0.2
assert np.isnan(every_32[-1])  # beyond 10,000: given up

# %% [markdown]
# The first write is the same in both. From the second on, values differ by about $\eta$, and are
# written with weight $\eta$: the distance begins with $\eta^2$. Twice the rate, four times the
# distance, while both are small.
#
# So linear attention on gradients is backpropagation to first order, and no further. What makes training
# more is that the memory answers back.

# %% [markdown]
# ## A system of such problems
#
# The paper now defines a model as boxes: each has an objective, a context and parameters $\theta$, and
# is updated by a problem like ours. In the long version (arXiv 2512.24695) definition 3 prints (eq. 19; definition 4 and
# eq. 20 the same, with a key $k$ for $x$):
#
# $$\theta_{t+1} = \mathrm{argmin}_\Phi\; \langle \Phi x_{t+1},\, -\nabla \mathcal{L}(\theta_t; x_{t+1}) \rangle
#   + \frac{1}{2\eta} \lVert \Phi - \theta_t \rVert^2$$
#
# **Erratum.** Compare the sign with eq. 9 above. What does the printed form do to our tiny layer, whose error halves
# at each step of gradient descent?

# %%
printed = corrected = W
for t in range(4):
    d = printed @ x - v
    printed = proximal_step(lambda Phi: (Phi @ x) @ -d, printed, eta=0.1)  # eq. 19-20 as printed
    e = corrected @ x - v
    corrected = proximal_step(lambda Phi: (Phi @ x) @ e, corrected, eta=0.1)  # eq. 9, 31, 112
    errors = (printed @ x - v).norm(), (corrected @ x - v).norm()
    print(f"step {t + 1}: error as printed {errors[0]:.4f}, corrected {errors[1]:.4f}")
start_error = (W @ x - v).norm()
assert torch.isclose(errors[0], start_error * 1.5**4)
assert torch.isclose(errors[1], start_error * 0.5**4)

# %% [markdown]
# As printed, the step climbs: the error grows by half each time, without end. With $+\nabla$ it is
# eq. 9, 31 and 112, and gradient descent, which is what both definitions say in words: so the minus is a slip, and
# nothing built on them changes. (The gradient here is the one at the output, since $\Phi x$
# must have its size.)
#
# Corrected, the definition does what it says. Give every layer of the three-layer network its own box:
# context $(x, \delta)$, parameters $W$. Solve each alone, and the boxes together make one step of
# backpropagation:

# %%
def objective(answer):
    return memory.objective.gradient(answer, sides[:1])


boxes = memory.architecture.gradients(start.memory, points[:1], objective)
solved = [
    proximal_step(lambda Phi: (Phi @ box.x[0]) @ box.delta[0], w, eta=0.1)
    for w, box in zip(start.memory, boxes)
]
stepped, _ = memory.write(start, points[0], sides[0], Rates(eta, alpha))
for number, (box, whole) in enumerate(zip(solved, stepped.memory), start=1):
    assert (box - whole).abs().max() < 1e-12
    print(f"box {number}, {list(box.shape)}: the same weights as one step of the whole network")

# %% [markdown]
# ## Why settle for the tangent?
#
# All these problems used the loss's tangent. The general form (definitions 6 and 7, eq. 98-99) keeps
# the loss itself:
#
# $$\theta_{t+1} = \mathrm{argmin}_\Phi\; \mathcal{L}(\Phi; x_{t+1}) + \frac{1}{2\eta} \lVert \Phi - \theta_t \rVert^2$$
#
# Set the gradient to 0 and you find $\theta_{t+1} = \theta_t - \eta \nabla \mathcal{L}(\theta_{t+1})$:
# a step that uses the gradient where it *arrives*. It is called implicit. Does it take our layer further than half of
# the way, or less far?

# %%
def loss_of(W):
    return (W @ x - v).square().sum() / 2


implicit = proximal_step(loss_of, W, eta=0.1)
shorter = eta / (1 + eta * x @ x)  # 0.1 / 1.5: solved by hand
assert (implicit - (W - shorter * torch.outer(delta, x))).abs().max() < 1e-12
assert (implicit - (W - eta * gradient(implicit))).abs().max() < 1e-12
print("gradient step answers", (W_new @ x).tolist())
print("implicit step answers", [round(a, 4) for a in (implicit @ x).tolist()])

# %% [markdown]
# A third of the way: the error keeps $1 / (1 + \eta \lVert x \rVert^2) = 2/3$. By the gradient step it
# keeps $1 - \eta \lVert x\rVert^2 = 1/2$. Now make $\eta$ large. The first number stays between 0 and 1.
# The second passes 0 at $\eta = 0.2$, and from $0.4$ on each step makes things worse. That cautious
# rate is where chapter 05 begins.

# %%
rates = torch.linspace(0, 0.6, 61)
kept = {"gradient step": 1 - 5 * rates, "implicit step": 1 / (1 + 5 * rates)}
for rate in (0.1, 0.3, 0.6):  # the curves are what the steps do
    ends = W - rate * gradient(W), proximal_step(loss_of, W, rate)
    for curve, end in zip(kept.values(), ends):
        there = curve[round(rate * 100)]
        assert torch.allclose(end @ x - v, there * (W @ x - v))

figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
axes.axhspan(-1, 1, color="#7a7a7a", alpha=0.12, linewidth=0)
for (name, curve), look in zip(kept.items(), looks(tuple(kept)).values()):
    axes.plot(rates, curve, **look.line(), markevery=10, label=name)
tidy(axes, "What a step leaves of the error", "rate η", "share of the error (shaded: it shrinks)")
axes.legend(frameon=False, loc="lower left")
show(figure, alt="Share of the error that one step leaves, against the rate. The gradient step's falls straight from "
     "1, crosses 0 at 0.2 and leaves the shaded band at 0.4. The implicit step's bends and stays above 0.25.")

# %% [markdown]
# For small $\eta$ the two agree: the gradient step is the implicit one with its loss made linear. The
# difference is of second order, so half the rate leaves a quarter of it. That holds for a loss that is
# no parabola as well. Here the layer answers $\tanh(W x / 4)$ and is asked for $v / 4$; the problem is
# solved by a few inner Newton steps:

# %%
def curved(W):
    return (torch.tanh(W @ x / 4) - v / 4).square().sum() / 2


before = None
for rate in (0.08, 0.04, 0.02, 0.01):
    straight = W - rate * torch.func.grad(curved)(W)
    apart = (proximal_step(curved, W, rate) - straight).norm().item()
    ratio = "" if before is None else f", {before / apart:.2f} times less"
    print(f"rate {rate}: the two steps differ by {apart:.2e}{ratio}")
    assert before is None or abs(before / apart - 4) < 0.15
    before = apart

# %% [markdown]
# ## Where are we in the nest?
#
# On the map, a part that is slower than chapter 01's memory:

# %%
from nlcore.viz.hope_map import hope_map

hope_map(2)

# %% [markdown]
# *New: `weights`.* Gradient descent writes into them once a step, from a batch of texts: under each layer's input the
# value $-\delta$. The memory above them is written many times in a step, and is gone when its text ends; they stay.

# %% [markdown]
# ## Summary
#
# 1. A training step writes the value $-\delta$, minus the local surprise, under the layer's input $x$.
# 2. The step solves a problem: follow the tangent, stay near. Steepest descent and FTRL are the same.
# 3. Every layer of a network is such a memory; its writes equal autograd and SGD to $10^{-12}$.
# 4. The memory makes its own values; frozen, it is linear attention, and parts as $\eta^2$.
# 5. Eq. 19-20 climb as printed. Eq. 98-99 keep the loss itself, and give a step that is always safe here.

# %% [markdown]
# ## Exercise 1: one layer's write (easy, 5 minutes)
#
# A layer has weights $W$, met the input $x$ and was surprised by $\delta$. Return its new weights.
#
# <details><summary>Hint</summary>
#
# `torch.outer(a, b)` is $a b^\top$. The result must have the size of $W$, and surprise is a gradient: go
# against it.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return W - eta * torch.outer(delta, x)`
#
# </details>

# %%
from nlcore.exercises.chapter_02 import check_batch, check_hidden, check_most, check_proximal, check_write


def write(W, x, delta, eta):
    """The new weights, (out, in)."""
    return W


print(check_write(write))

# %% [markdown]
# ## Exercise 2: a hidden surprise (middle, 10 minutes)
#
# A hidden layer gave $z$. Above it came $\tanh$, then a layer with weights `W_above` whose surprise is
# `delta_above`. What is the hidden layer's surprise?
#
# <details><summary>Hint</summary>
#
# Two factors, in the reverse order of the way up: back through `W_above`, then times the slope of tanh
# at $z$, which is $1 - \tanh^2 z$.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return (W_above.T @ delta_above) * (1 - torch.tanh(z) ** 2)`
#
# </details>

# %%
def hidden_surprise(W_above, delta_above, z):
    """The gradient at z, of z's size."""
    return None


print(check_hidden(hidden_surprise))

# %% [markdown]
# ## Exercise 3: a batch (easy, 5 minutes)
#
# $n$ points wrote from one state. `X` is (n, in), a key a row; `Delta` is (n, out), a surprise a row.
# The loss is their mean. Return the layer's change, with no loop.
#
# <details><summary>Hint</summary>
#
# A sum of outer products over rows is one matrix product. Which of the two must be transposed, so that
# the result is (out, in)?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return -eta * Delta.T @ X / len(X)`
#
# </details>

# %%
def batch_write(X, Delta, eta):
    """The change of W, (out, in)."""
    return None


print(check_batch(batch_write))

# %% [markdown]
# ## Exercise 4: the implicit step by hand (hard, 15 minutes)
#
# Solve $\mathrm{argmin}_\Phi\, \lVert \Phi x - v \rVert^2 / 2 + \lVert \Phi - W \rVert^2 / (2 \eta)$ for one
# pair, without an inverse.
#
# <details><summary>Hint</summary>
#
# At the minimum $(\Phi x - v) x^\top + (\Phi - W) / \eta = 0$. Multiply by $x$ from the right: that gives
# the new error $\Phi x - v$ as a multiple of the old one.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return W - eta / (1 + eta * x @ x) * torch.outer(W @ x - v, x)`
#
# </details>

# %%
def implicit_step(W, x, v, eta):
    """The minimiser, of W's size."""
    return W


print(check_proximal(implicit_step))

# %% [markdown]
# ## Exercise 5: which layer was most surprised? (hard, 20 minutes)
#
# `model` is any `torch.nn.Sequential`. With the loss `((model(x) - v) ** 2).sum() / 2`, return the index
# in `model` of the `nn.Linear` whose surprise, the gradient at its output, has the largest norm.
#
# <details><summary>Hint</summary>
#
# Run the modules one by one, keep each output, and call its `retain_grad()`. After `backward()`, look
# at its `.grad`.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# outputs = []
# for module in model:
#     x = module(x)
#     x.retain_grad()
#     outputs.append(x)
# ((x - v) ** 2).sum().div(2).backward()
# linear = [i for i, m in enumerate(model) if isinstance(m, torch.nn.Linear)]
# return max(linear, key=lambda i: outputs[i].grad.norm())
# ```
#
# </details>

# %%
def most_surprised(model, x, v):
    """The index of one nn.Linear in model."""
    return None


print(check_most(most_surprised))
