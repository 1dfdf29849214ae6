"""The prompt box: a trained model goes on with the reader's text, and every byte is shaded by what it costs the model."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
import traitlets
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from nlcore.train import Run, load
from nlcore.train.evaluate import felt, text_of
from nlcore.train.words import visible
from nlcore.train.worth import bits
from nlcore.viz.answering import AnsweredView, Answering
from nlcore.viz.controls import Control, slider
from nlcore.viz.prediction import Prediction
from nlcore.viz.theme import COLOURS
from nlcore.viz.view import script, style

LONGEST = 1000
"""Characters of a prompt: more would take longer than a reader waits."""
FIRST = "def read(self, name):\n    return self."
TRY_THIS = (
    "Type the beginning of something: a line of Python, a sentence. Which letters cost the model most, and which does it "
    "know before they come? Then misspell one word, or let the temperature go to 0."
)
FULL = 8.0
"""Bits that are shaded in full: what a byte costs one who knows nothing."""
MARKS = {"\n": "↵", "\t": "→", " ": "·"}


@dataclass(frozen=True)
class Spoken:
    """A text as a model met it: what it was given, and then what it said."""

    unit: str
    """What a token is: "byte" or "token"."""
    tokens: tuple[bytes, ...]
    """The bytes of each of the T tokens."""
    given: int
    """So many of them are the reader's."""
    bits: np.ndarray
    """(T,) what each token costs the model, which knew those before it; the first, before which nothing stands, is NaN."""
    felt: np.ndarray | None
    """(T,) the surprise that the memories felt as they wrote the token, mean over blocks; NaN where they have not yet,
    since they wait for a whole chunk. None without memories."""

    def per_byte(self, part: slice) -> float:
        """Bits per byte of some of the tokens, the text's first left out; NaN of none."""
        known = np.isfinite(self.bits[part])
        size = sum(len(token) for token, there in zip(self.tokens[part], known) if there)
        return float(self.bits[part][known].sum()) / size if size else math.nan


class Speaker:
    """A trained model with its tokenizer, as the box uses it."""

    def __init__(self, run: Run | str | Path) -> None:
        """Takes what `nlcore.train.load` does, a trained model's name too, and raises TrainError as it does."""
        self.model, self.tokenizer = load(run.folder.path if isinstance(run, Run) else run)
        self.unit = "byte" if self.model.preset.tokenizer == "bytes" else "token"

    def compute(self, prompt: str, length: int, temperature: float, seed: int) -> Spoken:
        """`prompt` and `length` tokens that the model puts after it: the same ones for the same seed.

        Raises ValueError for an empty prompt, or one of more than `LONGEST` characters.
        """
        if not 0 < len(prompt) <= LONGEST:
            raise ValueError(f"the prompt has {len(prompt)} characters: type 1 to {LONGEST}")
        given = torch.from_numpy(self.tokenizer.encode(prompt).astype(np.int64))[None]
        generator = torch.Generator().manual_seed(seed)
        said = self.model.generate(given, length, temperature, generator)
        memories = felt(self.model, said).get("surprise")
        period = {level.name: level.period for level in self.model.levels()}.get("memory", 1)
        written = said.shape[1] - said.shape[1] % period
        return Spoken(
            unit=self.unit,
            tokens=tuple(text_of(token, self.tokenizer) for token in said[0].numpy()[:, None]),
            given=given.shape[1],
            bits=np.concatenate([[math.nan], bits(self.model, said)[0].numpy()]),
            felt=None if memories is None else memories[0].where(torch.arange(said.shape[1]) < written, math.nan).numpy(),
        )


def controls(unit: str) -> dict[str, Control]:
    """What the reader sets besides the text, for a model whose tokens are such units."""
    return {
        "temperature": slider("Temperature: 0 takes the likeliest", 0.8, 0.0, 1.5, 0.1),
        "length": slider(f"Length, {unit}s", 160, 20, 300, 20),
        "seed": slider("Draw: each has its own seed", 1, 1, 20, 1),
    }


def shown(token: bytes) -> str:
    """A token as it is written: its text, or where it is no whole character, its bytes in hexadecimal."""
    try:
        return visible(token.decode())
    except UnicodeDecodeError:
        return f"⟨{token.hex(' ').upper()}⟩"


class PromptView(AnsweredView):
    """The box: it asks for a "prompt" too, and what is found is "said", as `told`."""

    _esm = script("page", "controls", "asking", "prompt")
    _css = style("page", "controls", "prompt")
    try_this = traitlets.Unicode(TRY_THIS).tag(sync=True)
    constants = traitlets.Dict({"prompt": FIRST, "colour": COLOURS[0], "full": FULL, "longest": LONGEST}).tag(sync=True)


def told(spoken: Spoken) -> dict[str, Any]:
    """What the page needs of it, in plain numbers."""
    return {
        "unit": spoken.unit,
        "tokens": [shown(token) for token in spoken.tokens],
        "given": spoken.given,
        "bits": _plain(spoken.bits),
        "felt": None if spoken.felt is None else _plain(spoken.felt),
        "summary": summary(spoken),
    }


def _plain(values: np.ndarray) -> list[float | None]:
    return [None if math.isnan(value) else round(float(value), 4) for value in values]


def summary(spoken: Spoken) -> str:
    """What a byte of what was given and of what was said costs on average, in a sentence."""
    parts = {"what you typed": slice(0, spoken.given), "what the model added": slice(spoken.given, None)}
    means = [f"{name}, {spoken.per_byte(part):.2f}" for name, part in parts.items() if not math.isnan(spoken.per_byte(part))]
    return f"Bits per byte: {'; '.join(means)}."


def words(spoken: Spoken) -> str:
    """Alt text: what the picture shows, in figures."""
    cost, dear = max((cost, shown(token)) for cost, token in zip(np.nan_to_num(spoken.bits), spoken.tokens) if token.strip())
    return (
        f"A text of {len(spoken.tokens)} {spoken.unit}s, each shaded by what it costs; a bar stands after the first "
        f"{spoken.given}, which were given. {summary(spoken)} The darkest is “{dear}”, {cost:.1f} bits."
    )


def picture(spoken: Spoken, line: int = 80) -> Figure:
    """The text, each token shaded by what it costs; a bar stands where the model goes on."""
    places, x, y = [], 0, 0
    for token in spoken.tokens:
        text = "".join(MARKS.get(letter, letter) for letter in shown(token))
        if x + len(text) > line:
            x, y = 0, y + 1
        places.append((text, x, y))
        x, y = (0, y + 1) if token.endswith(b"\n") else (x + len(text), y)
    figure, axes = plt.subplots(figsize=(8, 0.24 * (y + 1) + 0.5), layout="constrained")
    axes.set(xlim=(-0.3, line), ylim=(y + 0.6, -0.6), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    for (text, x, y), cost in zip(places, np.nan_to_num(spoken.bits)):
        share = 0.6 * min(cost / FULL, 1)
        axes.add_patch(plt.Rectangle((x, y - 0.45), len(text), 0.9, color=COLOURS[0], alpha=share, linewidth=0))
        for i, letter in enumerate(text):
            axes.text(x + i + 0.5, y, letter, family="monospace", fontsize=9, ha="center", va="center")
    if spoken.given < len(places):
        _, x, y = places[spoken.given]
        axes.plot([x, x], [y - 0.5, y + 0.5], color="black", linewidth=2)
    axes.set_title(f"What each {spoken.unit} costs the model: white is 0 bits, darkest {FULL:.0f} or more", loc="left", fontsize=10)
    return figure


class PromptBox(Answering):
    """A box to type in: a trained model goes on, and each token is shaded by what it costs.

        PromptBox("runs/tiny-hope-1")     the newest model of a run
        PromptBox("tiny-hope")            one of the course's trained models

    Raises TrainError if the run has no model yet, or there is none of that name.
    """

    trouble = "The model cannot go on"

    def __init__(self, run: Run | str | Path) -> None:
        self.speaker = Speaker(run)
        self.controls = controls(self.speaker.unit)
        asked = {"number": 0, "at": {name: control.first for name, control in self.controls.items()}, "prompt": FIRST}
        self.first = self.speak(asked)
        view = PromptView(
            controls={name: control.facts() for name, control in self.controls.items()},
            asked=asked,
            answer={"number": 0, "said": told(self.first)},
        )
        super().__init__(view, lambda: picture(self.first), alt=words(self.first), name="prompt")

    def put_question(self, prediction: Prediction) -> NoReturn:
        """Raises ValueError: a box that waits for the reader's own words asks nothing first."""
        raise ValueError(f"a prompt box asks nothing first: put predict({prediction.key!r}) in a cell before it")

    def speak(self, asked: dict[str, Any]) -> Spoken:
        """What the model says to a request of the page."""
        values = {name: self.controls[name].values[at] for name, at in asked["at"].items()}
        return self.speaker.compute(asked["prompt"], **values)

    def found(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What the model says to a request of the page, for the page."""
        return {"said": told(self.speak(asked))}
