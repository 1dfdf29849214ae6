# %% [markdown]
# # 11 · Train Hope at full scale
#
# **After this notebook** you can read a run from its [level score](glossary.md#level-score); say what a run costs before it
# starts; train [Hope](glossary.md#hope) on any size of machine, watch its [levels](glossary.md#level) and steer them; compare
# it with a rival so that the comparison is fair; and measure what each level is worth.
#
# **You need** chapters 06 to 10; the text is already on your machine. **Time:** 40 minutes to read and play, exercises apart.
# Two or three of them the cells compute, at size `tiny` on two CPU cores. On a GPU, change one word: `SIZE`.

# %% [markdown]
# The chapter follows section 9.3 of *Nested Learning: The Illusion of Deep Learning Architectures* (Behrouz,
# Razaviyayn, Zhong, Mirrokni, 2025; long version, [arXiv 2512.24695](https://arxiv.org/abs/2512.24695)).

# %% [markdown]
# ## Who will change, and how often?
#
# On [chapter 10's map](10_hope.ipynb) nothing is left to build, so now all of it is set going. At the smallest size, `tiny`,
# [memory](glossary.md#memory) and [projections](glossary.md#projection) are written every 64 tokens, here bytes; `weights` and
# the [chain](glossary.md#continuum-memory)'s `cms-3` in every step, `cms-2` in every fourth, `cms-1` in every sixteenth. A step
# reads texts of 256 bytes.

# %%
from nlcore.viz.predictions import predict

predict("11-rows")

# %%
from nlcore.viz.dashboard import Dashboard, replay

Dashboard(replay("tiny-hope"))

# %% [markdown]
# *Such a run, played in a minute; rows from fast to slow. A cell is two steps, so that `cms-2` lights up in every second.*

# %% [markdown]
# ## How do you read it?
#
# You will look at this picture for the rest of the chapter, so take each part once. **The loss** is in [bits per
# byte](glossary.md#bits-per-byte), chapter 08's measure: 8 for a model that knows nothing. The first steps, in which all
# models fall alike, may leave the frame. The thin line is the text that was just trained on, the marks are text held out.
# The broken grey line is the *[order-1 entropy](glossary.md#order-1-entropy)*: the least that anyone can reach who sees the
# previous byte alone. A model below it knows more than pairs of letters.

# %% [markdown]
# **The score.** A cell lights up where a row was updated; where there is room, each update has a white notch.
# Brightness is the size of the update divided by the size of what it changes, on a logarithmic scale whose ends the
# title gives; so rows can be compared, and a row fades when its steps get shorter, as the learning rate falls. From
# `weights` down, each row has its [momentum](glossary.md#momentum) in the row above it, brighter because a running mean
# changes by a good part of itself at every update. The last cell is lit in all rows, since training ends by using the
# gradients that wait.

# %% [markdown]
# Why do `weights` and `cms-3` have two rows? By Definition 2 they are *one* level, because they change equally often, and
# neither waits for what the other has just become. They are drawn apart because a link can be given another
# [period](glossary.md#period) while it trains, and then they are two. So it is with `memory` and `projections`: at `tiny` they
# are one level, and at larger sizes two. Adam's squares (chapter 04) have no row.
#
# | word | here | elsewhere |
# |---|---|---|
# | surprise | of a *memory*: how far its answer was from the value (06) | of the *model*, in bits; we say what a byte **costs** |
# | level | Definition 2's | in the code, whatever has a row |
# | window | a training text of 256 bytes | the newest tokens, which attention sees (06) |
# | step | of the optimizer: one batch | a memory's step we call a *write* |

# %% [markdown]
# **The strip** is one unseen text of 256 bytes, read anew at each report. Its shade is the main memory's
# [surprise](glossary.md#surprise) at each byte, darker for more. The memory is written every 64 bytes; so the first 64 meet
# it as it begins, and are dark. At byte 65 it has learnt from them, and the strip turns pale at once. In an untrained model
# that edge is hardly there, which is why the strip is worth watching: it is where you see the memory *learn to learn*.

# %% [markdown]
# ## What does a size cost here?
#
# Before you start your own run you will want to know what it takes. One dial sets everything: width, depth, context, batch
# and steps. The table is an estimate for each size, from one block timed now; *fits* says how many texts of a batch fit
# in memory at once.

# %%
from nlcore import sizing

print(sizing.table(sizing.sizes()))

# %% [markdown]
# Look at the last lines: the paper's sizes are for GPUs, and a laptop with memory for one would be busy for centuries. Choose,
# and measure before you start. The trial takes a few real steps in a process of its own and gives the memory back. Its
# figure is that of the whole process, PyTorch and all, so that it lies above the table's. A size that does not fit, or would
# take too long to try, gets one sentence.

# %%
import os

from nlcore import train, trial

SIZE = "tiny"  # or laptop, 160m, 760m, 1.3b
FAST = os.environ.get("NL_FAST") == "1"  # a few steps only, for the tests

config = train.configure(SIZE, report_every=2, validate_every=20)
if FAST:
    config = train.change(config, steps=16, batch=2, context=128, validate_every=8, validation_windows=2,
                          final_windows=2)
cost = trial.measure(config)
print(cost)

# %% [markdown]
# What of the sizes that do not fit here? Nobody has to start them to know what they ask for, since operations and bytes can
# be counted, and only the speed has to be guessed. Below, each size has as many GPUs as it might be given; of the peak of each
# GPU 0.35 is assumed to serve the model, which large Transformers reach. Hope may well reach less: it has not been run on
# a GPU yet.

# %%
from nlcore.train.plan import plan

print("size   GPUs  a GPU holds  texts at once   tokens  tokens a second  GPU-hours")
for size, gpus in (("laptop", 1), ("160m", 1), ("760m", 8), ("1.3b", 64))[: 1 if FAST else None]:
    plan_of = plan(size, gpus=gpus, gpu="h100", parallel="fsdp" if gpus > 1 else "ddp", mfu=0.35)
    held = sum(plan_of.memory[plan_of.parallel].values()) / sizing.GIB
    print(f"{size:8}{gpus:3}{held:9.1f} GiB{plan_of.at_once:15}{plan_of.tokens / 1e9:8.2f}B{plan_of.tokens_per_second:17,.0f}"
          f"{plan_of.gpu_hours:11,.1f}")

# %% [markdown]
# Most of that memory is what a step keeps for its backward pass, so that the texts computed at once are the handle: training
# finds their number by itself. Change a number and run the cell again; with twice the GPUs, the hours of all together stay as
# they are. `python -m nlcore.train plan --size 1.3b --tokens 100e9 --gpus 64 --price 2.5` prints all there is, how often to
# write a checkpoint and what failures cost included, and says of each figure whether it is counted, predicted, measured
# or yours. Once you have trained some steps on a GPU of yours, `plan --like RUN` takes the speed from them.

# %% [markdown]
# ## Start
#
# Training runs in a process of its own; with several GPUs, in one process for each, under `torchrun`. So this kernel stays
# free, and nothing that happens to it harms the run: training goes on if you close the browser. Everything is written to a
# folder, in which `train.attach(folder)`, or `Dashboard(folder)`, finds the run again.

# %%
run = train.start(cost.config)
print("Everything is written to", run.folder.path)

# %% [markdown]
# ## Watch and steer
#
# Now your own run. At `tiny` it is the stored one again, since the seed decides the first weights and the order of the
# text. So change it: pull a slider under *Steer*, and see which rows answer. Play first, since the next cell waits for the
# end, and buttons wait with it unless you interrupt the kernel.

# %%
Dashboard(run)

# %%
from nlcore.viz.follow import follow

status = follow(run)
assert status["state"] == "done", status["sentence"]
result = status["result"]

# %% [markdown]
# ## Did it learn?
#
# If you steered, dotted lines in the loss are your commands. A `cms-1` that you slowed has wider gaps; and with the memories'
# [rate](glossary.md#rate) $\eta$ at 0, `memory` and `projections` go dark, and the edge in the strip goes with them.
#
# A falling curve is no proof, since a model may learn what a table of letter pairs would have told it. So at its end the
# model is measured on more unseen text, and beside it stand the order-1 entropy of that text and, as a
# [control](glossary.md#control), the same model with $\eta$ at 0, so that its memories stay as they began (chapter 10).

# %%
hope, frozen, pairs = (result[name] for name in ("bits_per_byte", "bits_per_byte_eta_0", "order1_entropy"))
print(f"Hope                         {hope:.3f} bits per byte")
print(f"Hope, memories do not write  {frozen:.3f}")
print(f"Order-1 entropy              {pairs:.3f}")
print(f"{result['parameters']:,} parameters, {result['tokens_per_second']:,.0f} tokens a second")

# %% [markdown]
# It knows more than letter pairs, and to this model, which never had to do without, what it writes while it reads is worth
# a few hundredths of a bit. Is so small a difference luck? The experiment `rivals`, to which we come soon, has trained the
# same Hope from three seeds. (Its seed 0 is your run once more; the third decimal may differ from machine to machine.)

# %%
from experiments.experiment import load

rivals = load("rivals")
found = {one["seed"]: one["figures"] for one in rivals.runs if one["arm"] == "Hope" and one["rate"] == 4e-3}
for seed, figures in found.items():
    written, silent = figures["bits_per_byte"], figures["bits_per_byte_eta_0"]
    print(f"seed {seed}: {written:.3f} bits per byte, {silent:.3f} without writes, {silent - written:.3f} saved")

# %% [markdown]
# No luck, then: in all three it is 0.04 bits per byte, while the seeds themselves lie farther apart than that.
#
# And here is what your model says. It continues unseen text byte by byte; the bar marks where that text ends. At `tiny`
# it has the shapes of words and of indented lines, not sense.

# %%
print(result["prompt"] + "|" + result["sample"])

# %% [markdown]
# ## Where does it not know?
#
# Bits per byte is a mean, and a mean hides where the bits are spent. Below you give the model a text of your own. It goes
# on with it, and each byte of both is shaded by what it costs: how many bits the model needed to tell it, knowing all bytes
# before. A byte to which it gave a chance of one half costs 1 bit; one in a thousand costs 10.

# %%
predict("11-letters")

# %%
from nlcore.viz.prompt import PromptBox

PromptBox(run)

# %% [markdown]
# *A beginning, and after the bar what the model added.* What it added is nonsense, and yet costs less than unseen text does on
# average, since it drew those bytes by the very chances that are counted here. (The beginning is cheaper still: few lines
# are as common in Python.) Type `return`, which it has met often, and then `retrun`: the wrong letters cost many times as
# much. At temperature 0 it soon says the same few words for ever.
#
# On 256 pieces of unseen text, by the kind of byte:

# %%
import torch
from nlcore import tasks
from nlcore.train.worth import bits
from experiments.held import kinds

model, tokenizer = train.load(run.folder.path)
unseen = tasks.prepare(tasks.load(cost.config.data), tokenizer).validation
T, N = 64, 8 if FAST else 256
text, _ = next(tasks.sequential(unseen, N, T, N))

if tokenizer.vocabulary == 256:  # a token is a byte
    costs, sorts = bits(model, text), kinds(text)  # of each byte but the first
    sorts["the rest"] = ~torch.stack(list(sorts.values())).any(0)
    for kind, there in sorts.items():
        print(f"{kind:16}{costs[there].mean():.2f} bits, {there.float().mean():.0%} of all bytes")

# %% [markdown]
# The first letter of a word costs almost twice as much as a letter inside, because it has to choose among all words, and
# each letter after it narrows the choice. Spaces and line ends cost least, as many of them come in rows. (The rest, of
# which you were not asked, are digits and signs such as `_` and `}`; they cost a little more even than first letters.)

# %% [markdown]
# ## Is that good? A fair rival
#
# A loss says little alone. So a Transformer++ of the same number of parameters, attention with rotary positions and gated
# MLPs, reads the same text. What would be fair? It has its own learning rate, the best of those tried. And *its schedule
# ends at the step that is compared*: the rate falls to a tenth as a run ends, and the loss drops with it, so that a model
# that is compared in the middle of a longer run looks worse than it is.

# %%
predict("11-rival")

# %%
rival = train.start(train.change(cost.config, model="transformer"))
rivals_result = follow(rival)["result"]
for name, its in (("Hope", result), ("Transformer++", rivals_result)):
    print(f"{name:14}{its['bits_per_byte']:.3f} bits per byte after {its['steps']:,} steps, {its['seconds']:.0f} seconds")

# %%
from nlcore.viz import plots
from nlcore.viz.show import show

show(
    plots.against(run.folder.path, rival.folder.path),
    alt="Bits per byte of both models, twice; Hope is the black line. By steps it lies below the Transformer's for most of the "
    "run, and at its end. By minutes the Transformer's line has ended before Hope's is half way, and lies below it until then.",
)  # fmt: skip

# %% [markdown]
# *Black is Hope here and in all pictures of this chapter, grey its rivals; marks are text held out.* After as many
# steps Hope is ahead. But a step of it costs more, because its memories are written as they read: measured in minutes, the
# Transformer has finished long before Hope. How long depends on what else your machine does; where both took turns, in the
# table below, a step of Hope takes 2.7 times as long. (`Dashboard(run, against=rival)` shows both live.)

# %% [markdown]
# One run of each could be luck, since another seed begins elsewhere and reads the text in another order. So here are three
# seeds, and three more rivals: Hope-Attention, chapter 10's; a Transformer with two heads, as many as Hope has; and an LSTM,
# a recurrence of 1997 without [associative memory](glossary.md#associative-memory). Once all get 380 *steps*, as Hope does,
# and once the *time* that these take Hope. Either way each schedule ends where it is compared.

# %%
from matplotlib import pyplot as plt

from nlcore.viz.theme import GREY, run_looks, tidy

figure, axes = plt.subplots(1, 2, figsize=(10, 2.9), layout="constrained", sharey=True, sharex=True)
arms = [row["arm"] for row in rivals.rows if row["leg"] == "equal time"]
for place, leg in zip(axes, ("equal steps", "equal time")):
    for row in (row for row in rivals.rows if row["leg"] == leg):
        look = run_looks(1)[0] if row["arm"] == "Hope" else run_looks(2)[1]
        place.plot(list(row["scores"].values()), [arms.index(row["arm"])] * 3, look.marker, color=look.colour, markersize=7, alpha=0.8)
    place.axvline(result["order1_entropy"], color=GREY, linestyle="dotted")
    tidy(place, f"At {leg}", "bits per byte; lower is better", "")
    place.set_yticks(range(len(arms)), arms)
    place.grid(axis="x", alpha=0.25)
axes[0].invert_yaxis()
show(
    figure,
    alt="A mark per seed for five models. At equal steps the LSTM lies lowest, near 2.93 bits per byte, Hope next at 3.12, and "
    "the three with attention between 3.33 and 3.44. At equal time Hope is last, 3.12, and the others lie from 2.21 to 2.76.",
)  # fmt: skip

# %% [markdown]
# *A mark is a seed; the dotted line is the order-1 entropy.* After as many steps, Hope's three seeds lie below all seeds of
# the models with attention. After as many minutes they lie above everybody's, since while Hope takes one step the Transformer
# takes almost three. And the LSTM is ahead in both. So `tiny` shows how such a model behaves; it gives no reason to choose it.

# %%
rivals

# %% [markdown]
# (`python -m experiments.rivals` makes it again. Rates were tuned at equal time; for the Transformer, another experiment
# tuned at 380 steps and found the same, 0.002.)
#
# Which of the two panels matters depends on what is scarce, time or text. The paper's comparison (Table 2) is at equal text,
# with models of 760M and 1.3B parameters, 1,800 and 3,000 times as large; nothing here says how that one would end in ours.

# %% [markdown]
# ## What does more time buy?
#
# A minute or two teaches the shapes of words. The course brings three models of this size that were trained for three
# quarters of an hour each, and `train.load` finds them by their names. Their cards say how they were made and what they
# reach:

# %%
from nlcore.train import pretrained

for name, folder in pretrained.available().items():
    its = pretrained.described(folder)[1]["figures"]
    print(f"{name:20}{its['bits_per_byte']:>7.3f} bits per byte{its['steps']:>8,} steps{its['seconds'] / 60:>5.0f} minutes")
    if its["bits_per_byte_eta_0"] is not None:
        print(f"{'  without writes':20}{its['bits_per_byte_eta_0']:>7.3f}")

# %% [markdown]
# A whole bit less for Hope, and what its memories are worth has grown with it: 0.15 bits per byte, where it was 0.04 after
# 380 steps. The other two are still ahead in the same time. (Each is one run with one seed, at a rate that was not tuned
# for so long a run, so their order is no result.)
#
# Below you can speak with `tiny-hope`. Give it the text that you gave the first one: words are spelt now, and lines look
# like code.

# %%
PromptBox("tiny-hope")

# %% [markdown]
# *The same beginning, the bar, and what `tiny-hope` adds.* Both parts are paler than before, since their bytes cost it less.

# %% [markdown]
# ## What does each level hold?
#
# Chapter 10 looked into a model that had trained for long. Does the young one hold a text too, and where? Stop a memory's
# writing, or skip a link, and see what is lost on 64 unseen bytes that come after *the same* 64, or after *another* 64.

# %%
predict("11-worth")

# %%
from nlcore.train.worth import worth
from nlcore.viz.held import held

before = {"the same text": text, "another text": text.roll(N // 3, 0)}

lost = {}
for name, first in before.items():
    both = torch.cat([first, text], dim=1)
    lost[name] = {level: its[:, T:] for level, its in worth(model, both).items()}
    print(f"after {name}: {bits(model, both)[:, T:].mean():.3f} bits per token")

# %%
show(
    held(lost),
    alt="One row a level, two points each: bits lost without it after the same text and after another. For the "
    "in-context memory the first lies far to the right of the second; for the others they lie close together.",
)

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Filled: after the same text; hollow: after another; lines: two standard errors.* Where its points lie says what a level is
# worth at all, which is most for `cms-3`; what it holds of the text is the distance of the two. So `memory` holds what was
# read: it is worth 0.06 bits per byte, here a token, after the same text, and next to nothing after another.
#
# </details>

# %% [markdown]
# ## How sure is that?
#
# In numbers, text by text, since each text is read in both ways and the difference is therefore surer than the two points:

# %%
gain = {level: lost["the same text"][level].mean(1) - lost["another text"][level].mean(1) for level in lost["another text"]}
for level, its in gain.items():
    print(f"{level:12} {its.mean():+.3f} bits more after the same text, +- {2 * its.std() / N**0.5:.3f}")

# %% [markdown]
# In this model the chain is not quite indifferent: `cms-3` is worth a little more after the same text, `cms-2` and `cms-1`
# a little less. None of them has changed between the two readings. What has changed is their input, for the memory hands
# them another answer, and what a link is worth depends on what it is given. Only `memory` can *hold* the text. (The zero of
# `projections` had to be: they act through what the main memory is made to write, and it writes nothing more before the 64
# bytes are over.)

# %% [markdown]
# That was one model, and the bars are over texts. Would another model say the same? `python -m experiments.held` trains
# three, each from a seed of its own, and measures each in the same way.

# %%
three = load("held")
(rate,) = {row["rate"] for row in three.rows}
of_seed = {one["seed"]: one["figures"] for one in three.runs if one["rate"] == rate}
print(" " * 6 + "".join(f"{level:>16}" for level in of_seed[0]["gain"]))
for seed, its in sorted(of_seed.items()):
    print(f"seed {seed}" + "".join(f"{of:+10.3f} ± {2 * its['gain_error'][level]:.3f}" for level, of in its["gain"].items()))

# %% [markdown]
# *Bits that a level is worth more after the same text than after another, ± two standard errors over texts.* The memory's
# gain comes again with every seed, though three times as large with one as with another (0.058, 0.019 and 0.025). What the
# chain showed does not: with the other two seeds its links lie within 0.005 of zero, on either side. So that was this model, and no
# law; an interval over texts cannot know what another training would have made.

# %% [markdown]
# ## Does the state wear out?
#
# Your run read sixteen windows of 256 bytes in a row before it began afresh. Each started from the state that the one before
# had left, and only the gradient ended with its window (`carry` is 15). Why so? A model whose windows all begin afresh has
# never met a state that is older than a window, and such a state may do it more harm than good.

# %% [markdown]
# To see it, we read stretches of unseen text that are sixteen windows long, twice. Once the state is carried on through all
# sixteen; once every window begins fresh. The bytes are the same, so that what the first way saves in a window is what the
# memory of all earlier windows is worth there.

# %% [markdown]
# The figures are stored; `python -m experiments.lasting` trains three seeds of each kind and makes them again. (Its Hope
# has four heads and wider memories than `tiny`.) The Transformer has no state of fixed size, so it reads on by
# a sliding window, in which each byte sees as many bytes before it as there were in training. The control is Hope with $\eta$ set
# to 0, which carries a state on in which nothing was written.

# %%
import numpy as np

lasting = load("lasting")
rates = {row["arm"]: row["rate"] for row in lasting.rows}  # the one that suits each kind best
TRAINED = "Hope, carry 15"


def saved(arm, reading="reading_on"):
    """Bits per byte that this reading saves over beginning each window fresh, (seeds, windows)."""
    runs = [one["figures"] for one in lasting.runs if one["arm"] == arm and one["rate"] == rates[arm]]
    return np.array([np.subtract(one["afresh"], one[reading]) for one in runs])


curves = {arm: saved(arm) for arm in (TRAINED, "Hope, every window fresh", "Transformer++, its own window")}
curves["Hope, carry 15, with eta 0"] = saved(TRAINED, "eta_0")
for name, curve in curves.items():
    print(f"{name:30} saves in window 2 {curve[:, 1].mean():+.3f}, in window 16 {curve[:, -1].mean():+.3f}")

# %%
ink, rivals_ink = (look.colour for look in run_looks(2))
drawn = dict(zip(curves, ((ink, "solid"), (ink, "dashed"), (rivals_ink, "solid"), (ink, "dotted"))))
figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
for name, curve in curves.items():
    windows, (colour, dash) = 1 + np.arange(curve.shape[1]), drawn[name]
    axes.plot(windows, curve.mean(0), label=name, color=colour, linestyle=dash)
    axes.fill_between(windows, curve.min(0), curve.max(0), color=colour, alpha=0.12, linewidth=0)
axes.axhline(0, color=GREY, linewidth=0.8)
tidy(axes, "What the windows before are worth", "window of 256 bytes", "bits per byte saved")
axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
show(
    figure,
    alt="Bits per byte saved against the window, 1 to 16. Hope trained with carry 15 rises to 0.05 in the second window "
    "and stays there; the Transformer lies at 0.02, Hope trained on fresh windows close to 0, the control below 0.",
)  # fmt: skip

# %% [markdown]
# *Lines are means of three seeds, bands reach from the lowest to the highest; black is Hope.*
#
# Trained with its state carried on, Hope saves 0.046 bits per byte in the second window, and 0.050 in the sixteenth. Trained on
# fresh windows only, it saves 0.014 in the second and next to nothing in the last. The sliding window is worth half as
# much to the Transformer, and less. The control lies below zero even in window 1, where nothing can be carried, because it
# lacks what each window writes for itself.

# %% [markdown]
# Look at what the line does *not* do, too: after the second window it does not rise. So the state does not wear out
# within sixteen windows, which is as far as training went. Nothing here says what comes after them, that the state
# gathers more and more, or what of the first window is left in it at the end.

# %% [markdown]
# ## Your own text; stop, resume, steer from code
#
# A run of a day will be interrupted, and a text of your own is what you want to train on. Any folder or file of text will
# do: set `data`. Here it is the source code of Python's `asyncio`. The run is steered from code: `cms-1` is to change four
# times as often. Then it is stopped, and resumed in a new process, exactly where it was: weights, optimizer, level clocks,
# place in the text.

# %%
import asyncio
from pathlib import Path

own = train.configure("tiny", data=str(Path(asyncio.__file__).parent), steps=64, report_every=2, batch=2,
                      validate_every=32, checkpoint_every=32, validation_windows=4, final_windows=8)
if FAST:
    own = train.change(own, steps=24, context=128)
mine = train.start(own)
while mine.alive() and mine.status().get("step", 0) < 8:
    mine.wait(0.2)
mine.command("period", "cms-1", 4)
mine.command("stop")
print(mine.wait()["sentence"].split(". ")[0] + ".")

# %%
mine = train.resume(mine.folder.path)
status_of_mine = follow(mine)
assert status_of_mine["state"] == "done", status_of_mine["sentence"]

commands, steps = mine.applied(), [(line["attempt"], line["step"]) for line in mine.metrics()]
for line in commands:
    print(f"before step {line['step']:3}: {line['sentence']}")
for attempt in (1, 2):
    done = [step for its, step in steps if its == attempt]
    print(f"process {attempt} reported steps {done[0]} to {done[-1]}")
assert [s for _, s in steps] == sorted({s for _, s in steps}), "no step is done twice"

# %%
figure = plots.level_score(mine.folder.path)
restart = commands[-1]["step"] - 1
figure.axes[0].axvline(restart, color="white", linestyle="dashed")
figure.axes[0].set_xlabel("step (dashed: the command, the stop, the resumption)")
show(
    figure,
    alt="A level score of the short run, a dashed line where it was stopped and resumed. The slowest row, cms-1, is dark before "
    "it; from there on it has a notch every four steps, as cms-2 has all along.",
)

# %% [markdown]
# *The dashed line: the command, the stop and the resumption.* Left of it, `cms-1` has not had its sixteen steps yet. Right
# of it, it fires every four, in a process that never got the command itself, since the clock is part of what was saved.

# %% [markdown]
# ## On GPUs
#
# Set `SIZE` and run the same cells. One GPU is found by itself; with several, `train.start` begins one process for each.
# From a terminal, on one machine or many:
#
#     python -m nlcore.train --size 160m
#     torchrun --nproc-per-node 8 -m -- nlcore.train --size 1.3b --parallel fsdp
#
# Each process computes its rows of every batch, so that the run is the same for one, two or eight. With `fsdp` they share the
# weights too.

# %% [markdown]
# `Dashboard("runs/160m-hope-1")` here shows such a run, live or ended, as long as this notebook sees its folder or a copy of it,
# and `Dashboard(one, against=other)` compares two while they train. Text for a large run is made into shards first; the README
# says how.

# %%
print(f"Here: {cost.device}")
print(f"GPUs: {torch.cuda.device_count()}; processes that train: {run.facts()['processes']}")

# %% [markdown]
# How does the score of a large model look? Here is a run with the clocks of `160m`, whose main memory is written every 64
# tokens and its projections every 256, and whose chain has four links, with periods of 1, 4, 16 and 64 steps. Width and depth
# are `tiny`'s, so that it could be trained here.

# %%
Dashboard(replay("large-clocks"))

# %% [markdown]
# *A cell is four steps; of the memories, the notches of its last step.* More rows now have a clock of their own. `memory` has
# eight notches in a cell, since eight chunks fill a window of 512 tokens, and `projections` two: here these are two levels,
# where `tiny` has one. Each link of the chain fires a quarter as often as the one above it, and the slowest, `cms-1`, four
# times in the whole run. At 20,000 steps it would do so 312 times, so that in a young run of this size a dark row says
# nothing yet.

# %% [markdown]
# ## What may go wrong, and what do the views show?
#
# What the program notices is one sentence, in the dashboard or the exception, and nothing is lost:
#
# | what | what happens |
# |---|---|
# | loss or weights become infinite | the run stops, names step, level and the last good checkpoint |
# | the process is killed | the dashboard says *lost*; Resume goes on from the newest checkpoint |
# | memory runs out | the advice is a smaller `micro_batch` |
# | two trainers in one folder | the second one refuses |
# | another text at a resume | refused, unless you accept it |

# %% [markdown]
# What it cannot notice, you have to see. Here are four stored runs that go wrong without a single infinite number. They have
# 120 steps, and but for that, in each one thing is not as it was in the sound run at the head of this chapter. Look first, and
# say what is wrong before you read on.

# %%
Dashboard(replay("eta-too-high"))

# %% [markdown]
# *The rate of a memory is too high.* `cms-3` also learns in context here, every 64 tokens (chapter 08), with a rate of 30 and next
# to no clip. Its row, the first, is as bright as a momentum's: at the beginning one step moves its weights by a third of their
# length, ten times as far as a write moves `memory`, which is no correction but a new guess. The loss falls with the other
# rows and stops at 4.5 bits per byte, above the order-1 entropy. Look for a row that is as bright as momenta are, and lower
# *its* rate, not all.

# %%
Dashboard(replay("dead-level"))

# %% [markdown]
# *A slow level is dead.* `cms-1` has a period of 512 and the run 120 steps; so its row is dark until the end, when the
# gradients that wait are used. The loss does not tell: the same run with a period of 16 ends at 3.67 bits per byte too. A third
# of the chain is paid for and learns nothing, and only the score shows it. Give a level a period of which many fit into the
# run, or steer it while it trains.

# %%
Dashboard(replay("collapsed-gate"))

# %% [markdown]
# *A gate has collapsed.* The learning rate is 25 times too high, and the first steps have pushed what makes $\alpha$ to where it
# says 0.4: of what the memory holds, two fifths stay at each token, and after a chunk nothing is left. Its row is dim, though it
# writes as often as ever; its surprise is twenty times that of the sound run; and the strip stays dark behind byte 65. The
# control agrees: with $\eta$ at 0 the result is the same to the third digit. Where the edge in the strip is missing, look at
# $\alpha$.

# %%
Dashboard(replay("data-stall"))

# %% [markdown]
# *The data stall.* The score is that of a sound run, and so is the loss by steps: from step 41 to 70 each batch came two seconds
# late, and no level knows of time. While it plays, a sentence above the picture says that training waits for its data. In
# the file it is `data_seconds`:

# %%
waits = replay("data-stall").metrics()
share = [line["data_seconds"] / (line["elapsed"] - before["elapsed"]) for before, line in zip(waits, waits[1:])]
figure, axes = plt.subplots(figsize=(9, 2.4), layout="constrained")
axes.step([line["step"] for line in waits[1:]], share, where="pre", color=run_looks(1)[0].colour)
axes.set_ylim(0, 1)
tidy(axes, "How much of its time training waits for data", "step", "share of the time")
show(
    figure,
    alt="The share of the time that training waits for its data, by step: near 0, but for steps 44 to 71, where it is about 0.7, with a gap after step 60.",
)  # fmt: skip

# %% [markdown]
# The gap is the validation at step 60, during which the thread that reads ahead caught up. So a disk that is slow now and then
# costs nothing; one that is slower than the steps always does, and is healed at the disk, or by shards made ahead, whose
# tokens take a fraction of the room of text.

# %% [markdown]
# ## Where are we in the nest?
#
# In all of it. This chapter builds no box of the map; it trains them together. Here are the first 48 steps of your
# run once more, so near that each update has its notch.

# %%
show(
    plots.level_score(run.folder.path, last=48),
    alt="A level score of six rows over 48 steps. Memory and projections have four notches in each cell of two steps, weights "
    "and cms-3 two, cms-2 one in every second cell, and cms-1 one at steps 16, 32 and 48.",
)  # fmt: skip

# %% [markdown]
# *A cell is two steps, a notch an update; of the memories, the four of the cell's last step.* Who writes? In the two upper
# rows the memories themselves, by [Delta Gradient Descent](glossary.md#delta-gd); below, AdamW. Into what? Into the state of a
# text; into weights. How often? Four times per window; every step, every fourth, every sixteenth. From which
# [context](glossary.md#context-flow)? From the text so far, and with `carry` from up to sixteen windows of it; from batches, of
# which `cms-1` gathers sixteen.

# %% [markdown]
# To whom is knowledge [handed](glossary.md#knowledge-transfer)? The weights give each memory its start when a text begins
# (*initialisation*), and the projections give the main memory its keys, values and rates (*generation*). What the memories
# answer goes on into the weights (*parametric*), and the gradient comes back through their writes, as far as the beginning
# of the window and no farther. The weights and the links of the chain learn from one flow of gradient, each at its own
# frequency (*backpropagation*).

# %%
from nlcore.viz.hope_map import hope_map

hope_map(11)

# %% [markdown]
# *The whole of Hope, with the frequencies of size `laptop`.* At `tiny` the two upper boxes are written equally often, every
# 64 tokens. Each box is a row of the level score that you watched, but for the squares, which have none there. The lines
# say who hands knowledge to whom, chapter 07's subject.

# %% [markdown]
# ## Summary
#
# 1. A level score says who changes, when and how much; the strip, what the memory makes of a text.
# 2. A trial says what a run costs; training lives in its own processes; a notebook only watches and steers.
# 3. Fair is: own rates, schedules that end where they are compared, seeds; and to say whether steps or minutes are equal.
# 4. At `tiny` Hope beats the models with attention step for step, loses to them minute for minute, and an LSTM beats all.
# 5. This Hope's main memory holds the text just read; trained to be carried on, it does not wear out in sixteen windows.

# %% [markdown]
# ## Sources
#
# - Behrouz, Razaviyayn, Zhong, Mirrokni (2025), [Nested Learning](https://arxiv.org/abs/2512.24695), section 9.3 and Table 2.
# - The rivals: Vaswani et al. (2017), [Attention is all you need](https://arxiv.org/abs/1706.03762), whose ++ are rotary positions
#   and a gated MLP, as in [LLaMA](https://arxiv.org/abs/2302.13971) (2023); Hochreiter, Schmidhuber (1997), [Long short-term
#   memory](https://doi.org/10.1162/neco.1997.9.8.1735).
# - Why schedules have to end where they are compared: Hoffmann et al. (2022), [Training compute-optimal large language
#   models](https://arxiv.org/abs/2203.15556). State carried on with its gradient cut: Dai et al. (2019),
#   [Transformer-XL](https://arxiv.org/abs/1901.02860).
# - Entropy of text from the letters before: Shannon (1951), [Prediction and entropy of printed
#   English](https://doi.org/10.1002/j.1538-7305.1951.tb01366.x).

# %% [markdown]
# ## Exercise 1: who fired? (easy, 5 minutes)
#
# A row of `levels.jsonl` is one level at one report. It has `level`, `step` and `fired`, which says whether that
# level has fired since the report before. At which steps do the reports say so of a given level?
#
# <details><summary>Hint</summary>
#
# A level that did not fire has a row too.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return [row["step"] for row in rows if row["level"] == level and row["fired"]]`
#
# </details>

# %%
from nlcore.exercises.chapter_11 import (
    RATES, RUNS, SEEDS, check_bits_per_byte, check_cost, check_fired, check_gap, check_runs, trained,
)  # fmt: skip


def fired(rows, level):
    """The steps at whose reports `level` had fired, in order."""
    return []


print(check_fired(fired))

# %% [markdown]
# ## Exercise 2: bits per byte (middle, 10 minutes)
#
# A model reads tokens that stand for 3.7 bytes on average, with a loss of 2.1 nats per token. How many bits per byte is
# that? Without this step, losses of two tokenizers cannot be compared.
#
# <details><summary>Hint</summary>
#
# A nat is $1/\ln 2$ bits. A token's bits are shared by its bytes.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return nats / math.log(2) / bytes_per_token`
#
# </details>

# %%
import math


def bits_per_byte(nats, bytes_per_token):
    """Bits per byte, from nats per token."""
    return None


print(check_bits_per_byte(bits_per_byte))

# %% [markdown]
# ## Exercise 3: what does a level cost? (easy, 5 minutes)
#
# Four levels of 1,000 parameters each have periods 1, 4, 16 and 64. How many parameters are updated
# per step, on average? (Section 7.1: this is why many slow levels are cheap.)
#
# <details><summary>Hint</summary>
#
# A level with period 4 is updated in one step of four.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return sum(parameters / period for period in periods)`
#
# </details>

# %%
def updated(parameters, periods):
    """Parameters updated per step, on average; each level has `parameters` of them."""
    return None


print(check_cost(updated))

# %% [markdown]
# ## Exercise 4: four runs, three of them ill (middle, 15 minutes)
#
# *Diagnose.* `RUNS[name]` is what `levels.jsonl` holds of 128 steps: rows with `level`, `step`, `period`, `unit`, `writes`,
# `update_norm`. In one run a level is `"late"`, and stops firing; in one a level is `"hurried"`, and fires more often than its
# period says; in one a level is `"silent"`, and writes nothing though it fires; and one is `"sound"`. Name them, by what you count.

# %% [markdown]
# <details><summary>Hint</summary>
#
# From its period you can say how often a level should fire, in the first half as in the second. And to fire is not yet to move.
#
# </details>
#
# <details><summary>Solution</summary>
#
# `{"A": "hurried", "B": "silent", "C": "sound", "D": "late"}`. In A `cms-2` fires 32 times in 128 steps if sound, and 98
# times there; in B every update of `memory` is 0, as with $\eta = 0$; in D `cms-1` fired last at step 64.
#
# </details>

# %%
print(", ".join(f"{name}: {len(rows)} rows" for name, rows in RUNS.items()))
print("One of them:", RUNS["A"][1])
print(check_runs({"A": "", "B": "", "C": "", "D": ""}))

# %% [markdown]
# ## Exercise 5: a fair judge (hard, 20 minutes)
#
# *Build.* `train(model, rate, steps, seed)` returns the loss after each step of a run whose schedule ends with its last step;
# the model is `"A"` or `"B"`. How much more does B lose than A after `steps` steps, if both are treated alike? The cell shows
# two ways to be unfair. In the world of `trained` you may try yours; the check has another world.

# %% [markdown]
# <details><summary>Hint</summary>
#
# Three things have to be each model's own, or all there are: the rate, the schedule, the seeds. Which rate is best for a
# model, by its mean over the seeds?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `mean = lambda model, rate: sum(train(model, rate, steps, seed)[-1] for seed in seeds) / len(seeds)`, and then
# `return min(mean("B", rate) for rate in rates) - min(mean("A", rate) for rate in rates)`.
#
# </details>

# %%
longer = trained("B", 0.002, 400, 0)[99] - trained("A", 0.004, 100, 0)[-1]
one_rate = trained("B", 0.004, 100, 0)[-1] - trained("A", 0.004, 100, 0)[-1]
print(f"B read at step 100 of 400: {longer:+.2f}; both at A's rate: {one_rate:+.2f}")


def gap(train, rates, seeds, steps):
    """What B loses after so many steps, minus what A loses."""
    return None


print("Yours:", gap(trained, RATES, SEEDS, 100))
print(check_gap(gap))
