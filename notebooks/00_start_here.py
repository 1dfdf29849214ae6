# %% [markdown]
# # 00 · Start here: the illusion in one picture
#
# **After this notebook** you can say what nested learning is; tell which of two parts of a model is the faster, even
# where both are updated equally often; read a picture of who is updated when; say what each part of a language model
# still knows of a text it has just read, and why a model in use cannot remember yesterday.
#
# **You need** some Python and PyTorch, to have met attention and optimizers before, and to know what a vector, a
# matrix and a gradient are. **Time:** 40 minutes, exercises apart; all cells together take a few seconds.

# %% [markdown]
# The course follows *Nested Learning: The Illusion of Deep Learning Architectures*, by Ali Behrouz, Meisam Razaviyayn,
# Peilin Zhong and Vahab Mirrokni (NeurIPS 2025; long version, [arXiv 2512.24695](https://arxiv.org/abs/2512.24695)).
# "The paper" is always this one, and numbers in brackets, such as (64), are equations of its long version.
#
# Run a cell with Shift+Enter. Pictures come alive when you run the cell above them. If nothing appears, choose Restart
# Kernel in the menu Kernel, and run the cells again from the top. Words that the course uses in its own sense lead to
# the [glossary](glossary.md).

# %% [markdown]
# ## What does a model remember, and for how long?
#
# Some people, after an injury of the brain, can form no new long-term memories. They know what they learnt before it,
# and they can follow a conversation. But when the conversation is over it is gone, and tomorrow the same doctor is a
# stranger. This is *anterograde amnesia*, and the paper says that language models have it. What one was trained on is
# in its weights, the text before it is in its [attention](glossary.md#attention), and what it read yesterday, in
# another conversation, is in neither, so that it lives in "the immediate present as if it were always new".

# %% [markdown]
# Could there be something between the present and the distant past? Below, seven memories read the same 52 words. A
# word is highlighted as strongly as a row [recalls](glossary.md#recall) it now, and from one half on the row is said
# to know it. A mark under the words is an update of the row, a [tick](glossary.md#tick). *Attention* and
# *[pre-training](glossary.md#pre-training)* are what a Transformer in use has. *[Fast
# weights](glossary.md#fast-weights)* are a recurrent layer. *CMS*, short for [continuum
# memory](glossary.md#continuum-memory) system, are three layers that go on learning, at three paces; and
# *[momentum](glossary.md#momentum)* belongs to the optimizer with which *CMS, fast* learns.

# %% [markdown]
# The picture asks you something before it plays. Guess even if you do not know: who has guessed sees more. "Show me
# anyway" is there too.

# %%
from nlcore.viz.explorers.clock_of_levels import clock_of_levels

clock_of_levels().predict("00-clock")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Half of the text has been read: 26 words, 20 different ones.* Attention and the fast weights know only the last few,
# while the CMS rows know the text from its beginning. But "said", the last word but one, is known to the upper two
# only; momentum and CMS still wait for an update. Momentum keeps only half of itself at an update, and so forgets
# sooner than the row below it. (A word is bright wherever it stands: attention knows the very first "The", having just
# read "the".) Pre-training knows four words met long ago, such as "must", and never learns "jam".
#
# </details>

# %% [markdown]
# The picture stops in the middle. How does it end?

# %%
from nlcore.viz.explorers.clock_of_levels import START, known, trace

for name, period in START:
    found = trace(name, period)
    knows, of = known(found, 52)
    print(f"{name:13}{found.fired.sum():3} updates; after the last word it knows {knows:2} of {of} different words")

# %% [markdown]
# Of the rows that still learn, the slowest knows most, because every update lets what was there before fade a little,
# and it has had only two. That does not make slow better than fast: up to word 23 it knew nothing at all, and exercise
# 3 asks you for a text on which it loses.

# %% [markdown]
# So a fast part is exact about now, and a slow one holds what was. A Transformer in use has the first row and the last,
# and nothing between, which is why it has to be told everything again in each conversation. The paper wants the rows
# between, and they are what this course builds.

# %% [markdown]
# ## What is such a memory?
#
# To see what ticks in a row, we open one: a matrix $W$, which is asked with a [key](glossary.md#key) $k$ and answers
# with a value, $\hat v = W k$. (Each word has a key and a value, random, of length one.) The product $v k^\top$
# answers $k$ with $v$, because $(v k^\top)\,k = v\,(k^\top k)$ and $k^\top k = 1$. So to write a pair, add it to what
# you keep of the old matrix:
#
# $$W_t = \alpha\, W_{t-1} + \eta\, v_t k_t^\top$$
#
# Here $\alpha$ is the [retention](glossary.md#retention), how much is kept, and $\eta$ the [rate](glossary.md#rate),
# how much of the new is written.

# %% [markdown]
# This is the [Hebbian rule](glossary.md#hebbian-rule). The paper prints it as (64), with $\alpha_t$ and $\eta_t$ that
# may change with each token and with $\phi(k_t)$ for the key; in (5) $\eta$ is 1, and in (15) and (18) $\alpha$ as
# well.
#
# Two pairs are written with $\eta = 1$ and $\alpha = 0.5$: first $(4, 2)$, and then $(6, 0)$ under another key. The
# memory comes from the package, put together from four choices that chapter 01 explains; after it stands (64) by hand.

# %%
from nlcore.viz.predictions import predict

predict("00-halved")

# %%
import torch
from nlcore.memory import L2, AssociativeMemory, Decay, DotProduct, GradientDescent, Linear, Rates

k = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # two keys
v = torch.tensor([[4.0, 2.0], [6.0, 0.0]])  # their values
alpha, eta = torch.tensor(0.5), torch.tensor(1.0)

adds = AssociativeMemory(Linear(2, 2), DotProduct(), GradientDescent(), Decay())
state = adds.start()
for t in range(2):
    state, report = adds.write(state, k[t], v[t], Rates(eta, alpha))

W = alpha * torch.outer(v[0], k[0]) + torch.outer(v[1], k[1])  # (64), twice
assert torch.equal(state.memory[0], W)
print("W =", W.tolist())
print("first key answers", adds.read(state, k[0]).tolist())

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# The first value, $(4, 2)$, came back as $(2, 1)$. One update came after it, and an update keeps half of all that is
# there.
#
# </details>

# %% [markdown]
# Had this memory been updated once for both pairs, nothing would have faded. So two things decide how long a word
# lasts: how much an update keeps, and how often updates come. The second is the [frequency](glossary.md#frequency) of
# the memory, and what lies between two updates is its [period](glossary.md#period). In the clock every matrix $W$ that
# still learns keeps 0.7 at an update, and what tells the rows apart is above all their frequency.

# %% [markdown]
# Has such a matrix *learnt* anything? The paper, after neuropsychology, keeps two words apart:
# "[Memory](glossary.md#memory) is a neural update caused by an input, and [learning](glossary.md#learning) is the
# process for acquiring effective and useful memory." Every write is a memory. To see that it need not be a useful one,
# let nothing fade and write twice under one key: a friend, the key, lives at $(4, 2)$, then moves house to $(6, 0)$.
# Beside the rule that adds stands the [delta rule](glossary.md#delta-rule), which *corrects*: it asks first, and
# writes only what is wrong about the answer, $v - W k$.

# %%
corrects = AssociativeMemory(Linear(2, 2), L2(), GradientDescent(), Decay())
for name, memory in {"adds": adds, "corrects": corrects}.items():
    state = memory.start()
    for value in v:
        state, report = memory.write(state, k[0], value, Rates(torch.tensor(1.0), torch.tensor(1.0)))
    print(f"the rule that {name} answers {memory.read(state, k[0]).tolist()}")

# %% [markdown]
# The first rule has added both places up and answers with neither; the second has learnt where the friend is now. By
# hand: it held $(4, 2)$, was wrong by $(6, 0) - (4, 2) = (2, -2)$, and wrote that.

# %% [markdown]
# Both writes are a step of gradient descent, but on different [objectives](glossary.md#objective). The rule that adds
# wants the product $\langle W k, v \rangle$ large; its gradient is $v k^\top$, and a step up it adds the pair. The
# other wants the error $\tfrac12 \lVert W k - v \rVert^2$ small; its gradient is $(W k - v)\, k^\top$, and a step down
# it corrects. So it is the problem that decides whether a memory becomes useful; chapter 01 lists the choices. In the
# clock the fast weights add, and the rows below them correct.

# %% [markdown]
# ## What is the illusion?
#
# Attention, an MLP, a recurrent layer, an optimizer: a textbook gives each its own chapter, and they look like
# different kinds of thing. The paper calls this heterogeneity an illusion (section 5.1). It comes, the paper says,
# from "observing only the solution of optimization problems": the finished formula, but neither the small problem
# behind it nor *when* that problem is solved. Look at problem and time, and each of them is a memory that learns.
#
# How far does that go in our clock? If it is so there, one class gives all seven rows, with other arguments alone.

# %%
from dataclasses import dataclass


@dataclass
class Part:
    """Anything in the clock. Its problem: to answer each key with its value."""
    every: int  # words between two ticks, 0 is never
    corrects: bool = True  # write what is wrong about the answer, or all of the value
    theta: float = 0.0  # what the momentum of its steps keeps of itself
    asks: str = "W"  # who answers, the weights or their momentum
    window: int = 0  # keep so many pairs, and solve the problem when asked
    keeps: float = 0.7

    def __post_init__(self):
        self.W = self.m = torch.zeros(64, 64)
        self.k = self.v = torch.zeros(0, 64)

    def tick(self, k, v):
        """Takes in the words, a row each, that came since the last tick."""
        self.k, self.v = (torch.cat(pair)[-self.window :] for pair in ((self.k, k), (self.v, v)))
        self.m = self.theta * self.m + (v - self.corrects * k @ self.W.T).T @ k
        self.W = self.keeps * self.W + self.m

    def answer(self, q):
        return torch.softmax(q @ self.k.T / 0.1, -1) @ self.v if self.window else q @ getattr(self, self.asks).T


# %% [markdown]
# In `tick` stands the write of the last section, with one thing more: the change first goes to a momentum $m$, which
# keeps a part $\theta$ of itself and is then added to $W$. Where $\theta$ is 0, that is the plain write. In `answer`
# there are two ways, and we come back to the softmax.

# %%
from torch.nn.functional import cosine_similarity
from nlcore.viz.explorers.clock_of_levels import BEFORE, TEXT, vectors, words

keys, values = (torch.stack(part) for part in zip(*(vectors()[word] for word in words(TEXT))))
rows = {
    "attention": Part(every=1, window=8),
    "fast weights": Part(every=1, corrects=False),
    "momentum": Part(every=4, theta=0.5, asks="m"),
    "CMS, fast": Part(every=4, theta=0.5),
    "CMS, middle": Part(every=12, theta=0.5),
    "CMS, slow": Part(every=24, theta=0.5),
    "pre-training": Part(every=1, keeps=1.0),
}
for word in words(BEFORE):  # what was read long ago
    key, value = vectors()[word]
    rows["pre-training"].tick(key[None], value[None])
rows["pre-training"].every = 0  # training ends
for name, part in rows.items():
    for t in range(1, 53):
        if part.every and t % part.every == 0:
            part.tick(keys[t - part.every : t], values[t - part.every : t])
    recall = cosine_similarity(part.answer(keys), values, dim=-1).clamp(min=0)
    assert torch.allclose(recall, torch.tensor(trace(name, dict(START)[name]).recall[-1]), atol=1e-5)
    print(f"{name:13} is the clock's row: recall {recall.mean():.2f} on average")

# %% [markdown]
# All seven are there. What reads like seven inventions are seven settings: which problem, how it is solved, and when. A
# recurrent layer ticks with each word; a layer of a network that goes on learning ticks rarely; a layer that was trained
# has ceased to tick; and what an optimizer carries from step to step is a part like the others, asked for another of its
# matrices.

# %% [markdown]
# Attention is the odd one. It takes no steps at all: it keeps the pairs of its window, and when it is asked it solves
# a problem with them, whose answer is the softmax in `answer` (chapter 06 derives it). What ticks in its row is only
# the window. So the paper counts it as updated infinitely often, anew at every read.
#
# And is it the time that makes the difference, or the rule? As a [control](glossary.md#control), exchange them, with
# 20 draws of keys and values, as one may be luck.

# %%
from torch.nn.functional import normalize

read = words(TEXT)
different = sorted(set(read))
choices = {"adds": {"corrects": False}, "corrects": {}, "corrects, with momentum": {"theta": 0.5}}
for rule, choice in choices.items():
    for every in (1, 24):
        knows = []
        for seed in range(20):
            draw = torch.Generator().manual_seed(seed)
            pairs = normalize(torch.randn(len(different), 2, 64, generator=draw), dim=-1)
            its_keys, its_values = pairs[[different.index(word) for word in read]].unbind(1)
            part = Part(every=every, **choice)
            for t in range(every, 53, every):
                part.tick(its_keys[t - every : t], its_values[t - every : t])
            recall = cosine_similarity(part.answer(its_keys), its_values, dim=-1)
            last = dict(zip(read, (recall >= 0.5).tolist()))
            knows.append(sum(last.values()))
        print(f"{rule:23} every {every:2} words: knows {sum(knows) / 20:4.1f} of {len(last)} ({min(knows)} to {max(knows)})")

# %% [markdown]
# Updated rarely, each of the three knows more: the rule that adds 34.5 words instead of 7.7, the rule that corrects 20.6
# instead of 7.4, and with momentum, as in the clock's CMS rows, 34.1 instead of 8.6. The rule matters too, but only where
# updates are rare. That is for this text, and for plain matrices. That attention, recurrent layers and optimizers, as
# they are really used, are such parts is what chapters 01 to 06 derive.

# %% [markdown]
# ## What is nested in what?
#
# Seven rows beside each other are not yet *nested*. Where does that word come from? From any training program, read
# from the inside:
#
# ```
# for batch in training:                          # slow
#     for token in text:                          # fast
#         memory = write(memory, token)
#     momentum = theta * momentum + gradient
#     weights = weights - eta * momentum
# ```

# %% [markdown]
# Before the weights can tick once, the momentum must tick; and before that, a whole text must have gone through the
# memory, tick by tick. **One tick of an outer part takes all ticks of the part within.** That is what nested means. Each
# part learns by gradient descent on a problem of its own, from a [context flow](glossary.md#context-flow) of its own:
# the memory from tokens, the momentum from gradients, the weights from batches. The paper calls such a part, with its
# problem and its gradient, a [box](glossary.md#box), and so we draw boxes in boxes.

# %% [markdown]
# Below, such a training plays. A text says of four people in which town they are, Bern, Lima, Oslo or Rome, and at its
# end the memory is asked for all four. It corrects, as above, at rate 1. But the four names are alike, since the cosine
# of any two is 0.8, so that each write spoils the others. The weights make keys out of the names, and may learn to tell
# them apart.

# %%
from nlcore.viz.explorers.boxes_in_boxes import boxes_in_boxes

boxes_in_boxes()

# %% [markdown]
# *Batch 4: the momentum has just ticked for the fourth time, the weights have not yet.* You see one text of each
# batch, and after four of them, with four tokens each, the memory stands at 16. A square has the more colour the larger
# its number is. Among the weights, green between two different names means that their keys are alike: played from 0, it
# fades, and from batch 4 on the memory names all four towns, where at first it had one. The momentum is green as well
# because it belongs to the weights.

# %% [markdown]
# Now look at the last eight events. Training ends, and from there on only the innermost box ticks. It reads a text, and
# names all four towns; then the text is over, and with it everything the memory held. No box outside has taken any of
# it up. This is the amnesia of the first section, and you can see its cause: it is not that nothing learns any more, but
# that nothing *slower* does.

# %% [markdown]
# Here is the whole of it, in the numbers of the picture. `k_` and `v_` are the keys and values of a batch of 16 texts.
# The gradient passes all four writes on its way to the weights, so that these learn which keys serve the memory.
# ([Silence](glossary.md#silence) is to answer nothing.)

# %%
from nlcore.viz.explorers.boxes_in_boxes import STEPS, names, texts, train

draw, score = torch.Generator().manual_seed(0), []
weights, momentum = torch.eye(4, requires_grad=True), torch.zeros(4, 4)
for step in range(STEPS):
    who, where = texts(draw)  # (16 texts, 4 tokens) each
    k_, v_ = normalize(names() @ weights.T, dim=1)[who], torch.eye(4)[where]
    M = torch.zeros(16, 4, 4)
    for t in range(4):
        before, wrong = M, v_[:, t] - (M @ k_[:, t, :, None])[..., 0]
        M = M + wrong[..., None] * k_[:, t, None, :]  # the memory ticks
        score.append(("memory", 4 * step + t, (M - before).norm() / M.norm()))
    loss = (k_ @ M.mT - v_).square().sum(-1).mean()
    (gradient,) = torch.autograd.grad(loss, weights)
    old = momentum, weights
    momentum = 0.5 * momentum + gradient  # the momentum ticks
    weights = (weights - 0.1 * momentum).detach().requires_grad_()  # the weights tick
    score.append(("momentum", 4 * step + 3, (momentum - old[0]).norm() / momentum.norm()))
    score.append(("weights", 4 * step + 3, (weights - old[1]).norm() / weights.norm()))
    print(f"batch {step + 1}: error {loss.item():.2f} (silence: 1)")
assert torch.allclose(weights, train().weights, atol=1e-6)

# %% [markdown]
# The error begins near that of silence. At the end it rises once more, because the momentum carries the weights past
# their goal; `train(theta=0.0).loss` only falls.

# %% [markdown]
# ## What is a level?
#
# A system of many boxes has to be put in order before one can speak of it. The paper does it by counting: a
# [level](glossary.md#level) is what ticks at one frequency. But momentum and weights tick at the same times, once per
# batch. Are they one level? **Definition 2** says that $A$ is faster than $B$
#
# - if $A$ is updated more often,
# - or if both are updated equally often, and $B$'s new state needs $A$'s new state.

# %% [markdown]
# This batch's weights need this batch's momentum, as the program shows: were the two lines exchanged, the step would
# be another. The momentum needs weights too, for its gradient, but those of the batch *before*. So momentum is the
# faster one, and stands inside the weights although both are updated equally often. In the clock it stands above *CMS,
# fast* for the same reason.

# %%
from fractions import Fraction
from nlcore.levels import Component, order

tokens = 4 * STEPS
ticks = {"weights": STEPS, "momentum": STEPS, "memory": tokens}
parts = [Component(name, Fraction(times, tokens)) for name, times in ticks.items()]
for told, needs in {"by frequency alone": [], "by Definition 2": [("weights", "momentum")]}.items():
    levels = order(parts, needs)  # fastest first
    said = [" and ".join(f"{part.name} ({part.frequency})" for part in level) for level in levels]
    print(f"{told:19}", " > ".join(said))

# %% [markdown]
# Two levels by frequency, three by the definition. (In brackets, updates per token.) Level 1 is the slowest; the paper
# calls it the *highest*, and we say slow and fast. Where parts tick equally often and none needs another, they share a
# level, and chapter 07 shows that inside a level order does not matter.

# %% [markdown]
# Two more words of the paper now have their place. The memory maps keys to values, while momentum is given a gradient
# and nothing to map it to; it is there to keep it. The paper calls that a [value-less
# memory](glossary.md#value-less-memory), and chapter 03 derives the problem it solves. (Asked with a key, as in the
# clock, it answers with what was surprising about that word. The paper gives both readings.)

# %% [markdown]
# The other is **in-context learning**. The memory learns from its text while it reads, and nobody calls that training.
# But the weights do the same with a longer text, all the batches: "pre-training is a form of [in-context
# learning](glossary.md#in-context-learning), where the context is the entire pre-training data". It is the slowest
# case.

# %% [markdown]
# So what is **nested learning**? It is to see a model, together with what trains it, as one system of learning
# problems, one within the other. Each has a memory that is updated, a context from which it learns, and a frequency,
# and each hands on what it has learnt. The paper speaks of "a set of nested, multi-level, and/or parallel optimization
# problems, each of which with its own 'context flow'".
#
# The view is also a plan: one can add levels where one used to add layers only. Between the level that ticks with
# every token and the one that has ceased to tick there is room.

# %% [markdown]
# ## Do the boxes need each other?
#
# If one box is in the other, they should depend on each other. To test it, we make one of them stand still.

# %%
predict("00-boxes")

# %%
still = {
    "all three tick": {},
    "the memory is never written": {"writes": False},
    "the weights stand still": {"eta": 0.0},
    "no momentum": {"theta": 0.0},
}
for what, setting in still.items():
    print(f"{what:28} error on new texts {train(**setting).loss[-1]:.2f}")
assert torch.equal(train(writes=False).weights, torch.eye(4))
rates = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
for theta in (0.5, 0.0):
    errors = {rate: train(eta=rate, theta=theta).loss[-1] for rate in rates}
    best = min(errors, key=errors.get)
    print(f"theta {theta}: {errors[best]:.4f} at rate {best}, the best of {len(rates)}")

# %% [markdown]
# Without a memory that is written, the weights learn nothing, since no change of theirs changes the error: outer boxes
# learn through the inner one. With weights that stand still, the memory learns badly. This is what the paper means by
# acquiring a *useful* memory: each write is a memory, and the slower box makes the writes useful.

# %% [markdown]
# The momentum is the box that we could have spared: with rates tried for each, both reach an error of less than 0.001.
# A level more is not better by itself, and the course will ask of each what it is for, with a control that takes it
# away. (Other draws of the texts change next to nothing here, because the four names are alike in the same way.)

# %% [markdown]
# ## Fading or crowding?
#
# Why does a memory lose a word at all? There are two ways: it fades, or too many others crowd a small matrix. Below,
# 48 different words are written, one after the other, and the curves show how well each is recalled at the end, by its
# age. One memory adds each pair, the other corrects.

# %%
from nlcore.viz.explorers.fading import fading

fading().predict("00-fading")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Recall by age at $\alpha = 1$, width 32, mean of 16 streams.* Nothing fades, and yet little is exact, because of
# crowding: 48 keys cannot all be at right angles in 32 dimensions. The memory that adds recalls all alike, each with
# the noise of all others, their [crosstalk](glossary.md#crosstalk). The one that corrects has the last word exactly
# right, and pays with the oldest.
#
# </details>

# %% [markdown]
# Move the sliders, and begin with $\alpha = 0.9$. A wider memory crowds less, and a slower one fades less, but it is no
# longer exact about the last word, because words that are written together do not see each other. No setting wins
# everywhere. That is the case for many levels: fast ones that are exact about now, and slow ones that hold what was.

# %% [markdown]
# ## How the course works
#
# Each section asks a question, gives the equation with the paper's number, a few lines of code in the same symbols, a
# number you can check by hand, and something to move. What you predict is kept in a small file of your own, and
# counted at the end of this notebook. Where the paper's print, run as it stands, does not do what its text says, we
# show both forms and call it an [erratum](glossary.md#erratum).

# %% [markdown]
# Widgets work with the keyboard: Tab reaches a control, arrows move it, Space presses a button. Change any cell; `make
# book` never overwrites a notebook that you changed. Exercises stand at the end, each with a check that says which
# mechanism is wrong.

# %% [markdown]
# ## Symbols and colours
#
# | symbol | in words | in code |
# |---|---|---|
# | $k, v, q$ | key, value, query | `k, v, q` |
# | $W$ or $\mathcal{M}$ | what a memory holds now | `state.memory` |
# | $\eta$ | rate: how much of the new is written | `Rates.eta` |
# | $\alpha$ | retention: how much of the old is kept; 1 is all | `Rates.alpha` |
# | $\theta$ | what a momentum $m$ keeps of itself | `Rates.theta` |
# | $C$ | period or chunk: how much passes between updates | `Level.period` |
#
# These letters keep their meaning. The paper uses some of them twice, and where a chapter must do so as well, a box at
# its head says which meaning holds there.

# %% [markdown]
# Levels are listed from fastest to slowest, everywhere. Each has a colour, and also a dash and a mark, so that lines
# can be told apart in print, or by those who see colours differently. Colours stay the same from the clock to the map
# of Hope below: a memory is blue, weights are green, CMS pink, orange and sky blue, and a momentum has the colour of
# what it belongs to. Attention, which is no part of Hope, is violet in the clock. Where curves compare rules, colours
# only tell them apart.

# %% [markdown]
# ## Is everything here?
#
# This looks at your Python, PyTorch, memory, disk and widgets. Each line is OK, or says what to do. For the sizes of
# model that fit this machine, and how long each takes, type `python -m nlcore.doctor` in a terminal.

# %%
from nlcore import doctor

print(*doctor.examine(), sep="\n")

# %% [markdown]
# ## The map
#
# Twelve chapters are here; those marked "to come" are not written yet. They build on each other, and the head of each
# says which ones it needs.
#
# | | chapter | the question it answers |
# |---|---|---|
# | 01 | [Associative memory](01_associative_memory.ipynb) | What are the four choices that make any memory? |
# | 02 | [Backpropagation is a memory](02_backpropagation.ipynb) | What does training write, and under which key? |
# | 03 | [Momentum is a memory of gradients](03_momentum.ipynb) | What does an optimizer remember, and forget? |
# | 04 | [Adam, AdaGrad, Muon, M3](04_adam_to_muon.ipynb) | Which memory is each optimizer? |
# | 05 | [Beyond gradient descent](05_beyond_gradient_descent.ipynb) | What if a write first erases? |
# | 06 | [Attention is a memory too](06_attention_is_a_memory.ipynb) | Which memory is attention, and which is linear attention? |
# | 07 | [Levels, frequencies, knowledge transfer](07_levels.ipynb) | How do levels pass on what they know? |
# | 08 | [Continuum memory](08_continuum_memory.ipynb) | What if there are many levels, not two? |
# | 09 | [A memory that modifies itself](09_a_memory_that_modifies_itself.ipynb) | Can a memory choose what it writes? |
# | 10 | [Hope](10_hope.ipynb) | What do you get from all of it? |
# | 11 | [Train Hope at full scale](11_train_hope.ipynb) | How do levels behave while a real model trains? |
# | 12 | Continual learning, long context *(to come)* | Does it help? |
# | 13 | What holds, what does not *(to come)* | What did we find, and where is each equation? |

# %% [markdown]
# ## The course in half an hour
#
# These sections, in this order, are enough to say what nested learning is, from which choices a memory is made, what
# training writes and under which key, and which level of a trained Hope holds the text that it reads.
#
# | chapter | sections | minutes |
# |---|---|---|
# | [00](00_start_here.ipynb) | What does a model remember, and for how long? · What is such a memory? · What is the illusion? · What is nested in what? · What is a level? | 20 |
# | [01](01_associative_memory.ipynb) | What are the four choices? | 2 |
# | [02](02_backpropagation.ipynb) | What does training write, and under which key? · What does one step write? | 4 |
# | [11](11_train_hope.ipynb) | Who will change, and how often? · Watch and steer · What does each level hold? | 6 |

# %% [markdown]
# In chapter 11 the stored pictures will do. If you would rather see your own run, start its training before you begin
# here: it takes some two minutes, and is done long before you arrive.

# %% [markdown]
# ## Where are we in the nest?
#
# Every chapter ends with this question, and answers it with a [level score](glossary.md#level-score) of what was just
# built: a row for each part, fastest on top, and time from left to right. Here are the boxes in boxes, from the program
# above.

# %%
import matplotlib.pyplot as plt
import numpy as np
from nlcore.viz.explorers.boxes_in_boxes import HOW_OFTEN, LOOKS
from nlcore.viz.roll import Row, roll
from nlcore.viz.show import show

fastest_first = ("memory", "momentum", "weights")
change, fired = np.zeros((3, tokens)), np.zeros((3, tokens), dtype=int)
for name, token, size in score:
    row = fastest_first.index(name)
    change[row, token], fired[row, token] = size.item(), 1
figure, axes = plt.subplots(figsize=(10, 2.2), layout="constrained")
drawn_rows = [Row(name, HOW_OFTEN[name].split(",")[0], LOOKS[name].colour) for name in fastest_first]
roll(axes, drawn_rows, np.arange(tokens), np.arange(tokens) + 1, change, fired)
axes.set(xlim=(0, tokens), xlabel="tokens read (four are a text, and a batch)")
show(figure, name="score_of_boxes",
     alt="A level score of three rows over 24 tokens. The memory changes at each token, most at the first of a text; momentum and "
     "weights change once in four tokens, at the same tokens.")

# %% [markdown]
# *A notch is an update; brightness is its size, compared with what it changes.*
#
# | | memory | momentum | weights |
# |---|---|---|---|
# | Who writes? | the rule that corrects | gradient descent | gradient descent, through the momentum |
# | Into what? | a matrix per text | a matrix of gradients | the matrix that makes keys |
# | How often? | every token | every batch, first | every batch, second |
# | From which context? | this text | the gradients so far | all texts so far |
# | To whom is knowledge handed? | the error's gradient, to the momentum | its step, to the weights | keys, to the memory |

# %% [markdown]
# Momentum and weights light up together, and the order of the rows tells who is first. The last update of the momentum
# is its brightest, because there it turns round: the weights had gone too far.

# %% [markdown]
# The course builds, part by part, one model of this kind: [Hope](glossary.md#hope). This is its map: a box is a part
# that learns, the fastest on top. At the end of each chapter it comes back with more of it filled.

# %%
from nlcore.viz.hope_map import hope_map

hope_map(0)

# %% [markdown]
# *Nothing is built yet.* In the upper two boxes is what learns while a text is read: the memory, and the
# [projections](glossary.md#projection), which make its keys, values and rates. Below is what learns over many texts,
# once per step of training or less often: the weights, and CMS, a chain of three networks from `cms-3`, the fast one,
# to `cms-1`. Each of these comes with two memories of its gradients, its momentum and a mean of their squares (chapter
# 04), which stand above it at the same frequency. The frequencies are those of the model's size `laptop`.

# %% [markdown]
# ## Summary
#
# 1. Nested learning sees a model and its training as memories, each with a problem, a context and a frequency of its
#    own. That they look like different kinds of thing is the illusion.
# 2. They are nested: one tick of an outer part takes all ticks of the part within.
# 3. A level is a frequency and, at equal frequency, a dependence: momentum stands inside the weights.
# 4. A memory is an update; learning is getting useful ones. Pre-training is the slowest learning in context.
# 5. A Transformer in use has the fastest level and one that stands still, hence its amnesia. We build what lies between.

# %% [markdown]
# ## Sources
#
# - Behrouz, Razaviyayn, Zhong, Mirrokni (2025), [Nested Learning](https://arxiv.org/abs/2512.24695), sections 1, 3 and
#   5.1.
# - Amnesia: Scoville, Milner (1957), [Loss of recent memory after bilateral hippocampal
#   lesions](https://doi.org/10.1136/jnnp.20.1.11).
# - Matrices as memories: Hopfield (1982), [Neural networks and physical systems with emergent collective computational
#   abilities](https://doi.org/10.1073/pnas.79.8.2554); fast and slow weights: Schmidhuber (1992), [Learning to control
#   fast-weight memories](https://doi.org/10.1162/neco.1992.4.1.131).
# - Momentum: Polyak (1964), [Some methods of speeding up the convergence of iteration
#   methods](https://doi.org/10.1016/0041-5553(64)90137-5).
# - The text of the clock: Lewis Carroll (1871), [Through the Looking-Glass](https://www.gutenberg.org/ebooks/12).

# %% [markdown]
# ## Exercise 1: forget on purpose (easy, 5 minutes)
#
# What is stored under one key shall be erased: $k$ shall answer zero, and every key at right angles to it as before.
# Here $k$ need not be of length one. Change the last line, run, and read what the check says.
#
# <details><summary>Hint</summary>
#
# Of the two rules, one makes a key answer with a given value, whatever it answered before. Which value is it here?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return W - torch.outer(W @ k, k) / (k @ k)`: the delta rule with the value zero, for a key of any length.
#
# </details>

# %%
from nlcore.exercises.chapter_00 import BOXES, check_boxes, check_erase, check_lasts, check_text


def erase(W, k):
    """The matrix without what it answers to k."""
    return W


print(check_erase(erase))

# %% [markdown]
# ## Exercise 2: how long? (middle, 10 minutes)
#
# A word stands alone in a memory. Each update keeps $\alpha$ of it. After how many words is its strength below one half
# for the first time, if an update comes every `period` words?
#
# <details><summary>Hint</summary>
#
# Count the updates first and the words after. And what if an update keeps all?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `n = next((n for n in range(1, 10_000) if alpha**n < 0.5), math.inf)`
# then `return n * period`
#
# </details>

# %%
import math


def lasts(alpha, period):
    """Words until the strength is below one half, or math.inf."""
    return None


print(check_lasts(lasts))

# %% [markdown]
# ## Exercise 3: where the slow row loses (middle, 10 minutes)
#
# *Break.* On Carroll's text the slow row of the clock, updated every 24 words, knows more than the fast weights. Write a
# text of 30 to 60 words after which they know more different words than it does.
#
# <details><summary>Hint</summary>
#
# The slow row has not yet seen what came after its last update. When does that cost it much?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return "jam " * 24 + "one two three four five six seven eight nine ten"`
#
# </details>

# %%
def my_text():
    """A text on which the fast weights win."""
    return "jam to-morrow and jam yesterday but never jam to-day"


print(check_text(my_text()))

# %% [markdown]
# ## Exercise 4: four boxes (hard, 20 minutes)
#
# *Diagnose.* Behind `BOXES[name](k, v, q)` are four memories of width 8. Each reads the pairs `k`, `v` (T, 8) in turn,
# then answers the queries `q` (Q, 8). One is never updated. Find each one's period, by experiment.
#
# <details><summary>Hint</summary>
#
# Ask for the newest pair after one pair, after two, after three, and so on. If a box answers although it has read
# nothing, does its answer change?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `{"A": 3, "B": 1, "C": 0, "D": 6}`. C and D were born with something in them; D needs six pairs before it changes.
#
# </details>

# %%
key_, value_ = torch.eye(8), torch.ones(8, 8)
for name, box in BOXES.items():
    print(name, "after one pair:", [round(number, 1) for number in box(key_[:1], value_[:1], key_[:1])[0].tolist()])
periods = {"A": None, "B": None, "C": None, "D": None}
print(check_boxes(periods))

# %% [markdown]
# ## Your predictions
#
# This counts those of all chapters. Only the ones that you made count: to look first is neither right nor wrong.

# %%
from nlcore.viz.predictions import predictions

predictions()
