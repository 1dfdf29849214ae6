# %% [markdown]
# # 07 · Levels, frequencies, knowledge transfer
#
# **After this notebook** you can sort the parts of any training run into levels; name the five ways in which one level
# hands its knowledge to another, and what each costs; turn an MLP into a memory by one number; and read the X-ray of a
# model, your own among them.
#
# **You need** chapters 00 and 03, and of 06 the first three sections and *What if nothing is compressed?* **Time:** 55
# minutes, exercises apart; all cells together take about half a minute on a laptop.

# %% [markdown]
# The chapter follows sections 3.2, 3.3 and 6 of *Nested Learning: The Illusion of Deep Learning Architectures*
# (Behrouz, Razaviyayn, Zhong, Mirrokni, 2025; long version, [arXiv 2512.24695](https://arxiv.org/abs/2512.24695)).

# %% [markdown]
# ## Which part is the fastest?
#
# Six chapters have said that one thing is fast and another slow, that [momentum](glossary.md#momentum) lies inside the
# weights' [level](glossary.md#level), that a [memory](glossary.md#memory) lives inside a forward pass. Each time it was
# plausible, and never was it measured. Now that a whole model is to be taken apart, "inside" has to mean something that
# two people would find independently of each other. The paper's proposal is simple: **count how often a part changes.**
# And where two parts change equally often, ask which of them has to be computed first.

# %% [markdown]
# Below are four parts of a training run: a memory that is written while a text is read, the momentum, the weights, and
# a running average of the weights, which many people keep because it is steadier. A mark is an update. You set how
# often each is updated, and who needs whom.

# %%
from nlcore.viz.explorers.order_of_levels import order_of_levels

order_of_levels().predict("07-levels")

# %% [markdown]
# *Nobody needs anybody: two levels.* As long as that is so, [frequency](glossary.md#frequency) decides alone, and
# momentum, weights and average share a level. Let the weights need the momentum, and they part, although not one mark
# on the left has moved. Let the momentum wait for 64 tokens, and the need no longer counts: the weights are now updated
# more often, and frequency is asked first. (A grey cross marks the level by frequency alone.)

# %% [markdown]
# | letter | here | elsewhere in the paper |
# |---|---|---|
# | $A, B$ | parts of a system, the paper's [components](glossary.md#component) | |
# | $f_A$ | how often $A$ is updated per data point | in 71 an optimizer's error |
# | $\Theta^{(0)}, \Theta^{(1)}$ | the slower and the faster of two blocks (3.3) | $(k)$ is a level's number |
# | $\Phi$ | a [start](glossary.md#start) that is learnt | in 19 and 20 the parameters that are sought |
# | $\mathcal{C}$ | what a part learns from, its [context](glossary.md#context-flow) | $C$ is a chunk's length |

# %% [markdown]
# ## What does Def. 2 count?
#
# On the island of chapter 06, a thermometer is read four times a day. A memory $M$ starts at 0 every morning, and each
# reading draws it half of the way to itself. At night one weight $w$ learns to predict the coming noon's temperature as
# $w M$, by gradient descent with momentum $m$; and $a$ is the running average of $w$.
#
# **Definition 2** says: the frequency $f_A$ of a part is its number of updates per unit of time, where the unit is one
# data point. Here a data point is a reading. The cell runs three days and counts.

# %%
from collections import Counter
from fractions import Fraction

days = [((0, 8, 4, 2), 6), ((4, 4, 8, 4), 5), ((2, 6, 6, 4), 6)]  # readings, and the noon that follows
w, m, a, count = 1.0, 0.0, 1.0, Counter()
for readings, noon in days:
    M = 0.0
    for x in readings:
        M = M + (x - M) / 2
        count.update(["reading", "memory"])
    m = m / 2 + (w * M - noon) * M  # the gradient of (w M - noon)^2 / 2
    w = w - 0.05 * m
    a = (a + w) / 2
    count.update(["momentum", "weights", "average"])
    print(f"at night: M {M:.2f}, m {m:.2f}, w {w:.4f}, a {a:.4f}")
frequency = {part: Fraction(count[part], count["reading"]) for part in ("memory", "momentum", "weights", "average")}
print("updates per reading:", {part: str(f) for part, f in frequency.items()})

# %% [markdown]
# Check the first day by hand. The memory goes $0, 4, 4, 3$; the prediction is $1 \cdot 3$ where 6 is right, so the
# gradient is $(3 - 6) \cdot 3 = -9$; the momentum takes it over, the weight becomes $1 + 0.05 \cdot 9 = 1.45$, and the
# average lies in the middle, at $1.225$. Four updates of the memory for one of the others: to count them, nobody had to
# know what a part is *for*.

# %% [markdown]
# Two frequencies lie at the ends. What nothing updates has 0, such as the weights of a model that is only used.
# [Attention](glossary.md#attention) has infinity, since it solves its problem anew at every read (chapter 06).

# %% [markdown]
# ## Who comes first at one instant?
#
# Three of the four parts have the frequency $\tfrac14$. Are they one level? The definition goes on. $A$ is **faster**
# than $B$, written $A \succ B$,
#
# $$\text{if } f_A > f_B, \quad \text{or if } f_A = f_B \text{ and }
#   B\text{'s state at time } t \text{ needs } A\text{'s state at time } t$$

# %% [markdown]
# The same $t$ twice: that is the point. The weight of tonight needs the momentum of tonight. The momentum of tonight
# needs a weight too, for its gradient, but that is the weight of the night *before*. Without this care each of the two
# would come before the other.

# %% [markdown]
# Does $B$ need $A$? That can be tested without reading any code: nudge $A$ as soon as it is updated, and look who else
# is different that night.

# %%
def night(m, w, a, M, noon, nudged=""):
    """The three parts after one night; the part `nudged` is off by 0.001 as soon as it is updated."""
    m = m / 2 + (w * M - noon) * M + 0.001 * (nudged == "momentum")
    w = w - 0.05 * m + 0.001 * (nudged == "weights")
    a = (a + w) / 2 + 0.001 * (nudged == "average")
    return {"momentum": m, "weights": w, "average": a}


plain, needs = night(0.0, 1.0, 1.0, 3.0, 6.0), []
for part in plain:
    other = night(0.0, 1.0, 1.0, 3.0, 6.0, nudged=part)
    moved = [name for name in other if name != part and other[name] != plain[name]]
    needs += [(name, part) for name in moved]
    print(f"nudge the {part}, and what moves is: {', '.join(moved) or 'nothing else'}")

# %% [markdown]
# Frequencies were counted and needs were found, so nothing is left to opinion. `order` sorts by both, and `diagram`
# draws what it finds; the scale on its left says how often a part is updated per reading.

# %%
from nlcore.levels import Component, NestedSystem, order
from nlcore.viz.nested import diagram
from nlcore.viz.show import show

context = {"memory": "readings", "momentum": "gradients", "weights": "days", "average": "weights"}
parts = [Component(part, f, context=context[part]) for part, f in frequency.items()]
for number, level in zip((4, 3, 2, 1), order(parts, needs)):
    print(f"level {number}: {', '.join(part.name for part in level)}")
assert [len(level) for level in order(parts)] == [1, 3] and [len(level) for level in order(parts, needs)] == [1] * 4
show(diagram(NestedSystem(tuple(parts), tuple(needs)), unit="reading"),
     alt="Four boxes in two bands. In the upper band, at one update per reading, the memory. In the lower, at a "
     "quarter, from top to bottom: momentum, weights, average.")

# %% [markdown]
# *Four parts, two frequencies, four levels.* A band is a frequency; within it, who is needed stands above. (Momentum has
# the colour of its weights, here and on every map, though a level of its own.) Level 1 is the slowest, and here lies a
# trap for the ear: the paper calls it the *highest*. We say slow and fast.
#
# So momentum is a level of its own, inside that of the weights, though both keep one clock. That is the exact meaning
# of a sentence of chapter 03: momentum is the inner memory, and the weights are the outer level.

# %% [markdown]
# ## Does the order matter?
#
# A definition can be tidy and idle. Here is the [control](glossary.md#control) that could kill this one. If parts of
# one frequency were one level, then it would not matter in which order a program computes them: the paper says of equal
# parts that "their computation is independent of each other". Take [AdamW](glossary.md#adam). It has two moments, the
# momentum and the squares, which are a running mean of squared gradients; with its weights and their running average
# these are four parts, all updated at every step. A program can compute them in 24 orders.

# %%
from nlcore.viz.predictions import predict

predict("07-orders")

# %%
import itertools
import torch

draw = torch.Generator().manual_seed(0)
data = torch.randn(20, 2, 4, generator=draw, dtype=torch.float64)  # 20 steps of inputs and targets


def adamw(sequence):
    """Weights and average after 20 steps, the parts computed in this sequence at each step."""
    new = {
        "momentum": lambda s, g, t: 0.9 * s["momentum"] + 0.1 * g,
        "squares": lambda s, g, t: 0.99 * s["squares"] + 0.01 * g * g,
        "weights": lambda s, g, t: 0.999 * s["weights"] - 0.1 * s["momentum"] / (1 - 0.9**t)
        / ((s["squares"] / (1 - 0.99**t)).sqrt() + 1e-8),
        "average": lambda s, g, t: 0.9 * s["average"] + 0.1 * s["weights"],
    }
    zero, one = torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    state = {"momentum": zero, "squares": zero, "weights": one, "average": one}
    for t, (x, y) in enumerate(data, 1):
        gradient = (state["weights"] * x - y) * x
        for part in sequence:
            state[part] = new[part](state, gradient, t)
    return torch.cat([state["weights"], state["average"]])


# %%
weights = torch.nn.Parameter(torch.ones(4, dtype=torch.float64))
optimizer = torch.optim.AdamW([weights], lr=0.1, betas=(0.9, 0.99), weight_decay=0.01)
average = weights.detach().clone()
for x, y in data:
    optimizer.zero_grad()
    ((weights * x - y).square().sum() / 2).backward()
    optimizer.step()
    average = 0.9 * average + 0.1 * weights.detach()
truth = torch.cat([weights.detach(), average])

adamw_parts = [Component(part, 1) for part in ("momentum", "squares", "weights", "average")]
adamw_needs = [("weights", "momentum"), ("weights", "squares"), ("average", "weights")]
print("levels:", [[part.name for part in level] for level in order(adamw_parts, adamw_needs)])
off = {s: (adamw(s) - truth).abs().max().item() for s in itertools.permutations(p.name for p in adamw_parts)}
kept = {s: all(s.index(needed) < s.index(part) for part, needed in adamw_needs) for s in off}
assert all((off[s] < 1e-12) == kept[s] for s in off) and sum(kept.values()) == 2
print(*(f"{', '.join(s)}: off by {off[s]:.0e}" for s in off if kept[s]), sep="\n")

# %%
import matplotlib.pyplot as plt
from nlcore.viz.theme import looks, tidy

late = lambda first, then: lambda s: s.index(first) < s.index(then)
early = {"nothing": lambda s: kept[s], "the average, before the weights": late("average", "weights"),
         "the weights, before the squares": late("weights", "squares"),
         "the weights, before the momentum only": late("weights", "momentum")}
figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
rest = sorted(off, key=off.get)
for (name, look), test in zip(looks(tuple(early)).items(), early.values()):
    here = [s for s in rest if test(s)]
    rest = [s for s in rest if s not in here]
    places = range(24 - len(here) - len(rest), 24 - len(rest))
    axes.plot(places, [off[s] for s in here], look.marker, color=look.colour, label=f"{name}: in {len(here)}")
axes.set(yscale="log", ylim=(1e-17, 1e10), xticks=[])
tidy(axes, "AdamW and an average in 24 orders", "the 24 orders, sorted by fault", "largest error after 20 steps")
axes.legend(frameon=False, fontsize=8, loc="lower right", title="what is computed too early", title_fontsize=8)
show(figure, alt="Twenty-four dots. Two lie at 1e-15; all others lie far above, most of them between 0.04 and 0.15, "
     "and four, in which the weights come before the squares but after the momentum, above ten million.")

# %% [markdown]
# *Two orders of 24 are AdamW.* They are the two that Def. 2 allows: both moments first, in either order, because they
# share a level and do not know of each other; then the weights; then the average. Frequency alone would have allowed
# all 24, and 22 of them compute something else. The four dots above ten million come from dividing by squares that are
# still zero. So the tie-break is no ornament, and **a level is that inside which order does not matter**.

# %% [markdown]
# ## Two gaps in the definition
#
# Does every system have *one* order, then? The long version says that where neither $A \succ B$ nor $B \succ A$, "we
# let $A = B$". Suppose a counter $c$ is updated as often as momentum and weights, and has to do with neither. Then $c$
# equals the momentum and $c$ equals the weights, yet momentum and weights are not equal: this "equal" is no
# equivalence. One sorting still follows, if each part stands in the fastest level that its own needs allow. That is a
# choice, and ours.

# %%
trio = {name: Component(name, 1) for name in ("m", "w", "c")}


def faster(A, B, needs=(("w", "m"),)):
    return A.frequency > B.frequency or (A.frequency == B.frequency and (B.name, A.name) in needs)


def equal(A, B):
    return not faster(A, B) and not faster(B, A)


m_, w_, c_ = trio.values()
assert equal(c_, m_) and equal(c_, w_) and faster(m_, w_)
print("our choice:", [[part.name for part in level] for level in order(trio.values(), [("w", "m")])])

# %% [markdown]
# The second gap is stranger. Momentum can be kept in two ways: as a fading sum of gradients that the step is made of,
# or as the last step itself, which is how Polyak wrote his heavy ball. The weights run through the same numbers. But in
# the second way the step is known only when the new weights are, so the need points the other way.

# %%
def sum_of_gradients(m, w, g, nudge=(0.0, 0.0)):
    m = 0.9 * m - 0.1 * g + nudge[0]
    return m, w + m + nudge[1]


def last_step(m, w, g, nudge=(0.0, 0.0)):
    new = w - 0.1 * g + 0.9 * m + nudge[1]
    return new - w + nudge[0], new


paths = {}
for keep in (sum_of_gradients, last_step):
    m, w, path = 0.0, 1.0, []
    for t in range(30):
        m, w = keep(m, w, w - 0.5)
        path.append(w)
    needs_m = keep(0.1, 1.0, 0.5, nudge=(1.0, 0.0))[1] != keep(0.1, 1.0, 0.5)[1]
    print(f"{keep.__name__:17} after 30 steps w = {w:.12f}; the weights need the momentum: {needs_m}")
    paths[keep] = torch.tensor(path)
assert torch.allclose(*paths.values(), atol=1e-12)

# %% [markdown]
# One trajectory, two orders. So the levels are a property of a *computation*, not of the function that it computes, and
# the paper's hope to "uniquely represent the model" holds once the program is fixed. For us that is no loss, since the
# [X-ray](glossary.md#x-ray) below reads programs. But it is worth remembering when somebody counts levels from a
# formula.

# %% [markdown]
# ## How does one level tell another what it knows?
#
# Levels that know nothing of each other would be of no use. Section 3.3 names five ways of
# [knowledge transfer](glossary.md#knowledge-transfer), and you have met every one of them under another name. Call the
# slower block $\Theta^{(0)}$ and the faster one $\Theta^{(1)}$. The third column has the names that code and pictures
# give to the ways.
#
# | | the way | its name | you met it as |
# |---|---|---|---|
# | 1 | one reads the other's state, as it is (24-26) | [parametric](glossary.md#parametric) | linear attention's matrix, when it answers |
# | 2 | one reads an answer solved from the other's context (27) | [non-parametric](glossary.md#non-parametric) | softmax attention |
# | 3 | both are updated by one flow of gradient | [backpropagation](glossary.md#transfer-by-backpropagation) | the layers of any network |
# | 4 | one learns the state from which the other starts (28) | [initialisation](glossary.md#transfer-by-initialisation) | a learnt $\mathcal{M}_0$ |
# | 5 | one makes the other's weights, or what it learns from | [generation](glossary.md#transfer-by-generation) | gradients, for momentum |

# %% [markdown]
# Here is each of them alive, with numbers that fit on paper.

# %% [markdown]
# **1. A state, read as it is.** The slow weight makes a query, $q = W_q x$, and the fast memory answers $y = M q$ (26).
# For the slow weight, what $M$ holds is simply given: no gradient goes into the writes. Say that one write of the
# [delta rule](glossary.md#delta-rule), at [rate](glossary.md#rate) $\tfrac12$, has stored the value 1 under the
# [key](glossary.md#key) 1, so that $M = \tfrac12$. With $W_q = 3$ and $x = 2$ the answer is 3. If 5 is right, the slow
# weight's gradient is $(3 - 5) \cdot M \cdot x = -2$.

# %%
W_q, x = torch.tensor(3.0, requires_grad=True), 2.0
with torch.no_grad():  # the fast level learns by its own rule
    M = torch.tensor(0.0)
    M = M + 0.5 * (1.0 - M * 1.0)
y = M * (W_q * x)
((y - 5) ** 2 / 2).backward()
print(f"M {M:g}, answer {y.item():g}, gradient of W_q {W_q.grad.item():g}")
assert (y.item(), W_q.grad.item()) == (3.0, -2.0)

# %% [markdown]
# **2. An answer, solved from a context.** Here the fast block has no state, only a context: two pairs, with the keys
# $0$ and $\ln 3$ and the values 4 and 8. The query $q = W_q x = \tfrac12 \cdot 2 = 1$ weighs them $e^0 : e^{\ln 3}$,
# one to three, so the answer is $\tfrac14 \cdot 4 + \tfrac34 \cdot 8 = 7$ (27). Take a pair out, and the answer is
# another at once, although nothing was updated: that is the frequency infinity.

# %% [markdown]
# If 6 is right, what does $W_q$ learn? A small change of the query moves the answer by the sum, over the pairs, of
# weight times key times how far the value lies above the answer. The first key is 0, so the second pair alone counts,
# and the gradient is $(7 - 6) \cdot \tfrac34 \cdot \ln 3 \cdot (8 - 7) \cdot x = 1.65$.

# %%
W_q, x = torch.tensor(0.5, requires_grad=True), 2.0
keys, values = torch.tensor([1.0, 3.0]).log(), torch.tensor([4.0, 8.0])
attend = lambda q, k, v: torch.softmax(q * k, 0) @ v
y = attend(W_q * x, keys, values)
((y - 6) ** 2 / 2).backward()
print(f"answer {y.item():.3f}, without the second pair {attend(1.0, keys[:1], values[:1]).item():.3f}")
print(f"gradient of W_q {W_q.grad.item():.3f}")
assert abs(y.item() - 7) < 1e-6 and abs(W_q.grad.item() - 1.5 * keys[1].item()) < 1e-6

# %% [markdown]
# **3. One flow of gradient.** Two layers, $\hat x = \phi(\Theta^{(0)} x)$ and $y = \Theta^{(1)} \hat x$; let
# $\phi(z) = z^2$. With $x = 1$, $\Theta^{(0)} = 2$, $\Theta^{(1)} = 3$ the answer is $3 \cdot 2^2 = 12$. If 10 is
# right, the error is $\delta^{(1)} = 12 - 10 = 2$, and the fast layer's gradient is $\delta^{(1)} \hat x = 8$. What
# goes on to the slow layer is
#
# $$\delta^{(0)} = \phi'(2) \cdot \Theta^{(1)} \cdot \delta^{(1)} = 4 \cdot 3 \cdot 2 = 24$$

# %% [markdown]
# Neither block takes the other as given any more. The frequencies may still differ: the fast layer steps at once, while
# the slow one gathers its gradients and steps once in two. That is how chapter 08's chain learns.

# %%
slow, fast = (torch.tensor(number, requires_grad=True) for number in (2.0, 3.0))
for turn in (1, 2):
    (((fast * (slow * 1.0) ** 2) - 10) ** 2 / 2).backward()
    print(f"step {turn}: gradient of fast {fast.grad.item():g}, gathered by slow {slow.grad.item():.4g}")
    with torch.no_grad():
        fast -= 0.01 * fast.grad
        fast.grad = None
        if turn % 2 == 0:
            slow -= 0.001 * slow.grad
            slow.grad = None

# %% [markdown]
# **Erratum, section 3.3, the backward pass.** The long version prints, between the two updates and eq. 28,
#
# $$\delta^{(0)}_{t+1} = J_{\phi^{(0)}}(x_{t+1})^\top\; \Theta^{(1)}_{t+1}\, \delta^{(1)}_{t+1}$$
#
# where $\phi^{(0)}$ is the first layer's non-linearity, and $J$ its Jacobian, the matrix of its slopes.

# %% [markdown]
# Two things cannot stay. $\Theta^{(1)}$ has to be transposed: it leads from $\hat x$ to $y$, and the error goes back.
# (The updates beside it, $\delta\, \hat x^\top$, are by columns, so that it cannot be meant by rows.)
# And it has to be $\Theta^{(1)}_t$, the weights with which the answer was made; $\Theta^{(1)}_{t+1}$ is what the update
# in the line above has just produced. (Where $\hat x_{t+1} = \phi(\mathcal{M}^{(0)}(x_t))$ is printed, an index is one
# too low as well.)
#
# With the numbers above and a rate of 0.1, $\Theta^{(1)}_{t+1} = 3 - 0.1 \cdot 8 = 2.2$, so the printed form gives 17.6
# where the gradient is 24.

# %%
draw = torch.Generator().manual_seed(0)
theta_0, theta_1 = (torch.randn(*size, generator=draw, dtype=torch.float64) / 2 for size in ((3, 2), (4, 3)))
x, target = torch.randn(2, generator=draw, dtype=torch.float64), torch.randn(4, generator=draw, dtype=torch.float64)
z = (theta_0 @ x).requires_grad_()
delta_1 = theta_1 @ z**2 - target
(truth_0,) = torch.autograd.grad((theta_1 @ z**2 - target).square().sum() / 2, z)
after = theta_1 - 0.1 * torch.outer(delta_1.detach(), (z**2).detach())
with_old, with_new = (2 * z * (theta.T @ delta_1) for theta in (theta_1, after))
for name, found in {"before": with_old, "after": with_new}.items():
    print(f"transposed, with the weights {name} their update: off by {(found - truth_0).abs().max():.2g}")
try:
    theta_1 @ delta_1
except RuntimeError:
    print("not transposed: a (4, 3) matrix cannot take an error of 4 numbers")
assert torch.allclose(with_old, truth_0, atol=1e-12) and not torch.allclose(with_new, truth_0, atol=1e-2)

# %% [markdown]
# **4. A start that is learnt.** The fast block begins each context at $\Phi$ and adapts by its own steps; the slow
# block chooses $\Phi$ so that the result is good on average over contexts (28). MAML is the well-known case.
#
# Two contexts: the first pulls a number $p$ towards 2, by the loss $\tfrac12 (p - 2)^2$, the second towards 6 and twice
# as strongly, by $\tfrac12 \cdot 2\,(p - 6)^2$. Each time the number may take one step at rate $\tfrac12$ before it is
# judged. Where should it start?

# %%
predict("07-start")

# %%
pull, goal = torch.tensor([1.0, 2.0]), torch.tensor([2.0, 6.0])  # of the two contexts
start = torch.tensor(4.0, requires_grad=True)
optimizer = torch.optim.SGD([start], lr=1.0)
for _ in range(100):
    optimizer.zero_grad()
    adapted = start - 0.5 * pull * (start - goal)  # the inner step, once in each context
    (pull * (adapted - goal) ** 2 / 2).mean().backward()  # judged after it, and back through it
    optimizer.step()
adapted = start - 0.5 * pull * (start - goal)
print(f"start {start.item():.4f}; after the inner step {', '.join(f'{theta:.3f}' for theta in adapted.tolist())}")
print(f"without an inner step one would take {(pull @ goal / pull.sum()).item():.3f}")
assert abs(start.item() - 2) < 1e-4

# %% [markdown]
# By hand: one step leaves $1 - \tfrac12 \cdot 1 = \tfrac12$ of the distance in the first context, and
# $1 - \tfrac12 \cdot 2 = 0$ in the second. The second arrives at 6 from anywhere. It needs no help, and so the start
# belongs to the first alone: 2, which is not a compromise at all. **A learnt start holds what the fast level cannot
# find out by itself in its few steps.** It is a good question to ask of any [pre-trained](glossary.md#pre-training)
# model: what could its context not have told it in time?

# %% [markdown]
# **5. Weights that are made, or a context that is made.** A slow matrix $G$ may generate the fast block's weight from a
# code $z$, which stands for the context: $\Theta^{(1)} = G z$. With $G = 3$ and $z = 2$ the weight is 6, and for
# $x = \tfrac12$ the answer is $3$. If 5 is right, the gradient of $G$ is $(3 - 5) \cdot x \cdot z = -2$. Such a network
# is called a hypernetwork.

# %% [markdown]
# Or one block makes what the other learns *from*. An optimizer's context is gradients, and it is the model that makes
# them: with another memory $M$ in front of it, the momentum of our island would have learnt another number.

# %%
G, z, x = torch.tensor(3.0, requires_grad=True), 2.0, 0.5
theta = G * z  # generated, and never updated itself
((theta * x - 5) ** 2 / 2).backward()
print(f"generated weight {theta.item():g}, answer {theta.item() * x:g}, gradient of G {G.grad.item():g}")
for M in (3.0, 1.0):
    print(f"if the memory holds {M:g}, the first night's momentum learns {(1.0 * M - 6) * M:g}")
assert G.grad.item() == -2.0

# %% [markdown]
# (The print also lists hypernetworks where "one higher-frequency block generates the weights for the other
# lower-frequency block". Usually the slower block makes the weights of the faster, as here, and the two formulas above
# that line allow both.)
#
# The five do not exclude each other. [Linear attention](glossary.md#linear-attention) with a learnt start uses three at
# once: its [projections](glossary.md#projection) make the memory's keys and values (5), its start is learnt (4), and
# its state is read (1). That combination deserves a section, because with it an MLP turns into a memory.

# %% [markdown]
# ## What is an MLP with one more level?
#
# Take a Transformer's block, with the MLP a single matrix for simplicity, as the paper does: attention, then
# $y = W\, y_{\text{attn}}$. Now let the same matrix also *learn while it reads*. It starts each text as $W$ and is
# written at each token under the block's own keys and values (21, with the rate put in):
#
# $$\mathcal{M}_0 = W \qquad \mathcal{M}_t = \mathcal{M}_{t-1} + \eta\, v_t k_t^\top \qquad
#   y_t = \mathcal{M}_t\, y_{\text{attn},t}$$
#
# This is linear attention with a learnt start; the paper calls the model AdaTransformer. Nothing was added but a level,
# and $\eta$ is its switch.

# %%
import torch.nn.functional as F


def block(x, W_k, W_v, W_q, W, eta):
    """Causal attention, then a matrix that starts as W and is written at every token; rows are tokens."""
    k, v, q = x @ W_k.T, x @ W_v.T, x @ W_q.T
    attended = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0]
    return attended @ W.T + eta * (attended @ k.T).tril() @ v  # all writes at once, as in chapter 06


draw = torch.Generator().manual_seed(0)
x, *matrices = (torch.randn(n, 8, generator=draw, dtype=torch.float64) / 3 for n in (12, 8, 8, 8, 8))
embedding = torch.randn(50, 8, generator=draw, dtype=torch.float64)
k, v, q = (x @ matrix.T for matrix in matrices[:3])
attended = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0]
mlp_logits = attended @ matrices[3].T @ embedding.T
assert torch.equal(block(x, *matrices, eta=0.0) @ embedding.T, mlp_logits)
M = matrices[3]
for t in range(12):  # the loop that the product stands for
    M = M + 0.7 * torch.outer(v[t], k[t])
    assert torch.allclose(M @ attended[t], block(x, *matrices, eta=0.7)[t], atol=1e-12)
print("eta 0: the logits are those of the MLP, bit by bit; eta 0.7: those of the loop")

# %% [markdown]
# **Erratum, eq. 69.** The long version prints the block by rows, $k_t = x_t W_k$, and then
#
# $$y_{\text{block},t} = y_{\text{attn},t}\, W_{\text{LinAttn},t} \quad \text{where} \quad
#   W_{\text{LinAttn},t} = W_{\text{LinAttn},t-1} + v_t k_t^\top$$

# %% [markdown]
# (21 has the same update.) With rows, $v_t k_t^\top$ is a single number. With columns it is the memory's matrix, but
# then $y\, W$ enters it from the wrong side: it compares the question with *values*, and answers with keys. So it
# should be $k_t^\top v_t$, or be read as above.
#
# The text adds that "both models have two levels". By Def. 2 they have two and three: attention solves anew at each
# read, the new memory changes at each token, and the weights at each step.

# %%
key, value = torch.tensor([1.0, 0.0]), torch.tensor([0.6, 0.8])
row_k, row_v = key[None], value[None]
print("rows, as printed, v k^T:", row_v @ row_k.T, "  rows, mended, asked for the key:", row_k @ (row_k.T @ row_v))
print("columns, as printed, asked for the key:", key @ torch.outer(value, key))
one = {"attention": float("inf"), "memory": 1, "weights": Fraction(1, 256)}
for name, there in {"Transformer": ("attention", "weights"), "AdaTransformer": tuple(one)}.items():
    print(f"{name}: {len(order(Component(part, one[part]) for part in there))} levels")
assert torch.equal((row_k @ row_k.T @ row_v)[0], value)

# %% [markdown]
# When does the new level pay? Let each text have a rule of its own, a matrix $R + s D$, where $R$ is common to all
# texts and $D$ differs from text to text. A text tells its rule by four pairs, $v = (R + sD)\,k$, and asks for a fifth.
# The MLP can know $R$ at best. A write brings news of $D$; but the plain sum (21) also stores again what the start
# already knew, whereas the delta rule writes only what is wrong.

# %% [markdown]
# The answer is linear in the start, so the best start is a least-squares problem, and no training can spoil the
# comparison.

# %%
def ask(differ, seed, count=2000, d=8, pairs=4):
    """Texts, each with a rule of its own: keys and values (count, pairs, d), questions and answers (count, d)."""
    draw = torch.Generator().manual_seed(seed)
    common = torch.randn(d, d, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    common = common * d**0.5 / common.norm()  # what it says of a question has length 1, on average
    rule = common + differ * torch.randn(count, d, d, generator=draw, dtype=torch.float64) / d**0.5
    k = F.normalize(torch.randn(count, pairs + 1, d, generator=draw, dtype=torch.float64), dim=-1)
    v = k @ rule.mT
    return k[:, :-1], v[:, :-1], k[:, -1], v[:, -1]


def told(k, v, q, eta, asks_first):
    """What the writes answer, and what they leave of the question for the start to answer: (count, d) each."""
    left = torch.eye(q.shape[1], dtype=q.dtype).expand(len(q), -1, -1)
    M = torch.zeros_like(left)
    for key, value in zip(k.transpose(0, 1)[..., None], v.transpose(0, 1)[..., None]):  # columns
        M = M + eta * (value - asks_first * M @ key) @ key.mT
        left = left - eta * asks_first * left @ key @ key.mT
    return (M @ q[..., None])[..., 0], (left @ q[..., None])[..., 0]


# %%
ETAS, RULES = torch.linspace(0, 1.2, 25).tolist(), {"sum": 0, "delta": 1}
errors, kept_share = {}, {}
for differ, (name, asks_first) in itertools.product((0.0, 1.0), RULES.items()):
    seen, new = ask(differ, seed=0), ask(differ, seed=1)
    mlp = torch.linalg.lstsq(seen[2], seen[3]).solution
    for eta in ETAS:
        answer, left = told(*seen[:3], eta, asks_first)
        best = torch.linalg.lstsq(left, seen[3] - answer).solution
        kept_share[differ, name] = ((best * mlp).sum() / mlp.square().sum()).item()
        answer, left = told(*new[:3], eta, asks_first)
        for whose, start in {"its own start": best, "the MLP as start": mlp}.items():
            error = (answer + left @ start - new[3]).square().sum(-1).mean().item()
            errors.setdefault((differ, name, whose), []).append(round(error, 6))
for (differ, name, whose), row in errors.items():
    low = min(row)
    print(f"s {differ:g}, {name:5}, {whose:16}: eta 0 {row[0]:.3f}, best {low:.3f} at eta {ETAS[row.index(low)]:.2f}")
print("at eta 1.2 the best start keeps of the MLP:", {name: round(kept_share[1.0, name], 2) for name in RULES})
assert min(errors[0.0, "sum", "its own start"]) == errors[0.0, "sum", "its own start"][0]

# %%
figure, panels = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
ways = {("sum", "the MLP as start"): 0, ("sum", "its own start"): 1, ("delta", "its own start"): 2}
styles = list(looks(("a", "b", "c")).values())
for axes, differ in zip(panels, (1.0, 0.0)):
    for way, n in ways.items():
        axes.plot(ETAS, errors[differ, *way], **styles[n].line() | {"marker": None}, label=", ".join(way))
    axes.axhline(errors[differ, "sum", "its own start"][0], color="#6b6b6b", linewidth=1)
    title = "Texts differ (s = 1)" if differ else "All texts follow one rule (s = 0)"
    tidy(axes, title, "rate of the writes, η", "squared error")
panels[0].set_ylim(0, 2)
panels[0].legend(frameon=False, fontsize=8)
panels[0].annotate("MLP", (0.02, 1.03), color="#6b6b6b", fontsize=8)
show(figure, alt="Left, texts that differ: from the MLP's error of 1 at rate 0 all three curves fall; the sum is "
     "best near 0.4, lower with a start of its own than with the MLP's, and the delta rule falls further, to 0.6 "
     "near 1. Right, texts that do not differ: the sum rises from 0 at once, and the delta rule stays at 0.")

# %% [markdown]
# *From an MLP, at rate 0, to a memory.* Where texts differ, the new level takes off a fifth of the error with the sum,
# and two fifths with the delta rule. And the control: where all texts follow one rule there is nothing to learn in
# context, and with the sum every rate above 0 does harm. The delta rule finds nothing wrong there, and so writes
# nothing.

# %% [markdown]
# By hand, for the sum: over four random keys in eight dimensions, $\sum k k^\top$ is $\tfrac48 = \tfrac12$ of the
# identity, on average. The best start is then $(1 - \tfrac12 \eta) R$, 0.4 of $R$ at the rate 1.2: it *shrinks*, to
# make room for what will be told. The delta rule needs no such tact: its best start is $R$ at any rate.

# %% [markdown]
# The square of that sum is $\tfrac48 + \tfrac{4 \cdot 3}{64} = 0.6875$ of the identity, on average, and its spread
# around one half is $0.6875 - \tfrac14 = 0.4375$. So the error becomes
# $0.4375\,\eta^2 + s^2 (1 - \eta + 0.6875\,\eta^2)$: the first part is what the start cannot make good, the second what
# is not learnt of $D$. For $s = 1$ it is least at $\eta = 0.44$, and there 0.78, as printed above.

# %% [markdown]
# ## What does a transfer cost?
#
# The slow level learns through the gradient, and the gradient has to go back through whatever lies between. Autograd
# keeps a graph of it, so the cost can be counted: operations to go back through, and bytes that are kept for it. Let
# the fast level be written $T$ times before its answer is judged; $T$ is the horizon.

# %%
predict("07-graph")

# %%
def size(loss):
    """Operations in the backward graph of a loss, made by a function, and bytes that autograd keeps for them."""
    kept, seen = {}, set()

    def keep(tensor):
        kept[tensor.data_ptr(), tensor.shape] = tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        waiting = [loss().grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [after for after, _ in node.next_functions]
    return len(seen), sum(kept.values())


def write(M, K, V):
    for k, v in zip(K, V):
        M = M + 0.5 * torch.outer(v - M @ k, k)
    return M


# %%
def transfers(T, d=8):
    """A loss for each way, as a function; W, the slow level's weights, are what is learnt."""
    draw = torch.Generator().manual_seed(0)
    W, G = (torch.randn(*s, generator=draw).div(3).requires_grad_() for s in ((d, d), (d, d, d)))
    K, V = F.normalize(torch.randn(T, d, generator=draw), dim=-1), torch.randn(T, d, generator=draw)
    (q, x, z), empty = torch.eye(d)[:3], torch.zeros(d, d)
    return {
        "1 state read": lambda: (write(empty, K, V) @ (W @ x)).square().sum(),
        "2 answer solved": lambda: (torch.softmax(K @ (W @ x), 0) @ V).square().sum(),
        "3 one flow": lambda: (W @ (G[0] @ x).square()).square().sum(),  # a token's graph goes when its error has come
        "4 learnt start": lambda: (write(W, K, V) @ q).square().sum(),
        "5 made weights": lambda: ((G @ z) @ q).square().sum(),
        "5 made context": lambda: (write(empty, K @ W.T, V) @ q).square().sum(),
    }


# %%
HORIZONS = (1, 2, 4, 8, 16, 32, 64)
costs = {way: [] for way in transfers(1)}
for T in HORIZONS:
    for way, loss in transfers(T).items():
        costs[way].append(size(loss))
for way, rows in costs.items():
    operations, kept_bytes = zip(*(rows[n] for n in (0, 4, 6)))
    print(f"{way:16} at T = 1, 16, 64: operations {operations}, bytes {kept_bytes}")
grows = [way for way, rows in costs.items() if rows[-1][0] > rows[0][0]]
assert grows == ["4 learnt start", "5 made context"]

# %%
figure, panels = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for axes, n, what in zip(panels, (0, 1), ("operations to go back through", "bytes kept")):
    for (way, rows), look in zip(costs.items(), looks(tuple(costs)).values()):
        axes.plot(HORIZONS, [row[n] for row in rows], **look.line(), markersize=5, label=way)
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(HORIZONS, map(str, HORIZONS))
    axes.minorticks_off()
    tidy(axes, f"Backward graph: {what}", "horizon T (writes of the fast level)", what)
panels[0].legend(frameon=False, fontsize=8)
show(figure, alt="Left, operations in the backward graph against the horizon: flat for a state read, an answer "
     "solved, one flow and made weights; rising in proportion for a learnt start and a made context, to nearly 400 "
     "at 64. Right, bytes: besides these two the answer solved from a context rises as well; the made context rises "
     "most.")

# %% [markdown]
# *It grows where knowledge has to pass the writes.* A learnt start lies before all writes, and a made context enters
# through them, so each write makes the graph six operations longer. Attention has no writes, but it keeps its whole
# context, and therefore its bytes grow while its operations do not.

# %% [markdown]
# In one flow the error of each token goes back at once, and its graph is gone before the next token comes: the horizon
# only says how many gradients are added up. A weight that is made is not written at all. And a state that is read as it
# is costs after 64 writes what it costs after one; at that price the slow level learns nothing about *how* the fast one
# writes.

# %% [markdown]
# Can one cut the graph short? For a learnt start the cheap way out is to pretend that the writes are not there, and to
# give it the gradient at the last state (first-order MAML does so). The graph is then flat. What is lost can be
# measured: the angle between the cheap gradient and the true one.

# %%
for T in HORIZONS[:6]:
    angles, lengths = [], []
    for seed in range(20):
        draw = torch.Generator().manual_seed(seed)
        K, V = F.normalize(torch.randn(T, 8, generator=draw), dim=-1), torch.randn(T, 8, generator=draw)
        W, q, right = (torch.randn(*shape, generator=draw) for shape in ((8, 8), (8,), (8,)))
        W.requires_grad_()
        last = write(W, K, V)
        loss = (last @ q - right).square().sum()
        true, cheap = torch.autograd.grad(loss, (W, last))
        angles.append(F.cosine_similarity(true.flatten(), cheap.flatten(), dim=0).item())
        lengths.append((true.norm() / cheap.norm()).item())
    print(f"T = {T:2}: cosine {sum(angles) / 20:.2f} (worst of 20: {min(angles):.2f}); the true one is "
          f"{sum(lengths) / 20:.2f} times as long")

# %% [markdown]
# For a few writes the two nearly agree. After 32 they part, since by then the writes have overwritten most of what the
# start said: the true gradient is small, and only it knows what is left. So a horizon is a choice: a long one costs
# operations, a short one costs the truth of the gradient. Training [Hope](glossary.md#hope), for example, carries
# states on from window to window, but ends the gradient with its window.

# %% [markdown]
# ## Can one see all this in a model that is given?
#
# Counting updates, nudging states, following gradients: none of it needs to know what a model is for, so a program can
# do it. `xray` takes a training step, calls it a few times on real numbers, watches what changes, when, and from what
# it was computed, and leaves everything as it was. Here is a small Transformer with AdamW.

# %%
from dataclasses import replace

from nlcore.models import PRESETS, build
from nlcore.xray import xray

torch.manual_seed(0)
small = replace(PRESETS["tiny"], dim=16, depth=2, heads=2, hidden=4, chunks=(4, 8), periods=(1, 2, 4), context=16)
tokens = torch.randint(0, 64, (4, 16), generator=torch.Generator().manual_seed(0))


def next_token(output):
    return F.cross_entropy(output.logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())


transformer = build("transformer", small, 64)
seen = xray(transformer, torch.optim.AdamW(transformer.parameters()), tokens, next_token)
show(diagram(seen.system), alt="Attention on top, solved at every read; below it, at one update per step, exp_avg "
     "and exp_avg_sq side by side, and the weights under them. Attention hands its answers to the weights, and these "
     "make its context.")
seen

# %% [markdown]
# *A Transformer while it trains: three levels.* Above, attention, solved at every read. Below it AdamW's two moments,
# which torch calls `exp_avg` and `exp_avg_sq`, stand side by side; they are what the paper calls equal. Then come the
# weights, which need both.

# %% [markdown]
# Now take the optimizer away, as when the model is only used. Then the moments are gone, the weights have the frequency
# 0, and what is left are the two ends of the scale, infinity and zero. The paper likens this to a person who remembers
# the distant past and the last minute, and can form no new memories between.

# %%
moments = sum(loop.bytes for loop in seen.loops if loop.name.startswith("exp_avg"))
weight_bytes = next(loop.bytes for loop in seen.loops if loop.name == "weights")
print(f"weights {weight_bytes:,} bytes; the moments that learn beside them {moments:,}")
used = xray(lambda: transformer(tokens), transformer, [])
print("only used:", {loop.name: loop.period for loop in used.loops})
assert moments == 2 * weight_bytes and {loop.frequency for loop in used.loops} == {0, float("inf")}

# %% [markdown]
# Section 6 of the paper draws its conclusions from this view. *Models have more parameters than we knew*: of what
# learns step by step in that training run, two thirds are not weights. *Pre-training is
# [in-context learning](glossary.md#in-context-learning)*, with the whole corpus as its context: what sets its level
# apart from the others is how often it changes, and from what. And so there is no border between training and use.
# There are levels, and some of them have been switched off.

# %% [markdown]
# ### Your own model
#
# Put your own in place of what this function returns: a model, its optimizer, a batch, a loss. (For a training step of
# another form, `xray(step, modules, optimizers)` takes any function.) What stands there now is a classifier whose first
# layer is frozen, with a batch norm, trained by momentum. Before you run it: how many levels has it?

# %%
def mine():
    """A model, an optimizer, a batch (input, target), and a loss of output and target."""
    torch.manual_seed(0)
    layers = torch.nn.Linear(8, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU(), torch.nn.Linear(16, 2)
    model = torch.nn.Sequential(*layers)
    model[0].requires_grad_(False)
    learns = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learns, lr=0.1, momentum=0.9)
    return model, optimizer, (torch.randn(32, 8), torch.randint(0, 2, (32,))), F.cross_entropy


own = xray(*mine())
for level in own.system.levels:
    print("a level:", ", ".join(loop.name for loop in level))
own

# %% [markdown]
# Three. The running mean and variance of the batch norm are updated in each forward pass, once a step like the
# momentum. None of these needs another, so they share the fastest level. Below it are the weights, and at the bottom is
# the frozen layer, which never changes.

# %% [markdown]
# Two things to know when you read the table of your own. [Objective](glossary.md#objective) and rule cannot be
# measured, only looked up, and may say *unknown*. And the X-ray sees an operation only as a whole: batch norm's takes
# in its own weights too, so the table says that they shape its running means, which they do not.

# %% [markdown]
# ## And Hope?
#
# Hope is what the course is building. The X-ray takes one that is small, but real. Beside it stands what the course
# says of Hope on paper, as a system that is plain data. Do the two agree, in their levels and in their lines?

# %%
from nlcore.levels import Transfer
from nlcore.train.parts import optimizer as leveled
from nlcore.viz.hope_map import HOPE, hope_map

torch.manual_seed(0)
hope, steps = build("hope", replace(small, depth=1), 64), itertools.count(1)
by_level = leveled(hope, 1e-3)


def step():
    next_token(hope(tokens)).backward()
    by_level.step(next(steps))


def on_map(loop):
    state, _, owner = loop.partition(" of ")
    return {"exp_avg": "momentum of ", "exp_avg_sq": "squares of "}.get(state, "") + owner if owner else state


found = xray(step, hope, by_level.optimizers)
seen_levels = [{on_map(part.name) for part in level} for level in found.system.levels]
assert seen_levels == [{part.name for part in level} for level in HOPE.levels]
lines = {Transfer(on_map(line.source), on_map(line.target), line.kind) for line in found.system.transfers}
drawn = set(HOPE.transfers)
print(f"{len(HOPE.levels)} levels and {len(lines & drawn)} lines agree; on the map alone: {drawn - lines}")

# %%
hope_map(10)

# %% [markdown]
# *Hope while it trains, as it will stand when chapter 10 is done.* Above, what learns within a text: the memory, and
# the projections that make its keys, values and rates. Below, what learns over the texts, each with its momentum and
# its squares: the weights, and a chain of networks at three frequencies, chapter 08's
# [continuum memory](glossary.md#continuum-memory), `cms` for short. The frequencies are those of chapter 11's size
# `laptop`; in the small Hope they lie closer together.

# %% [markdown]
# One line is on the map alone: that the projections make the memory's context happens inside a layer, where the X-ray
# does not look. Of the five ways only one is missing. Hope has no attention, and so nothing is solved anew at each
# read.

# %% [markdown]
# ## Can you build one?
#
# The parts are all there: a memory, a rule, a frequency, a transfer. On the workbench stand two memories, a fast one
# and a slow one, and read who is where. Half of the names live in one town and half in another, and the text speaks of
# the towns in turn, 24 tokens each. Before each token is written, the [nest](glossary.md#nested-system) is asked where
# that person is, and [recall](glossary.md#recall) is the cosine of its answer and the truth.

# %%
from nlcore.viz.explorers.workbench import STREAMS, Block, Nest, snippet, stream, workbench

bench = workbench()
bench

# %% [markdown]
# *As it opens, the fast one keeps 0.8 at each token, and learns only what the slow one gets wrong.* Alone it falls
# about as deep at each change of town; with the slow one each fall ends higher than the one before, and recall is 0.73
# on average instead of 0.65. Only in the second 24 tokens is the slow one a hindrance, since all it knows then is the
# other town.

# %% [markdown]
# Now the controls that belong to it. Move the [retention](glossary.md#retention) to 1, and the fast one alone has 0.87,
# more than the nest with its 0.83: eight names fit into eight dimensions, so nothing has to be forgotten, and nobody
# need remember it.

# %% [markdown]
# Then move the retention back to 0.8, and let the facts change, all of them every 24 tokens. What the slow one hands
# down is now always yesterday's news, and the nest has 0.33 where the fast one alone has 0.40. Let it be updated every
# 12 tokens, and it is in time for the second half of each stretch: 0.47. **A slower level pays where the faster one has
# to forget, as long as it is updated more often than the facts change.**

# %% [markdown]
# What stands on the bench can be shared: `snippet` writes the Python that rebuilds it, wherever its controls stand. In
# Python a nest may have more levels than two. Here is one of three, each of which learns what the next slower one gets
# wrong.

# %%
print(snippet(bench))
three = Nest((
    Block("fast", alpha=0.8, gets="context"),
    Block("middle", period=12, gets="context"),
    Block("slow", period=48),
))
for name in STREAMS:
    forgets, keeps = (Nest((Block("fast", alpha=alpha),)).run(*stream(name)).recall.mean() for alpha in (0.8, 1.0))
    nested = three.run(*stream(name)).recall.mean()
    print(f"{name}: {nested:.2f}; fast alone, keeping 0.8: {forgets:.2f}, keeping all: {keeps:.2f}")
show(diagram(three.system, unit="token"), alt="Three boxes, one above the other: fast, at one update per token; "
     "middle, at one in 12; slow, at one in 48. A line of generation leads from slow to middle, and one from middle "
     "to fast.")

# %% [markdown]
# *Three levels, a chain of corrections.* On all three streams it is better than its own fast level alone, and on none
# is it better than one memory that keeps everything. Such a memory is the control that any claim for more levels needs
# beside it, here as in chapter 08.

# %% [markdown]
# ## Where are we in the nest?
#
# Everywhere, for once. This is the [level score](glossary.md#level-score) of the Hope that was X-rayed above: eight
# steps, its rows from fastest to slowest. (The row `weights` holds all that is trained outside the chain.)

# %%
from nlcore.viz.nested import updates

show(updates(found.system, found.records), name="hope_under_the_xray",
     alt="A level score of fourteen rows over eight steps. Memory and projections light up four times and twice a "
     "step; moments and weights of the fast levels at every step; those of cms-2 at every second, those of cms-1 at "
     "steps 4 and 8.")

# %% [markdown]
# *A notch is an update, brightness its size.* Who writes? In the upper two rows [Delta GD](glossary.md#delta-gd), the
# rule of chapter 05, while it reads; below, AdamW. Into what: matrices that live as long as a text; moments; weights.
# How often: four times and twice a step, each step, every second, every fourth. From which context: tokens, gradients,
# batches. To whom is knowledge handed? The weights give the two upper rows their starts, and get their answers; between
# the weights runs one flow of gradient; and each has its moments, to which it gives gradients and from which it takes
# its steps.

# %%
hope_map(7)

# %% [markdown]
# The same map as far as the course has come. What is still grey is the work of the next chapters: the chain in 08, and
# in 09 the projections, as memories that [modify themselves](glossary.md#self-modifying). The chain's moments are half
# filled, since their rules are known and the chain is not. In 10 all of it comes together.

# %% [markdown]
# ## Summary
#
# 1. The faster part is updated more often or, if equally often, needed first at one instant (Def. 2).
# 2. Inside a level order does not matter: 2 of 24 orders compute AdamW, as the definition says.
# 3. Knowledge passes in five ways: a state read, an answer solved, one flow of gradient, a learnt start, a made weight
#    or context.
# 4. An MLP is linear attention at $\eta = 0$; one more level pays where texts differ, and the start holds what that
#    level cannot find out by itself.
# 5. The backward pass grows in operations just where knowledge has to pass the fast level's writes.

# %% [markdown]
# ## Sources
#
# - Behrouz, Razaviyayn, Zhong, Mirrokni (2025), [Nested Learning](https://arxiv.org/abs/2512.24695), sections 3.2,
#   3.3, 6.
# - Learnt starts: Finn, Abbeel, Levine (2017), [MAML](https://arxiv.org/abs/1703.03400), which also tries the
#   first-order gradient; Nichol, Achiam, Schulman (2018), [On first-order
#   meta-learning](https://arxiv.org/abs/1803.02999).
# - Made weights: Ha, Dai, Le (2016), [HyperNetworks](https://arxiv.org/abs/1609.09106); Schmidhuber (1992), [Learning
#   to control fast-weight memories](https://doi.org/10.1162/neco.1992.4.1.131).
# - One more level for an MLP: Sun et al. (2024), [Learning to (learn at test time)](https://arxiv.org/abs/2407.04620).
# - AdamW: Loshchilov, Hutter (2017), [Decoupled weight decay](https://arxiv.org/abs/1711.05101). The heavy ball:
#   Polyak (1964), [Some methods of speeding up the convergence](https://doi.org/10.1016/0041-5553(64)90137-5).
#   Exercise 3: Zhang, Lucas, Hinton, Ba (2019), [Lookahead optimizer](https://arxiv.org/abs/1907.08610).

# %% [markdown]
# ## Exercise 1: the sign between two parts (middle, 15 minutes)
#
# Write $A \succ B$. `frequency` maps names to numbers; `needs` holds pairs (B, A), where B's state at an instant needs
# A's at that instant. A need may lead through others, whatever their frequency.

# %% [markdown]
# <details><summary>Hint</summary>
#
# First collect all that `b` needs: begin with `b` alone, and add what anything in the set needs, until nothing is
# added. When does the set matter, and when does frequency decide?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `reached, before = {b}, set()` then
# `while reached != before: before = set(reached); reached |= {n for part, n in needs if part in reached}` and
# `return frequency[a] > frequency[b] or (frequency[a] == frequency[b] and a != b and a in reached)`
#
# </details>

# %%
from nlcore.exercises.chapter_07 import SUSPECTS, check_faster, check_lookahead, check_start, check_suspects


def is_faster(a, b, frequency, needs):
    """Whether a is faster than b."""
    return frequency[a] > frequency[b]


print(check_faster(is_faster))

# %% [markdown]
# ## Exercise 2: three suspects (middle, 15 minutes)
#
# *Diagnose.* Behind `SUSPECTS[name](w, m, g, nudge_w, nudge_m)` are three programs that make one step from a weight, a
# momentum and a gradient, and return the new `(w, m)`. A nudge is added to a part as soon as it is new. Which part is
# the faster in each: `"m"`, `"w"`, or `"neither"`, because they share a level?

# %% [markdown]
# <details><summary>Hint</summary>
#
# Compare a step without nudges with one in which `m` is nudged, and with one in which `w` is. Do not trust the
# trajectories: two of the three programs have the same.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `{"A": "neither", "B": "m", "C": "w"}`. C keeps its last step, which is known only when the new weight is.
#
# </details>

# %%
for name, step_of in SUSPECTS.items():
    print(name, "goes to", step_of(1.0, 0.2, 0.5, 0.0, 0.0))
named = {"A": "", "B": "", "C": ""}
print(check_suspects(named))

# %% [markdown]
# ## Exercise 3: a slow shadow (middle, 15 minutes)
#
# *Build.* Lookahead trains "fast" weights with "momentum", both once a step. Every fifth step the "slow" weights move
# half of the way to the fast ones, and the fast ones begin again from there. Build it as a `NestedSystem` of components
# with these three names, frequencies per step, with needs and transfers. (At every fifth step the slow weights need the
# new fast ones: does that need change a level?)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Two knowledge transfers lie between fast and slow, one in each direction. Which of the five is "begin again from
# there"? You say it as `Transfer(source, target, kind)`, the kind by its name in the table of the five ways.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `parts = (Component("momentum", 1), Component("fast", 1), Component("slow", Fraction(1, 5)))` and
# `handed = (Transfer("momentum", "fast", "generation"), Transfer("fast", "slow", "parametric"),`
# `Transfer("slow", "fast", "initialisation"))` then
# `return NestedSystem(parts, (("fast", "momentum"), ("slow", "fast")), handed)`
#
# The last need changes no level, since the slow weights are updated less often in any case.
#
# </details>

# %%
def lookahead():
    """Lookahead as a NestedSystem."""
    return None


print(check_lookahead(lookahead))

# %% [markdown]
# ## Exercise 4: the best start (hard, 20 minutes)
#
# Contexts pull a number $p$ by $\tfrac12 a_i (p - c_i)^2$, and each takes `steps` steps of gradient descent at rate
# `eta` before it is judged by its own loss. Find the start that is best on average, as a formula. What does it become
# for very many small steps, and which context has the last word then?

# %% [markdown]
# <details><summary>Hint</summary>
#
# One step leaves $1 - \eta a_i$ of the distance to $c_i$. Write the loss after all steps as a function of the start; it
# is a sum of parabolas, whose minimum is a weighted mean of the $c_i$.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `weight = a * (1 - eta * a) ** (2 * steps)` and `return (weight * c).sum() / weight.sum()`. After very many small
# steps the weight is $a_i\, e^{-2 \eta a_i \cdot \text{steps}}$, and the context that pulls most weakly decides alone,
# since all others get where they want from anywhere.
#
# </details>

# %%
def best_start(a, c, eta, steps):
    """The start, from strengths a and goals c, (n,) each."""
    return None


print(check_start(best_start))
