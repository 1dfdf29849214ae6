# %% [markdown]
# # 00 · Start here: the illusion in one picture
#
# **After this notebook** you can say what a level is, read a level score, and tell what each part
# of a language model still knows of a text it has just read.
#
# **You need** some Python, and to know what a vector and a matrix are. **Time:** 20 minutes; every
# cell runs in seconds on a laptop.
#
# Run a cell with Shift+Enter. Pictures come alive when you run the cell above them. If nothing appears, choose Restart
# Kernel in the menu Kernel, and run the cells again from the top.

# %% [markdown]
# ## What does a model remember, and for how long?
#
# A language model that is in use seems to remember two things: the text in front of it, and what it
# was trained on, perhaps years ago. What it read an hour ago is in neither. Attention, an MLP, a recurrent layer, an
# optimizer seem to be parts of different kinds. The paper (arXiv 2512.24695, section 5.1) calls this heterogeneity the
# illusion of its title: they are the same thing, memories that learn, and they look different because we do not see *when*
# each of them learns. A set that changes at one frequency is a **level**.

# %% [markdown]
# Below, seven memories read the same 52 words. All rows are one kind of memory with other settings; a word is
# highlighted as strongly as that memory recalls it now. Marks under the words show when it was updated.
#
# The picture asks you something before it plays. Guess even if you do not know: who has guessed sees more, and whether
# you were right matters less. “Show me anyway” is there too.

# %%
from nlcore.viz.explorers.clock_of_levels import clock_of_levels

clock_of_levels().predict("00-clock")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Seven levels read Lewis Carroll, Through the Looking-Glass.* After the last word, the fast rows know
# the end and little else. The slow rows know much more, but not the last words: their update has not
# come yet. Pre-training knows “the”, “it”, “to”, met long ago, and never learns “jam”.
#
# </details>

# %% [markdown]
# A Transformer in use has the first row and the last, and nothing between. The missing rows are what
# this course builds. Each is a real memory here, written as the text is read.

# %% [markdown]
# ## What is such a memory?
#
# A matrix $W$ that answers a key $k$ with a value $v$. To write, keep a part $\alpha$ of the old
# matrix and add the new pair, scaled by a rate $\eta$ (eq. 64; eq. 5 is the same with
# $\eta = 1$, and eq. 15 and 18 with $\alpha = 1$ as well):
#
# $$W_t = \alpha\, W_{t-1} + \eta\, v_t k_t^\top \qquad\qquad \hat v = W k$$
#
# Below, two pairs are written with $\eta = 1$ and $\alpha = 0.5$: first $(4, 2)$, and then $(6, 0)$ under another key.

# %%
from nlcore.viz.predictions import predict

predict("00-halved")

# %%
import torch
from nlcore.memory import AssociativeMemory, Linear, Rates
from nlcore.memory import Decay, DotProduct, GradientDescent

k = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # two keys
v = torch.tensor([[4.0, 2.0], [6.0, 0.0]])  # their values
alpha, eta = torch.tensor(0.5), torch.tensor(1.0)

choices = Linear(2, 2), DotProduct(), GradientDescent(), Decay()
memory = AssociativeMemory(*choices)
state = memory.start()
for t in range(2):
    state, report = memory.write(state, k[t], v[t], Rates(eta, alpha))

W = alpha * torch.outer(v[0], k[0]) + torch.outer(v[1], k[1])  # eq. 64
assert torch.equal(state.memory[0], W)
print("W =", W.tolist())
print("first key answers", memory.read(state, k[0]).tolist())

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# The first value, $(4, 2)$, came back halved: one update passed, and each keeps half.
#
# </details>

# %% [markdown]
# Had this memory been updated once for both words, nothing would have faded. So two things decide how long a word
# lasts: how much an update keeps, and how often updates come. The second is the level's **frequency**.
#
# The rows of the clock keep 0.7 at each update; what tells them apart is above all how often that is.
# (Attention keeps nothing: it reads its last eight words anew.)

# %% [markdown]
# ## Fading or crowding?
#
# A word can be lost in two ways: it fades, or too many others crowd a small matrix. Below, 48
# different words are written, one after the other. The curves show how well each is recalled at the
# end, by its age.
#
# One memory *adds* each pair, as above. The other *corrects*: it writes only what is wrong about its
# answer. What if nothing fades?

# %%
from nlcore.viz.explorers.fading import fading

fading().predict("00-fading")

# %% [markdown]
# <details><summary>What you just saw</summary>
#
# *Recall by age; the stored picture has $\alpha = 0.9$.* With $\alpha = 1$ the adding memory treats all words alike, and
# recalls each with the noise of all others. The correcting one has the last word exactly right, and
# pays with the oldest. A wider memory crowds less, and a slower one fades less.
#
# </details>

# %% [markdown]
# No setting wins everywhere. That is the case for many levels: fast ones that are exact about now,
# slow ones that hold what was.

# %% [markdown]
# ## How the course works
#
# Each section asks a question, gives the equation with the paper's number, a few lines of code in the
# same symbols, a number you can check by hand, and something to move. What you predicted is kept in a small file of
# your own, and counted at the end of this notebook.
#
# Widgets work with the keyboard: Tab reaches a control, arrows move it, Space presses a button. Change
# any cell; `make book` never overwrites a notebook that you changed. Exercises stand at the end, each
# with a check that says which mechanism is wrong.

# %% [markdown]
# ## Symbols and colours
#
# The same letters mean the same things in every chapter and in the code.
#
# | symbol | in words | in code |
# |---|---|---|
# | $k, v, q$ | key, value, query | `k, v, q` |
# | $W$ or $\mathcal{M}$ | what a memory holds now | `state.memory` |
# | $\eta$ | rate: how much of the new is written | `Rates.eta` |
# | $\alpha$ | retention: how much of the old is kept; 1 is all | `Rates.alpha` |
# | $\theta$ | momentum: how much of the last step returns | `Rates.theta` |
# | $C$ | period or chunk: how many words or steps between updates | `Level.period` |

# %% [markdown]
# Levels are listed from fastest to slowest, everywhere. A level keeps its colour, its dash and its
# mark in every picture of a chapter, so you can tell lines apart in print or if you see colours
# differently.

# %%
from nlcore.viz.colour_key import colour_key
from nlcore.viz.explorers.clock_of_levels import LOOKS

colour_key(LOOKS)

# %% [markdown]
# ## Is everything here?
#
# This looks at your Python, PyTorch, memory, disk and widgets. Each line is OK, or says what to do.
# For the sizes of model that fit this machine, and how long each takes, type
# `python -m nlcore.doctor` in a terminal.

# %%
from nlcore import doctor

print(*doctor.examine(), sep="\n")

# %% [markdown]
# ## The map
#
# Twelve chapters are here; those marked “to come” are not written yet. Each can be read alone, after this one.
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
# Most of them build a part of one model, Hope. This is its map: a box is a part that learns, the fastest on top. At the
# end of each chapter it comes back with more of it filled.

# %%
from nlcore.viz.hope_map import hope_map

hope_map(0)

# %% [markdown]
# *Nothing is built yet.* In the upper two boxes is what learns while a text is read: the memory, and the projections
# that make its keys, values and rates. Below is what learns over many texts, once in a step of training or less often:
# the weights, and a chain of three networks, from `cms-3`, the fast one, to `cms-1`. Each comes with two memories of its
# gradients, momentum and squares. The frequencies are those of the model's size `laptop`.

# %% [markdown]
# ## The course in half an hour
#
# These sections, in this order, are enough to say what a level is, why a good write first erases, what
# training and momentum write and under which key, and which level of a trained Hope holds the text that it reads.
#
# | chapter | sections | minutes |
# |---|---|---|
# | [00](00_start_here.ipynb) | What does a model remember, and for how long? · What is such a memory? · Fading or crowding? | 8 |
# | [01](01_associative_memory.ipynb) | How many pairs can a memory hold? · What are the four choices? · What if we write only what is wrong? | 7 |
# | [02](02_backpropagation.ipynb) | What does training write, and under which key? · What does one step write? | 4 |
# | [03](03_momentum.ipynb) | What does an optimizer remember, and forget? · What does momentum hold? | 4 |
# | [11](11_train_hope.ipynb) | Who will change, and how often? · Watch and steer · What does each level hold? | 6 |

# %% [markdown]
# In chapter 11 the stored pictures will do. If you would rather see your own run, start its training before you begin
# here: it takes some two minutes, and is done long before you arrive.

# %% [markdown]
# ## Summary
#
# 1. A model is a set of memories; those that change at one frequency are a level.
# 2. A memory is a matrix that answers keys; a write keeps $\alpha$ of the old and adds the new.
# 3. Fast levels are exact about now; slow levels hold what was, and learn late.
# 4. A word is lost by fading, at every update, or by crowding, in a small matrix.
# 5. A Transformer in use has the fastest level and the slowest; this course builds what lies between.

# %% [markdown]
# ## Exercise 1: write (easy, 5 minutes)
#
# Write the update of eq. 64 for one pair. Change the last line, run, and read what the check says.
#
# <details><summary>Hint</summary>
#
# `torch.outer(a, b)` is the matrix $a b^\top$. Which of the two is the key?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return alpha * W + eta * torch.outer(v, k)`
#
# </details>

# %%
from nlcore.exercises.chapter_00 import check_fires, check_lasts, check_write


def write(W, k, v, alpha, eta):
    """The new matrix, after writing v under k."""
    return W


print(check_write(write))

# %% [markdown]
# ## Exercise 2: the clock (easy, 5 minutes)
#
# When is a level updated? Words count from 1; a level with period 4 waits for four words, and one
# with period 0 is never updated.
#
# <details><summary>Hint</summary>
#
# The remainder `t % period` is 0 at every fourth word. What is `t % 0`?
#
# </details>
#
# <details><summary>Solution</summary>
#
# `return period > 0 and t % period == 0`
#
# </details>

# %%
def fires(t, period):
    """Whether a level is updated after word t."""
    return False


print(check_fires(fires))

# %% [markdown]
# ## Exercise 3: how long? (middle, 10 minutes)
#
# A word stands alone in a memory. Each update keeps $\alpha$ of it. After how many words is its
# strength below one half for the first time, if an update comes every `period` words?
#
# <details><summary>Hint</summary>
#
# After $n$ updates the strength is $\alpha^n$. Find the first $n$; each takes `period` words. What if
# $\alpha$ is 1?
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
# ## Your predictions
#
# This counts those of all chapters. Only the ones that you made count: to look first is neither right nor wrong.

# %%
from nlcore.viz.predictions import predictions

predictions()
