# %% [markdown]
# # 05 · Beyond gradient descent
#
# **After this notebook** you can derive Delta Gradient Descent and its step size, find three errors in
# the paper's derivation, use it in any PyTorch model, and say what it costs.
#
# **You need** notebook 00, and to know what a gradient is; notebooks 01 and 02 help. **Time:** 35
# minutes; all cells together run in about 40 seconds on a laptop.

# %% [markdown]
# ## What if a write first erases?
#
# Gradient descent adds. What a layer answers for an input plays no part in how much is added, only the
# gradient does. The paper finds this a weakness where inputs resemble each other, as tokens do, and
# proposes a write that first erases what the layer answered for this input: **Delta Gradient Descent**,
# Delta GD for short.
#
# Below, three rules follow a drifting target online, on inputs that resemble each other more or less.

# %%
from nlcore.viz.explorers.correlated_streams import correlated_streams

correlated_streams().predict("05-drift")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Squared error, before each write; bands are the middle 80% of 16 streams on the left, 95% intervals of
# the mean on the right.* With a slow drift Delta GD is the worst of the three at every correlation. It
# stops near one quarter: half of the target. The green rule is the same step with the value given.
#
# </details>

# %% [markdown]
# So there are two ideas in it, one that helps and one that hurts. This chapter takes them apart.

# %% [markdown]
# ## What does a gradient step ask for?
#
# A layer $y = W x$ has a loss, and $u = -\nabla_y \mathcal{L}$ is what it lacks. One step of gradient
# descent is the answer to a small problem (eq. 55, and 112 again):
#
# $$W_{t+1} = \arg\min_W \; -\langle W x,\, u\rangle + \frac{1}{2\eta}\lVert W - W_t\rVert^2 = W_t + \eta\, u x^\top$$
#
# It asks $W x$ to point along $u$, as far as it can get. Our tiny layer answers 4 for $x = (1, 2)$ and
# should answer 6. Now it takes one step with $\eta = 0.2$.

# %%
from nlcore.viz.predictions import predict

predict("05-step")

# %%
import torch
from nlcore.memory import proximal_step

torch.set_default_dtype(torch.float64)
W = torch.tensor([[2.0, 1.0]])
x, target, eta = torch.tensor([1.0, 2.0]), torch.tensor([6.0]), 0.2

u = -(W @ x - target)  # loss (y - target)^2 / 2
descended = W + eta * torch.outer(u, x)  # eq. 54
asked = proximal_step(lambda w: -(w @ x) @ u, W, eta)  # eq. 55, solved as the problem it is
assert torch.allclose(descended, asked, atol=1e-12)
print("u =", u.item(), "  new W =", descended.tolist(), "  answers", round((descended @ x).item(), 6))

# %% [markdown]
# The answer moved by $\eta\, u \lVert x\rVert^2 = 0.2 \cdot 2 \cdot 5 = 2$, so it is right at once. Had $x$ been
# twice as long, it would have moved by 8.
#
# ## What if it asks for the value itself?
#
# Put a squared error in place of the product (eq. 56, 113). Now $W x$ should *be* $u$:
#
# $$W_{t+1} = \arg\min_W \; \frac{1}{2}\lVert W x - u\rVert^2 + \frac{1}{2\eta}\lVert W - W_t\rVert^2$$

# %% [markdown]
# Its gradient must vanish: $(W x - u)\,x^\top + (W - W_t)/\eta = 0$. Solve for $W$, and invert the matrix by
# Sherman and Morrison's formula:
#
# $$W = (W_t + \eta\, u x^\top)(I + \eta\, x x^\top)^{-1}, \qquad (I + \eta\, x x^\top)^{-1} = I - \eta'\, x x^\top, \qquad \eta' = \frac{\eta}{1 + \eta\lVert x\rVert^2}$$
#
# Multiplied out (eq. 57), the same rate erases and writes:
#
# $$W_{t+1} = W_t\,(I - \eta'\, x x^\top) + \eta'\, u x^\top$$

# %%
from nlcore.optim import delta_rate, delta_step

rate = eta / (1 + eta * x @ x)
erased = W - rate * torch.outer(W @ x, x)
written = erased + rate * torch.outer(u, x)  # eq. 57

asked = proximal_step(lambda w: (w @ x - u).square().sum() / 2, W, eta)  # eq. 56
assert torch.allclose(written, asked, atol=1e-12)
gradient = -torch.outer(u, x)
assert torch.allclose(written, delta_step(W, gradient, x[None], eta), atol=1e-12)
assert torch.isclose(rate, delta_rate(eta, x))
print(f"eta' = {rate:.3f}   erased: answers {(erased @ x).item():.3f}   written: answers {(written @ x).item():.3f}")

# %% [markdown]
# Check by hand: $\eta' = 0.2 / (1 + 0.2 \cdot 5) = 0.1$. Erasing leaves $4 - 0.1 \cdot 5 \cdot 4 = 2$; writing adds
# $0.1 \cdot 5 \cdot 2 = 1$. The layer answers **3**. It should answer 6.
#
# That is no accident. $u$ is a *correction*: what to add to 4. Delta GD stores it in place of the 4. As the
# answer rises the correction falls, and the two meet in the middle: $W x = u = 6 - W x$ at 3.

# %% [markdown]
# ## How far may a step go?
#
# Look at what one write leaves of the error at $x$. For gradient descent with a squared error it is
# $1 - \eta\lVert x\rVert^2$. Delta GD erases and writes, so its transition on $x$ is
#
# $$1 - 2\eta'\lVert x\rVert^2 = \frac{1 - \eta\lVert x\rVert^2}{1 + \eta\lVert x\rVert^2}$$
#
# For which $\eta$ does each stay between $-1$ and $1$? And with the rate that the paper prints,
# $\eta' = \eta / (1 + \eta)$?

# %%
from nlcore.viz.explorers.stable_steps import stable_steps

stable_steps().predict("05-stable")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Left: error left by one write. Right: distance to the rule's own fixed point after 100 writes, eight
# seeds.* The exact form is stable at any step and any length. Gradient descent needs
# $\eta\lVert x\rVert^2 < 2$. The printed rate needs $\eta\,(\lVert x\rVert^2 - 1) < 1$: for long inputs it is worse
# than gradient descent.
#
# </details>

# %% [markdown]
# That is the idea that helps: **the exact step**, whose size answers to the input. It does not need the
# erasing.

# %%
def largest(left, norm, etas=torch.logspace(-3, 3, 6001)):
    """The largest step size on the grid with |left| < 1."""
    return etas[left(etas, norm).abs() < 1].max().item()


rules = {
    "gradient descent": lambda e, n: 1 - e * n**2,
    "printed rate": lambda e, n: 1 - 2 * e / (1 + e) * n**2,
    "exact rate": lambda e, n: 1 - 2 * e / (1 + e * n**2) * n**2,
}
for name, left in rules.items():
    print(f"{name:17}", *(f"|x| = {n}: {largest(left, n):8.3f}" for n in (0.5, 1.0, 2.0, 4.0)))
assert abs(largest(rules["gradient descent"], 2.0) - 2 / 4) < 1e-2
assert abs(largest(rules["printed rate"], 2.0) - 1 / 3) < 1e-2

# %% [markdown]
# ## Erratum: the printed rate
#
# The long version of the paper (arXiv 2512.24695) prints, for inputs that are normalised, "$\lVert x_t\rVert_2 = \lambda$",
#
# $$\eta_t' = \frac{\eta_t}{1 + \eta_t} \qquad W_{t+1} = W_t\,(I - \eta_t'\, x_t x_t^\top) - \eta_t'\, \nabla_{y_t} \mathcal{L}(W_t; x_t) \otimes x_t$$

# %% [markdown]
# (the rate stands just above eq. 57). It is exact at $\lVert x\rVert = 1$ only, so it does not follow for any
# $\lambda$, which is what the text and Appendix C assume. Layer norm gives $\lVert x\rVert = \sqrt{d}$, which is not 1
# either. At length 1, which Hope gives its q and k, nothing is wrong.
#
# The cell solves eq. 56 directly and compares both rates at several lengths.

# %%
def solved(W, x, u, weight):
    """argmin ||W x - u||^2 / 2 + weight ||W - W_t||^2 / 2, from its normal equations."""
    matrix = torch.outer(x, x) + weight * torch.eye(len(x))
    return torch.linalg.solve(matrix, torch.outer(u, x) + weight * W, left=False)


def with_rate(rate):
    return W - rate * torch.outer(W @ key, key) + rate * torch.outer(u, key)


for length in (0.5, 1.0, 2.0, 16.0):
    key = x / x.norm() * length
    truth = solved(W, key, u, 1 / eta)
    printed, corrected = with_rate(eta / (1 + eta)), with_rate(delta_rate(eta, key))
    wrong = (printed - truth).abs().max().item()
    print(f"|x| = {length:4}: printed off by {wrong:9.2e}, corrected by {(corrected - truth).abs().max():.0e}")
    assert (corrected - truth).abs().max() < 1e-12 and (wrong < 1e-12) == (length == 1.0)

# %% [markdown]
# ## Erratum: the sign and the weight in 114
#
# Appendix C defines $u_t = -\nabla_{y_t} \mathcal{L}(W_t; x_t)$ and sets the gradient of eq. 113 to zero. The long version
# prints (114)
#
# $$2\,(W_{t+1} x_t - \nabla_{y_t} \mathcal{L}(W_t, x_t))\,x_t^\top + 2 \eta_t\,(W_{t+1} - W_t) = 0$$
#
# Two things went wrong. $u$ became $\nabla$, its opposite; and the weight of the second term is $\eta$, where
# 113 has $1/\eta$. Eq. 115 to 121 inherit both, while 57 has the sign right. Where does the printed step
# move the answer, and what happens when $\eta$ grows?

# %%
answers = {
    "as printed": lambda eta: solved(W, x, -u, eta),
    "sign corrected": lambda eta: solved(W, x, u, eta),
    "both corrected": lambda eta: solved(W, x, u, 1 / eta),
}
print("the layer answered", (W @ x).item(), "and u is", u.item())
for name, step in answers.items():
    row = [f"eta {e}: {(step(e) @ x).item():6.3f}" for e in (0.02, 0.2, 20.0)]
    print(f"{name:15}", "   ".join(row))
assert (answers["as printed"](0.2) @ x).item() < 0  # towards -u
assert abs((answers["sign corrected"](20.0) @ x - W @ x).item()) < 0.5  # a large eta hardly moves
assert torch.allclose(answers["both corrected"](eta), written, atol=1e-12)

# %% [markdown]
# As printed, the answer moves from 4 towards $-2$, the gradient, which is up the loss. With the sign mended
# it moves towards 2, but *less* for a larger $\eta$: $\eta = 20$ reaches 3.6 where it should reach 2.02.

# %% [markdown]
# ## Erratum: a square that is lost in 120
#
# From 119 to 120 the long version contracts its last term, under a brace, as
#
# $$\frac{1}{\lambda^2 \eta_t + \eta_t^2}\, \nabla_{y_t} \mathcal{L}\; x_t^\top x_t x_t^\top = \frac{\lambda}{\lambda^2 \eta_t + \eta_t^2}\, \nabla_{y_t} \mathcal{L}\; x_t^\top$$
#
# and 120 takes the $\lambda$ over: $W_{t+1} = W_t (I - \frac{1}{\lambda^2 + \eta_t} x_t x_t^\top) - (\frac{\lambda}{\lambda^2 \eta_t + \eta_t^2} - \frac{1}{\eta_t})\, \nabla_{y_t} \mathcal{L}\; x_t^\top$.
# But $x^\top x$ is $\lVert x\rVert^2 = \lambda^2$. With the square, $\beta$ becomes minus $\alpha$ of eq. 121, as it must.

# %%
def by_120(power, weight=eta):
    """Eq. 120 from its own premises, with lambda to some power: (alpha, beta)."""
    length = x.norm()
    return 1 / (length**2 + weight), length**power / (length**2 * weight + weight**2) - 1 / weight


from_116 = solved(W, x, -u, eta)
for power in (1, 2):
    alpha, beta = by_120(power)
    step = W - alpha * torch.outer(W @ x, x) - beta * torch.outer(-u, x)
    gap = (step - from_116).abs().max().item()
    print(f"lambda^{power}: alpha {alpha:.3f}, beta {beta:.3f}, off from 116 by {gap:.1e}")
    assert (gap < 1e-12) == (power == 2)

# %% [markdown]
# What does each form do when it learns? Here the same pair, $x = (1, 2)$ with target 6, is written twelve times
# by each, with $u$ made anew every time. Only the shape of a form decides which of them reach 3.

# %%
import matplotlib.pyplot as plt
from nlcore.viz.show import show
from nlcore.viz.theme import looks, tidy

square, eta_c = (x @ x).item(), eta
alpha, beta = (part.item() for part in by_120(1))
forms = {  # the answer after a write, from the answer a before it; u = 6 - a
    "corrected": lambda a: a + eta_c / (1 + eta_c * square) * square * ((6 - a) - a),
    "57, printed rate": lambda a: a + eta_c / (1 + eta_c) * square * ((6 - a) - a),
    "116 as printed": lambda a: (-(6 - a) * square + eta_c * a) / (square + eta_c),
    "116, sign corrected": lambda a: ((6 - a) * square + eta_c * a) / (square + eta_c),
    "120 as printed": lambda a: a - alpha * square * a - beta * square * -(6 - a),
}
paths = {name: [4.0] for name in forms}
for name, step in forms.items():
    for _ in range(12):
        paths[name].append(step(paths[name][-1]))
print({name: f"{path[-1]:.3g}" for name, path in paths.items()})

# %%
figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
for (name, path), look in zip(paths.items(), looks(tuple(paths)).values()):
    axes.plot(path, **look.line(), markersize=5, label=name)
axes.axhline(3, color="#7a7a7a", linewidth=0.8)
axes.set_ylim(-12, 12)
tidy(axes, "One pair, written again and again (target 6)", "writes", "answer")
axes.legend(frameon=False, fontsize=8, ncols=2)
assert abs(paths["corrected"][1] - 3) < 1e-12 and paths["116 as printed"][-1] < -60
show(figure, alt="Answers over twelve writes. The corrected form is at 3 after one write; the printed rate and the "
     "sign-corrected form swing around 3; the printed 116 falls in a straight line and 120 leaves the picture at once.")

# %% [markdown]
# ## Where does it settle?
#
# Delta GD has a plain meaning. To first order in $\eta$ the step is $-\eta\,(W x - u)\,x^\top$: gradient descent on
#
# $$\mathcal{L} + \frac{1}{2}\lVert W x\rVert^2$$
#
# the loss, plus a pull of the layer's outputs towards zero. For a linear layer with a squared error there is an
# exact form of the same fact: started at zero, Delta GD at rate $\eta'$ is **half of the delta rule at rate
# $2\eta'$**, step by step. The cell checks it on a random stream.

# %%
draw = torch.Generator().manual_seed(0)
keys, teacher = torch.randn(200, 4, generator=draw), torch.randn(1, 4, generator=draw)
delta_gd, delta_rule = torch.zeros(1, 4), torch.zeros(1, 4)
for key in keys:
    value, rate = teacher @ key, delta_rate(0.3, key)
    correction = value - delta_gd @ key
    delta_gd = delta_gd + rate * torch.outer(correction - delta_gd @ key, key)  # eq. 57
    delta_rule = delta_rule + 2 * rate * torch.outer(value - delta_rule @ key, key)  # eq. 65
    assert torch.allclose(delta_gd, delta_rule / 2, atol=1e-12)
print("teacher ", teacher.numpy().round(3))
print("Delta GD", delta_gd.numpy().round(3), "is half of it")

# %% [markdown]
# So for a linear layer the erasing brings nothing that a rate could not, and costs half of the answer. Go
# back to the first explorer with this in mind. It wins there only where a memory should not trust itself: set
# the drift to 0.3 and $\eta$ to 1, and an answer pulled halfway to zero beats gradient descent's stale one.
#
# The cell measures it, each rule at its own best step size.

# %%
from nlcore.viz.explorers.correlated_streams import MEASURES, RULES, compute

GD, DELTA, GIVEN = RULES
found = {drift: [compute(0.0, eta, drift, MEASURES[0]) for eta in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)]
         for drift in (0.03, 0.3)}


def at_best_step(drift, index, rule):
    """Errors of 16 streams, at the step size with the lowest mean."""
    return min((f.seeds[rule][index] for f in found[drift]), key=lambda errors: errors.mean())


for drift in (0.03, 0.3):
    for index, rho in ((0, 0.0), (4, 0.8), (7, 0.99)):
        errors = {rule: at_best_step(drift, index, rule) for rule in RULES}
        gap = errors[DELTA] - errors[GD]
        half = 2.131 * gap.std(ddof=1) / 16**0.5  # Student's t, 16 streams
        row = ", ".join(f"{rule} {e.mean():.3f}" for rule, e in errors.items())
        print(f"drift {drift}, correlation {rho}: {row}; Delta GD minus GD {gap.mean():+.3f} +- {half:.3f}")
        assert errors[GIVEN].mean() < errors[GD].mean()
        assert gap.mean() - half > 0 or (drift == 0.3 and rho < 0.9)
        assert gap.mean() + half < 0 or (drift, rho) != (0.3, 0.0)

# %% [markdown]
# Read the lines. At a slow drift Delta GD loses clearly, whatever the correlation. At a fast drift it wins for
# independent inputs, is level at 0.8, and loses again at 0.99. That is the reverse of what its motivation
# suggests: there the newest answer is right for the next input too, and should not be halved. The exact step
# with a given value is never behind gradient descent here.

# %% [markdown]
# ## A batch
#
# A real step sees $N$ tokens. With the loss a mean over them, let $u_t = -N\,\nabla_{y_t}\mathcal{L}$, and ask for all
# values at once:
#
# $$\arg\min_W \; \frac{1}{N}\sum_t \frac{1}{2}\lVert W x_t - u_t\rVert^2 + \frac{1}{2\eta}\lVert W - W_t\rVert^2 = (W_t - \eta\, G)\,(I + \eta M)^{-1}$$
#
# with $G$ the gradient of $W$, and $M = \frac{1}{N}\sum_t x_t x_t^\top$. In words: a step of gradient descent, then a
# division. For $N = 1$ it is eq. 57.

# %% [markdown]
# The division is a small solve. With fewer tokens than inputs, Woodbury's identity needs only an $N \times N$ one:
#
# $$A\,(I + \tfrac{\eta}{N} X^\top X)^{-1} = A - \tfrac{\eta}{N}\, A X^\top (I + \tfrac{\eta}{N} X X^\top)^{-1} X$$
#
# Keep the inputs as the factor $X$, of $N d$ numbers. The moment $M$ has $d^2$, fewer once $N > d$. Never build
# all $x_t x_t^\top$: that is $N d^2$.

# %%
N, d, out, eta_b = 6, 4, 3, 0.7
weights, X = torch.randn(out, d, generator=draw), 5 * torch.randn(N, d, generator=draw)
values = torch.randn(N, out, generator=draw)
G, M = -values.mT @ X / N, X.mT @ X / N

direct = torch.linalg.solve(M + torch.eye(d) / eta_b, values.mT @ X / N + weights / eta_b, left=False)
divided = (weights - eta_b * G) @ torch.linalg.inv(torch.eye(d) + eta_b * M)
A, small = weights - eta_b * G, torch.linalg.inv(torch.eye(N) + eta_b / N * X @ X.mT)
by_woodbury = A - eta_b / N * A @ X.mT @ small @ X
for name, form in {"divided": divided, "Woodbury": by_woodbury, "nlcore": delta_step(weights, G, X, eta_b)}.items():
    print(f"{name:9} off from the direct solve by {(form - direct).abs().max():.1e}")
    assert (form - direct).abs().max() < 1e-10
for tokens in (64, 256, 4096):
    print(f"d = 256, N = {tokens:4}: X {tokens * 256:9,}   M {256**2:7,}   all x x^T {tokens * 256**2:13,} numbers")

# %% [markdown]
# ## In any model
#
# An optimizer sees gradients, not inputs. `LayerInputs` brings them: a hook on every `nn.Linear` notes a row
# when its gradient comes back, so exactly the rows that made `.grad` are kept, for one step. Passes without
# gradient leave none; a checkpointed pass counts once.
#
# `DeltaGradientDescent` takes the exact step on the layers' weights, and plain gradient descent on everything
# else: biases, norms, embeddings.

# %%
from torch import nn
from nlcore.optim import DeltaGradientDescent, LayerInputs

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
before = [p.detach().clone() for p in model.parameters()]
with LayerInputs(model) as inputs:
    optimizer = DeltaGradientDescent(model.parameters(), inputs, lr=0.1)
    model(X).square().mean().backward()
    seen = {layer: inputs.of(model[layer].weight).x for layer in (0, 2)}
    optimizer.step()
assert torch.equal(seen[0], X) and inputs.of(model[0].weight) is None
assert not any(layer._forward_hooks for layer in model)

for layer, (w, b) in {0: before[:2], 2: before[2:]}.items():
    moment = seen[layer].mT @ seen[layer] / N
    w = (w - 0.1 * model[layer].weight.grad) @ torch.linalg.inv(torch.eye(len(moment)) + 0.1 * moment)
    assert torch.allclose(model[layer].weight, w, atol=1e-12)
    assert torch.allclose(model[layer].bias, b - 0.1 * model[layer].bias.grad, atol=1e-14)
print("both layers moved as the formula says; no hook and no input is left")

# %% [markdown]
# ## Does it help a network on correlated batches?
#
# A teacher network labels points of 16 dimensions with one of four classes. A student sees batches of 16, either
# independent, or consecutive points of a stream with correlation 0.98, so that a batch covers a small region and
# the next one moves on. Both are tested on fresh independent points.
#
# Which optimizer, at its best step size, suffers less from the stream?

# %%
import os

FAST = "NL_FAST" in os.environ
SEEDS, ROUNDS, RATES = (2, 20, (0.1,)) if FAST else (6, 200, (0.003, 0.03, 0.1, 0.3, 1.0))


def task(seed, rho, batch=16, d=16):
    """Batches (rounds, batch, d) and labels, then 1,000 independent test points and theirs."""
    draw = torch.Generator().manual_seed(seed)
    noise = torch.randn(ROUNDS * batch + 1000, d, generator=draw)
    stream = noise[: ROUNDS * batch].clone()
    for t in range(1, len(stream)):
        stream[t] = rho * stream[t - 1] + (1 - rho**2) ** 0.5 * noise[t]
    first, second = torch.randn(d, 24, generator=draw) / 4, torch.randn(24, 4, generator=draw)
    points = torch.cat([stream, noise[ROUNDS * batch :]])
    labels = (torch.tanh(2 * points @ first) @ second).argmax(-1)
    cut = ROUNDS * batch
    return points[:cut].view(ROUNDS, batch, d), labels[:cut].view(ROUNDS, batch), points[cut:], labels[cut:]


# %%
def train(scale, lr, data, seed):
    """Test accuracy after one pass; scale 0 is SGD, else Delta GD on `scale` times the loss, at lr / scale."""
    batches, labels, test, truth = data
    torch.manual_seed(seed)
    student = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 4))
    with LayerInputs(student) as inputs:
        params = student.parameters()
        delta = DeltaGradientDescent(params, inputs, lr / scale) if scale else None
        optimizer = delta or torch.optim.SGD(student.parameters(), lr)
        for batch, label in zip(batches, labels):
            optimizer.zero_grad()
            inputs.clear()
            ((scale or 1) * nn.functional.cross_entropy(student(batch), label)).backward()
            optimizer.step()
    with torch.no_grad():
        return (student(test).argmax(-1) == truth).double().mean().item()


SCALES = {"SGD": 0, "Delta GD": 1, "Delta GD, loss x 100": 100}
accuracy = {}
for rho in (0.0, 0.98):
    sets = [task(seed, rho) for seed in range(SEEDS)]
    for name, scale in SCALES.items():
        accuracy[rho, name] = torch.tensor([[train(scale, lr, sets[s], s) for s in range(SEEDS)] for lr in RATES])

# %%
T_95 = 2.571  # Student's t, 6 seeds
figure, row = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", sharey=True)
kinds = looks(tuple(SCALES))
for axes, (rho, title) in zip(row, {0.0: "Independent batches", 0.98: "Correlated batches (0.98)"}.items()):
    for name, look in kinds.items():
        runs = accuracy[rho, name]
        half = T_95 * runs.std(1) / SEEDS**0.5
        axes.errorbar(RATES, runs.mean(1), half, **look.line(), capsize=3, markersize=5, label=name)
        i = runs.mean(1).argmax()
        print(f"{title:27} {name:22} best lr {RATES[i]:4}: {runs[i].mean():.3f} +- {half[i]:.3f}")
    axes.set_xscale("log")
    axes.axhline(0.25, color="#7a7a7a", linewidth=0.8)
    tidy(axes, title, "step size of the loss, lr", "test accuracy (0.25 is chance)")
row[0].set_ylim(0, 0.9)
row[0].legend(frameon=False, fontsize=8, loc="lower right")
show(figure, alt="Test accuracy against step size for SGD, Delta GD and Delta GD on a loss times 100, on independent and "
     "on correlated batches. Delta GD is far below SGD in both; with the larger loss the two curves lie together.")

# %%
if not FAST:
    top = {key: runs[runs.mean(1).argmax()] for key, runs in accuracy.items()}
    for rho in (0.0, 0.98):
        gap = top[rho, "SGD"] - top[rho, "Delta GD"]
        half = T_95 * gap.std() / SEEDS**0.5
        print(f"correlation {rho}: SGD is ahead of Delta GD by {gap.mean():.3f} +- {half:.3f}")
        assert gap.mean() - half > 0
        gap = top[rho, "SGD"] - top[rho, "Delta GD, loss x 100"]
        print(f"   with the loss times 100 by {gap.mean():.3f} +- {T_95 * gap.std() / SEEDS**0.5:.3f}")
        assert gap.mean().abs() < 0.03

# %% [markdown]
# Delta GD loses, and loses more on the stream. The reason is the pull of *every* layer's outputs towards zero,
# with a strength that is compared with the loss's gradient. A cross-entropy's gradient is small, so the pull
# wins, layer after layer.
#
# Multiplying the loss by 100 and dividing the rate by 100 changes nothing for SGD, and everything for Delta GD:
# the pull becomes 100 times weaker, and it is SGD again, no better. **We found no setting here where it helps a
# network.** One small task is no proof; it is what we measured.

# %% [markdown]
# ## The general form
#
# Def. 5 takes any objective and any retention (eq. 59-60):
#
# $$W_{t+1} = \arg\min_W \; \tilde{\mathcal{L}}(W x_t;\, u_t) + \mathrm{Ret}(W,\, W_{t-c+1}, \ldots, W_t), \qquad u_t = f_{W_t}(x_t)$$
#
# The paper says no more. It prints $\tilde{\mathcal{L}}(x_t, u_t)$, without the $W$ that is sought. It fixes neither $f$, nor
# $\tilde{\mathcal{L}}$, nor $\mathrm{Ret}$, nor $c$, nor how to find the minimum. Ours: $f$ is the surprise of eq. 58,
# $u = -\nabla_y\mathcal{L}$; the rest are arguments.

# %%
from nlcore.memory import L2, DotProduct, Huber, Lp
from nlcore.optim import StayNear, StayNearAndSmall
from nlcore.optim.generalized_gradient_descent import write_values

for objective in (DotProduct(), L2(), Huber(0.5), Lp(1.5)):
    new = write_values(objective, x[None], u[None], W, eta, inner_steps=100)
    print(f"{str(objective):18} answers {(new @ x).item():.4f}")
    if isinstance(objective, DotProduct):
        assert torch.allclose(new, descended, atol=1e-12)
    if isinstance(objective, L2):
        assert torch.allclose(new, written, atol=1e-12)
    if isinstance(objective, Huber):
        assert abs((new @ x).item() - 3.5) < 1e-6

for retention in (StayNear(1), StayNear(4), StayNearAndSmall(1, decay=0.1)):
    centre, rate = retention.around(torch.ones(1), eta)
    print(f"{str(retention):42} centre {centre.item():.3f} times the mean of {retention.states}, rate {rate:.3f}")

# %% [markdown]
# The dot product gives gradient descent (6), L2 gives Delta GD (3). Huber's slope is cut off at 0.5, so the
# answer moves by at most $0.2 \cdot 0.5 \cdot 5 = 0.5$, to 3.5. At an error of exactly 1 all powers have slope 1, so
# Lp agrees with L2 here.
#
# When is a cut-off slope worth it? When some values are wrong.

# %%
from nlcore.viz.explorers.generalized_descent import generalized_descent

generalized_descent().predict("05-outliers")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Every tenth value is off by the outliers' size. Left: distance to the clean target, mean of 16 seeds. Right:
# what was written of each generated value, one seed; the lines are for an input of length 1 that the memory answers
# with 0.* Without outliers only the dot product gets below one
# quarter: all others ask for $W x = u$, and stop at half. With large ones it is the worst, and Huber hardly
# notices. Robust, and biased: one can want both, but should know the price.
#
# </details>

# %% [markdown]
# As an optimizer it is `GeneralizedGradientDescent`; here it descends on the network's task.

# %%
from nlcore.optim import GeneralizedGradientDescent

batches, labels, *_ = task(0, 0.0)
for objective in (DotProduct(), L2(), Huber(0.05), Lp(1.5)):
    for retention in (StayNear(1), StayNear(4), StayNearAndSmall(1, 0.01)):
        torch.manual_seed(0)
        student = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 4))
        losses = []
        with LayerInputs(student, surprises=True) as inputs:
            optimizer = GeneralizedGradientDescent(student.parameters(), inputs, 0.1, objective, retention, 4)
            for batch, label in zip(batches[:60], labels[:60]):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(student(batch), label)
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
        first, last = sum(losses[:5]) / 5, sum(losses[-5:]) / 5
        print(f"{str(objective):18} {str(retention):42} loss {first:.2f} -> {last:.2f}")
        assert FAST or last < first

# %% [markdown]
# Averaging over the last 4 states slows: the mean of them lags behind, so a step of the same size gets less far,
# by a factor of $2/(c + 1)$ along a steady slope, as the cell below counts. All twelve descend; the dot product
# descends most, as before.

# %%
for c in (1, 4):
    w = [0.0] * c
    for _ in range(200):
        w.append(sum(w[-c:]) / c - 0.1)  # a slope of 1, at rate 0.1
    print(f"c = {c}: {w[-2] - w[-1]:.4f} a step")
    assert abs((w[-2] - w[-1]) - 0.1 * 2 / (c + 1)) < 1e-9

# %% [markdown]
# ## Where are we in the nest?
#
# This chapter's rule goes into the fastest part:

# %%
from nlcore.viz.hope_map import hope_map

hope_map(5)

# %% [markdown]
# *New: a second third of `memory`, its rule.* In Hope, Delta GD writes it from tokens, several times a step, so that what
# it holds under a key is erased before the new value comes. By chapter 09 it will write the projections, too.

# %% [markdown]
# ## Summary
#
# 1. Delta GD makes a layer answer its own correction $u$: erase at $x$, then write, at rate $\eta/(1 + \eta\lVert x\rVert^2)$.
# 2. The exact step is stable at any step size; appendix C's rate, sign, weight and one square are wrong.
# 3. Erasing pulls outputs towards zero: with a squared error it settles at half of the target.
# 4. It helped where the target drifts fast and inputs are independent; not on correlated streams, nor in a network.
# 5. The general form leaves almost all open; Huber and Lp resist outliers, with the same bias.

# %% [markdown]
# ## Exercise 1: the rate (easy, 5 minutes)
#
# Write the rate $\eta'$ of the exact step for an input of any length.
#
# <details><summary>Hint</summary>
#
# `x @ x` is the squared length. At a length of 1 the answer must be $\eta/(1 + \eta)$.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return eta / (1 + eta * x @ x)`
#
# </details>

# %%
from nlcore.exercises.chapter_05 import check_rate


def rate(eta, x):
    """The rate eta' for one input x."""
    return None


print(check_rate(rate))

# %% [markdown]
# ## Exercise 2: one write (easy, 5 minutes)
#
# Write one step of Delta GD (eq. 57) with the corrected rate: erase what $W$ answers at $x$, then store $u$.
#
# <details><summary>Hint</summary>
#
# `torch.outer(W @ x, x)` is $W x x^\top$, what there is to erase. Both parts have the same rate.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return W + eta / (1 + eta * x @ x) * torch.outer(u - W @ x, x)`
#
# </details>

# %%
from nlcore.exercises.chapter_05 import check_step


def step(W, x, u, eta):
    """The new matrix after one exact write."""
    return W


print(check_step(step))

# %% [markdown]
# ## Exercise 3: what is left (middle, 10 minutes)
#
# With a squared error, $u = v - W x$. Which share of the distance to its fixed point, $W x = v/2$, does one exact
# write leave at an input of length `norm`? Keep the sign.
#
# <details><summary>Hint</summary>
#
# Put $u = v - W x$ into eq. 57, multiply by $x$, and see what happens to $W x - v/2$.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return (1 - eta * norm**2) / (1 + eta * norm**2)`
#
# </details>

# %%
from nlcore.exercises.chapter_05 import check_left


def left(eta, norm):
    """The eigenvalue of the transition on x."""
    return None


print(check_left(left))

# %% [markdown]
# ## Exercise 4: three suspects (middle, 10 minutes)
#
# Each of three writes `step(W, x, u, eta)` has one error: `"sign"` (u became the gradient), `"weight"` ($\eta$ where
# $1/\eta$ belongs) or `"rate"` (the printed one). Find out by experiment which has which.
#
# <details><summary>Hint</summary>
#
# Try a large $\eta$ against a small one; an input of length 1 against a long one; and look at which side of 0 the
# answer ends for $W = 0$.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `{"A": "weight", "B": "rate", "C": "sign"}`
#
# </details>

# %%
from nlcore.exercises.chapter_05 import SUSPECTS, check_suspects

for name, suspect in SUSPECTS.items():
    print(name, "answers", (suspect(torch.zeros(1, 2), x, u, 0.2) @ x).item())
named = {"A": "", "B": "", "C": ""}
print(check_suspects(named))

# %% [markdown]
# ## Exercise 5: a slope that is cut off (middle, 5 minutes)
#
# Write the gradient of the Huber loss at the answer: that of L2 up to an error of `delta`, straight beyond.
#
# <details><summary>Hint</summary>
#
# The loss is continuous, and so is its slope: at an error of `delta` it is `delta`, and it stays there.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return (answer - value).clamp(-delta, delta)`
#
# </details>

# %%
from nlcore.exercises.chapter_05 import check_huber


def huber_gradient(answer, value, delta):
    """The gradient at the answer, entry by entry."""
    return None


print(check_huber(huber_gradient))
