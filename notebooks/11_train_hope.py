# %% [markdown]
# # 11 · Train Hope at full scale
#
# **After this notebook** you can say what a run costs before it starts, train Hope on any size of
# machine, watch and steer its levels, and measure what each level is worth.
#
# **You need** nothing but this notebook; the text is already on your machine. **Time:** 25 minutes to read. Three of
# them the cells compute, at size `tiny` on two CPU cores.
#
# The same cells drive every size. On a GPU, change one word: `SIZE`.

# %%
import asyncio
import os
from pathlib import Path

from nlcore import sizing, train, trial
from nlcore.viz import plots
from nlcore.viz.follow import follow
from nlcore.viz.predictions import predict
from nlcore.viz.show import show

FAST = os.environ.get("NL_FAST") == "1"  # a few steps only, for the tests

# %% [markdown]
# ## What does a size cost here?
#
# One dial sets everything: width, depth, context, batch and steps. The table is an estimate for each
# size, from one block timed now. *fits* says how many sequences of a batch fit in memory at once.

# %%
print(sizing.table(sizing.sizes()))

# %% [markdown]
# Choose, and measure before you start. The trial takes a few real steps in a process of its own and
# gives the memory back. A size that does not fit, or would take too long to try, is one sentence.

# %%
SIZE = "tiny"  # or laptop, 160m, 760m, 1.3b

config = train.configure(SIZE, report_every=2)
if FAST:
    config = train.change(config, steps=16, batch=2, context=128, validate_every=8, validation_windows=2,
                          final_windows=2)
cost = trial.measure(config)
print(cost)

# %% [markdown]
# ## Who will change, and how often?
#
# Hope is a stack of blocks. In each, five small memories rewrite themselves while they read (eq.
# 83-90): the main one, and those that make keys, values and the two rates. Then comes the continuum
# memory (eq. 70-71), a chain of networks that the optimizer updates at different periods. The fastest
# level changes within one sequence; the slowest waits many steps.

# %%
from nlcore.models import PRESETS, build

for level in build("hope", PRESETS["tiny"], 256).levels():
    print(f"{level.name:12} changes every {level.period:>3} {level.unit}")

# %%
predict("11-rows")

# %% [markdown]
# ## Start
#
# Training runs in a process of its own; with several GPUs, in one process for each, under `torchrun`.
# So this kernel stays free, and nothing that happens to it harms the run. Everything is written to a
# folder. `train.attach(folder)` finds a run again.

# %%
run = train.start(cost.config)
print("Everything is written to", run.folder.path)

# %% [markdown]
# ## Watch and steer
#
# This is the run: its loss, under the same axis the level score as it grows, surprise shaded over text, a sample. The line
# across the loss is the order-1 entropy, of which the next section speaks: below it, the model knows more than pairs of
# letters. Look for your answer in the first hundred steps of the score; drag over it to look closer. What its cells and
# notches mean stands below it, under *How to read this*.

# %% [markdown]
# Pause the run, or pull a slider, and see which rows answer. Close the browser, or restart the kernel: training
# goes on, and `Dashboard("runs/...")` with the folder's name finds it again.
#
# The cell after the dashboard waits for the end, and buttons wait with it: play first, or interrupt the kernel to
# have them back. The run goes on.

# %%
from nlcore.viz.dashboard import Dashboard

Dashboard(run)

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *The whole run. Each row is a level, fastest on top; brightness is the size of an update against the
# norm of what it changed.* The memories change in every step, many times. The slowest row lights up
# once in 16 steps, so 6 times in the first 100.
#
# </details>

# %%
status = follow(run)
assert status["state"] == "done", status["sentence"]
result = status["result"]

# %% [markdown]
# ## Did it learn?
#
# The measure is bits per byte on text the model has not seen: how many bits it needs, on average, to
# tell the next byte. A byte has 8. The *order-1 entropy* is the least that anyone can reach who knows
# only the byte before, and this very text's statistics. Below it, a model knows more than letter pairs.

# %%
hope, frozen, pairs = (result[name] for name in ("bits_per_byte", "bits_per_byte_eta_0", "order1_entropy"))
print(f"Hope                         {hope:.3f} bits per byte")
print(f"Hope, memories do not write  {frozen:.3f}")
print(f"Order-1 entropy              {pairs:.3f}")
print(f"{result['parameters']:,} parameters, {result['tokens_per_second']:,.0f} tokens a second")
if not FAST:
    assert hope < pairs, "the model knows no more than letter pairs"
    assert hope < frozen, "the memories are of no use"

# %% [markdown]
# The second line is the same trained model with its inner rate $\eta$ set to 0: the memories stay as
# they began, in every sequence. What it loses is what writing while reading was worth to it.
#
# Here is what it says. It continues unseen text byte by byte; the bar marks where that text ends. At
# `tiny` it has the shapes of words and of indented lines, not sense.

# %%
print(result["prompt"] + "|" + result["sample"])

# %% [markdown]
# ## Where does it not know?
#
# Bits per byte is a mean, and a mean hides where the bits are spent. Below you give the model a text of your own. It
# goes on with it, and each byte of both is shaded by its surprise: how many bits the model needed to tell it, knowing
# all bytes before. A byte to which it gave a chance of one half costs 1 bit; one in a thousand costs 10.

# %%
predict("11-letters")

# %%
from nlcore.viz.prompt import PromptBox

PromptBox(run)

# %% [markdown]
# *A beginning, and after the bar what the model added.* What it added is nonsense, and yet costs less than real text did
# above, since it chose those bytes by the very chances that are counted here. Type `return`, which it has met often, and
# then `retrun`: the wrong letters cost many times as much. At temperature 0 it soon says one word for ever.
#
# On 256 pieces of unseen text, by the kind of byte:

# %%
import torch
from nlcore import tasks
from nlcore.train.worth import bits

model, tokenizer = train.load(run.folder.path)
unseen = tasks.prepare(tasks.load(cost.config.data), tokenizer).validation
T, N = 64, 8 if FAST else 256
text, _ = next(tasks.sequential(unseen, N, T, N))

if tokenizer.vocabulary == 256:  # a token is a byte
    surprise = bits(model, text)  # of each byte but the first
    letters = torch.tensor([[chr(byte).isascii() and chr(byte).isalpha() for byte in piece] for piece in text.tolist()])
    now, before = letters[:, 1:], letters[:, :-1]
    space = (text[:, 1:] == ord(" ")) | (text[:, 1:] == ord("\n"))
    for kind, there in {"first letter": now & ~before, "letter inside": now & before, "space, line end": space}.items():
        print(f"{kind:16}{surprise[there].mean():.2f} bits, {there.float().mean():.0%} of all bytes")

# %% [markdown]
# ## Is that good? A fair rival
#
# A Transformer++ of the same number of parameters reads the same text for the same time, in the same
# axes, which you can switch from steps to minutes. A step of Hope costs more, since its memories are written as they read.

# %%
predict("11-rival")

# %%
rival = train.start(train.change(cost.config, model="transformer", seconds=result["seconds"]))
Dashboard(rival, against=run)

# %%
rivals = follow(rival)["result"]
print(f"{'':16}{'bits/byte':>10}{'steps':>8}{'seconds':>9}{'tokens/s':>10}")
for name, its in (("Hope", result), ("Transformer++", rivals)):
    print(f"{name:16}{its['bits_per_byte']:>10.3f}{its['steps']:>8,}{its['seconds']:>9.0f}{its['tokens_per_second']:>10,.0f}")

measured = [{line["step"]: line["validation_bits_per_byte"] for line in one.metrics() if line["validation_bits_per_byte"]}
            for one in (run, rival)]
both = max(measured[0].keys() & measured[1].keys())
print(f"After {both} steps of each, on a smaller piece: Hope {measured[0][both]:.3f}, Transformer++ {measured[1][both]:.3f}")

# %%
show(
    plots.against(run.folder.path, rival.folder.path),
    alt="Bits per byte of both models, twice. By steps, Hope's curve lies lower as far as it goes. By minutes, the "
    "Transformer's falls below it early, since it takes more than twice as many steps in the same time.",
)

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# At `tiny`, on a CPU, in one run each: Hope learns more from a step, and the Transformer more from a
# minute.
#
# </details>

# %% [markdown]
# One run of each could be luck, since another seed begins elsewhere and reads the text in another order. So here are
# three seeds, and three more rivals: Hope-Attention, which is plain attention and then Hope's continuum memory; a
# Transformer with two heads, as many as Hope has; and an LSTM, a recurrence without associative memory.

# %% [markdown]
# In the first table all have the time of Hope's 380 steps, and each has the learning rate that is best there; in the
# second they take as many steps as Hope, at the same rates. Either way the rate runs through its whole schedule. The
# tables are stored, and `python -m experiments.rivals` makes them again.

# %%
from experiments.experiment import load

load("rivals")

# %% [markdown]
# From a step, Hope learns more than the Transformer and than Hope-Attention; from a minute it learns least of all, since
# while it takes one step the Transformer takes almost three. And the LSTM, which is older than all of them and has no
# associative memory, is ahead in both tables. So `tiny` shows how such a model behaves; it gives no reason to choose it.
#
# Which of the two tables matters depends on what is scarce, time or text. The paper's own comparison
# is at equal text, with models two and three thousand times as large; nothing here says how that ends.

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
        print(f"{'  memories silent':20}{its['bits_per_byte_eta_0']:>7.3f}")

# %% [markdown]
# A whole bit less for Hope, and what its memories are worth has grown with it: they save three times as much as after
# 380 steps. The other two are still ahead in the same time. (Each is one run with one seed, at a rate that was
# not tuned for so long a run, so their order is no result.)
#
# Below you can speak with `tiny-hope`. Give it the text that you gave the first one: words are spelt now, and lines look
# like code.

# %%
PromptBox("tiny-hope")

# %% [markdown]
# ## What does each level hold?
#
# Take a level away and see what is lost: the levels that write while they read are stopped from writing, a level of the
# continuum memory is skipped. The model reads 64 tokens of unseen text, once after *the same* 64
# tokens, and once after 64 of *another* text.
#
# Which levels are worth more after the same text?

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
# The text is cheaper to read again, and the row `memory` says who remembers it: what it holds now is worth 0.06 bits a
# byte, and after another text next to nothing. Each level of the continuum memory is worth about as much after either,
# within 0.02 bits, because it holds what texts have in common. `projections`, at this size, hold nothing that is missed.
#
# </details>

# %% [markdown]
# In numbers, level by level:

# %%
gain = {level: lost["the same text"][level].mean(1) - lost["another text"][level].mean(1) for level in lost["another text"]}
for level, its in gain.items():
    print(f"{level:12} {its.mean():+.3f} bits more after the same text, +- {2 * its.std() / N**0.5:.3f}")
if not FAST:
    assert gain["memory"].mean() > 4 * gain["memory"].std() / N**0.5, "the memory does not hold the text"

# %% [markdown]
# ## Does the state wear out?
#
# The run above read sixteen windows, of 256 bytes each, in a row before it began afresh: each started from the state
# that the one before had left, and only the gradient ended with its window (`carry` is 15). Without such training a
# state that is older than a window is something that the model has never seen, and it may do more harm than good.

# %% [markdown]
# To see it, we read stretches of unseen text that are sixteen windows long, twice. Once the state is carried on
# through all sixteen; once every window begins fresh. The bytes are the same, so what the first way saves in a window
# is what the memory of all earlier windows is worth there.

# %% [markdown]
# The figures are stored; `python -m experiments.lasting` trains three seeds of each kind and makes them again. Its models
# have four heads and wider memories than `tiny` has now. The Transformer has no state of fixed size, so it goes on
# reading by a sliding window, in which each byte sees as many bytes before it as there were in training. The control is
# Hope with $\eta$ set to 0: it carries its state on too, but has written nothing into it.

# %%
import numpy as np

lasting = load("lasting")
rates = {row["arm"]: row["rate"] for row in lasting.rows}  # the one that suits each kind best
TRAINED = "Hope, carry 15"


def saved(arm, reading="reading_on"):
    """Bits per byte that this reading saves over beginning each window fresh, (seeds, windows)."""
    runs = [run["figures"] for run in lasting.runs if run["arm"] == arm and run["rate"] == rates[arm]]
    return np.array([np.subtract(run["afresh"], run[reading]) for run in runs])


curves = {arm: saved(arm) for arm in (TRAINED, "Hope, every window fresh", "Transformer++, its own window")}
curves["Hope, carry 15, with eta 0"] = saved(TRAINED, "eta_0")
for name, curve in curves.items():
    print(f"{name:30} saves in window 2 {curve[:, 1].mean():+.3f}, in window 16 {curve[:, -1].mean():+.3f}")

# %%
from matplotlib import pyplot as plt

from nlcore.viz.theme import run_looks, tidy

figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
for (name, curve), look in zip(curves.items(), run_looks(len(curves))):
    windows = 1 + np.arange(curve.shape[1])
    axes.plot(windows, curve.mean(0), label=name, color=look.colour, linestyle=look.dash)
    axes.fill_between(windows, curve.min(0), curve.max(0), color=look.colour, alpha=0.15, linewidth=0)
tidy(axes, "What the windows before are worth", "window of 256 bytes", "bits per byte saved")
axes.set_ylim(top=0.11)
axes.legend(frameon=False, ncols=2, loc="upper left")
show(
    figure,
    alt="Bits per byte saved against the window, 1 to 16. Hope trained with carry 15 rises to 0.05 in the second window "
    "and stays there; the Transformer lies at 0.02, Hope trained on fresh windows close to 0, the control below 0.",
)

# %% [markdown]
# *Lines are means of three seeds, bands reach from the lowest to the highest.*
#
# <details><summary>What you just saw</summary>
#
# Trained with its state carried on, Hope saves 0.05 bits per byte in the second window, and still in the sixteenth.
# Trained on fresh windows only, it saves 0.014 in the second and next to nothing in the last. The sliding window is
# worth less than half of that to the Transformer. The control lies below zero, because it lacks even what each window
# writes for itself.
#
# </details>

# %% [markdown]
# Look at what the line does *not* do, too: after the second window it does not rise. So the state does not wear out
# within sixteen windows, which is as far as training went. Nothing here says what comes after them, that the state
# gathers more and more, or what of the first window is left in it at the end.

# %% [markdown]
# ## Your own text; stop, resume, steer from code
#
# Any folder or file of text will do: set `data`. Here it is the source code of Python's `asyncio`. The
# run is steered from code: `cms-1` is made four times as fast. Then it is stopped, and resumed in a new
# process, exactly where it was: weights, optimizer, level clocks, place in the text.

# %%
own = train.configure("tiny", data=str(Path(asyncio.__file__).parent), steps=64, report_every=2, batch=2,
                      validate_every=32, checkpoint_every=32, validation_windows=4, final_windows=8)
if FAST:
    own = train.change(own, steps=24, context=128)
mine = train.start(own)
while mine.alive() and mine.status().get("step", 0) < 8:
    mine.wait(0.2)
mine.command("period", "cms-1", 4)
mine.command("stop")
print(mine.wait()["sentence"].split(":")[0])

# %%
mine = train.resume(mine.folder.path)
status = follow(mine)
assert status["state"] == "done", status["sentence"]

for line in mine.applied():
    print(f"before step {line['step']:3}: {line['sentence']}")
steps = [(line["attempt"], line["step"]) for line in mine.metrics()]
print("attempt 1 to step", max(s for a, s in steps if a == 1), "and attempt 2 to step", max(s for a, s in steps if a == 2))
assert [s for _, s in steps] == sorted({s for _, s in steps}), "no step is done twice"

# %%
show(
    plots.level_score(mine.folder.path),
    alt="A piano roll of the short run. One row a level; the slowest row, cms-1, changes every 4 steps from the "
    "command on, in the first process and in the one that resumed it.",
)

# %% [markdown]
# ## On GPUs
#
# Set `SIZE` and run the same cells. One GPU is found by itself; with several, `train.start` begins one
# process for each. From a terminal, on one machine or many:
#
#     python -m nlcore.train --size 160m
#     torchrun --nproc-per-node 8 -m -- nlcore.train --size 1.3b --micro-batch 64
#
# Then `Dashboard("runs/160m-hope-1")` here shows it, live or ended, as long as this notebook sees the
# folder. `--data` takes your text there too.

# %%
print(f"Here: {cost.device}")
print(f"GPUs: {torch.cuda.device_count()}, so training takes {run.facts()['processes']} process(es)")

# %% [markdown]
# ## What may go wrong
#
# Each of these is one sentence, in the dashboard or the exception, and nothing is lost:
#
# | what | what happens |
# |---|---|
# | loss or weights become infinite | the run stops, names step, level and the last good checkpoint |
# | the process is killed | the dashboard says *lost*; Resume goes on from the newest checkpoint |
# | memory runs out | the advice is a smaller `micro_batch` |
# | two trainers in one folder | the second one refuses |
# | another text at a resume | refused, unless you accept it |

# %% [markdown]
# ## Where are we in the nest?
#
# In all of it: this chapter builds no part of Hope, but trains them together.

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
# 1. A trial of three steps says what a run costs before it starts.
# 2. Training lives in its own processes and its own folder; a notebook only watches and sends commands.
# 3. The level score shows who changes when: memories within a sequence, the slowest level once in 16 steps.
# 4. At equal steps and at equal time the better model may be another one: say which you mean.
# 5. What a level holds is what is lost without it, and that is a number.

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
from nlcore.exercises.chapter_11 import check_bits_per_byte, check_cost, check_fired


def fired(rows, level):
    """The steps at whose reports `level` had fired, in order."""
    return []


print(check_fired(fired))

# %% [markdown]
# ## Exercise 2: bits per byte (middle, 10 minutes)
#
# A model reads tokens that stand for 3.7 bytes on average, with a loss of 2.1 nats a token. How many
# bits per byte is that? Without this step, losses of two tokenizers cannot be compared.
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
# ## Exercise 3: what does a level cost? (middle, 10 minutes)
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
