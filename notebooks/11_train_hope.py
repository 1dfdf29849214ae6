# %% [markdown]
# # 11 · Train Hope
#
# You will train a Hope model on real text, watch each of its levels update, and measure whether
# its memories are of any use.
#
# **You need** nothing but this notebook; the text is already on your machine.
# **Time**: about three minutes at size `tiny` on two CPU cores.
#
# This is the chapter's first form: the larger sizes' results are still to come.

# %%
import os

from nlcore import sizing, train
from nlcore.models import PRESETS, build
from nlcore.train import device
from nlcore.viz import plots
from nlcore.viz.follow import follow
from nlcore.viz.show import show

FAST = os.environ.get("NL_FAST") == "1"  # a few steps only, for the tests

# %% [markdown]
# ## Which size?
#
# One dial sets everything: width, depth, context, batch and steps. The table estimates what each size
# needs on this machine. The time comes from one block that is timed now and scaled by parameters
# and tokens, so take it as a guide. *fits* says whether a whole batch fits in memory at once, or
# how many of its sequences do; give that number as `micro_batch`.

# %%
print(device.choose("auto", "auto"))
print(sizing.table(sizing.sizes()))

# %%
SIZE = "tiny"  # or laptop, 160m, 760m, 1.3b

# %% [markdown]
# ## Who will change, and how often?
#
# Hope is a stack of blocks. In each, five small memories rewrite themselves while they read: the main
# one, and those that make keys, values and the rates. Then comes the continuum memory, a chain of
# networks that the optimizer updates at different periods. So the model has levels. The fastest
# changes within one sequence of tokens; the slowest waits many steps of the optimizer.

# %%
model = build("hope", PRESETS[SIZE], PRESETS[SIZE].vocabulary)
for level in model.levels():
    print(f"{level.name:12} changes every {level.period:>3} {level.unit}")

# %% [markdown]
# Before you go on, **predict**. Draw a piano roll: one row for each level, one column for each step,
# a dot where a level changes. Which rows are full? Which is almost empty, and how many dots
# does it have in the first 100 steps? Keep your answer for the picture below.

# %% [markdown]
# ## Start
#
# Training runs in a process of its own. It writes everything to a folder and goes on if you
# interrupt this notebook or close it. `train.attach(folder)` finds it again, and
# `train.resume(folder)` continues a run that was stopped or killed, exactly where it was.

# %%
config = train.configure(SIZE, report_every=4)
if FAST:
    short = dict(steps=16, batch=2, context=128, validate_every=8, validation_windows=2, final_windows=2)
    config = train.change(config, **short)
run = train.start(config)
print("Everything is written to", run.folder.path)

# %% [markdown]
# ## Watch and steer
#
# This is the run, live: loss, speed, the level score as it grows, a sample, surprise shaded over
# text. Pause it, or pull a slider, and see which rows answer. The dashboard only reads the run's
# folder. Close the browser or restart the kernel: training goes on, and the cell finds it again.
#
# The cell after it waits for the end. Buttons wait with it, so play first.

# %%
from nlcore.viz.dashboard import Dashboard

Dashboard(run)

# %%
status = follow(run)
assert status["state"] == "done", status["sentence"]
result = status["result"]

# %% [markdown]
# ## Did it learn?
#
# The measure is bits per byte on text the model has not seen: how many bits it needs, on average,
# to tell the next byte. A byte has 8. The *order-1 entropy* is the least that anyone can reach who
# knows only the byte before, and knows this very text's statistics. A model below it uses more than
# letter pairs.

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
# The second line is the same trained model with the inner learning rate eta set to 0: its memories
# stay as they began, in every sequence. What it loses is what writing while reading was worth to it.
#
# Now the course of it. On the left, the loss on training text (pale) and on unseen text (markers).
# On the right, the size of each level's updates, on a logarithmic scale.

# %%
show(
    plots.curves(run.folder.path),
    alt="Two plots over training steps. Left: bits per byte fall, steeply at first, on training and on "
    "unseen text. Right: the norm of each level's updates, one line a level.",
)

# %% [markdown]
# ## The level score
#
# Here is your piano roll: fastest level on top, brighter where the update was larger against the
# weights it changed. A column is a report, one every 4 steps. The in-context memories change in
# every step, many times; the slowest row has a dot every 16 steps, so 6 in the first 100. Was your
# prediction right?

# %%
show(
    plots.level_score(run.folder.path, last=200),
    alt="A piano roll of the first 200 steps. One row a level, fastest on top, with a dot where the "
    "level changed: rows get emptier from top to bottom, and the slowest has a dot every 16 steps.",
    name="level_score",
)

# %% [markdown]
# ## What does it say?
#
# The model continues a piece of unseen text, one byte at a time. After minutes of training on a
# small machine it has the shapes of words and of indented lines, not sense: at size `tiny` it has
# fewer than half a million parameters. The bar marks where the given text ends.

# %%
print(result["prompt"] + "|" + result["sample"])

# %% [markdown]
# ## What to try next
#
# - **Steer it.** While it runs: `run.command("period", "cms-2", 8)` or `run.command("lr_scale", value=0.5)`.
#   Then look at `run.applied()` and draw the score again.
# - **Kill it.** `kill -9` its process, then `train.resume(run.folder.path)`.
# - **Your own text.** `train.configure(SIZE, data="path/to/folder")`.
# - **A fair rival.** `train.configure(SIZE, model="transformer")`, then `plots.curves(one, other)`.
# - **A GPU.** Set `SIZE = "laptop"` or more: a GPU is used where there is one.
