"""What a run is asked to do: one frozen object, kept as JSON in the run's folder."""

import math
import os
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from nlcore.models import MODELS, PRESETS, Preset
from nlcore.optim.settings import plain
from nlcore.tasks.tokenizers import KINDS

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16")
LARGEST_RATE = 1000.0
"""Of a learning rate and of a factor on it: far beyond use, and what is computed from both stays a float."""

LARGEST_SEED, MOST_THREADS, MOST_STEPS = 2**64 - 1, 1024, 10**12
MOST_TOKENS = 2**28
"""In a batch."""
BOUNDS = {
    "batch": (1, MOST_TOKENS // 2),
    "context": (2, MOST_TOKENS),
    "steps": (1, MOST_STEPS),
    "dim": (1, 2**16),
    "depth": (1, 1000),
    "heads": (1, 2**12),
    "hidden": (1, 2**16),
    "vocabulary": (1, 2**24),
    "carry": (0, 2**16),
}
"""Of a preset's whole numbers: least and most. The most is far beyond use; what exceeds it is a slip of the keyboard."""


class TrainError(ValueError):
    """A run that cannot go on as asked. Its message is one sentence: what is wrong, and what to do."""


@dataclass(frozen=True)
class TrainConfig:
    """All that decides a run. Raises TrainError for values that make no sense.

    The model's sizes, and its batch, context, steps, learning rate and tokenizer, are the preset's;
    `configure` changes single ones.
    """

    preset: Preset = field(default_factory=lambda: PRESETS["tiny"])
    model: str = "hope"
    data: str = "builtin"
    """`builtin`, `builtin:python,english`, or a file or folder of text."""
    seed: int = 0
    device: str = "auto"
    dtype: str = "auto"
    """Of the computation; weights and optimizer stay in float32."""
    threads: int = 0
    """CPU threads; 0 is one for a narrow model, else as torch chooses. The choice is kept for the whole run."""
    seconds: float | None = None
    """Training time to spend, instead of the preset's steps; the learning rate then follows the clock."""
    micro_batch: int | None = None
    """Sequences computed at once, to save memory; None is the whole batch."""
    report_every: int = 10
    """Steps between lines of metrics and levels."""
    validate_every: int = 100
    """Steps between validations, each with a sample."""
    checkpoint_every: int = 100
    keep: int = 3
    """Checkpoints kept."""
    validation_windows: int = 32
    """Windows of one context scored at a validation, evenly spread; the same each time."""
    final_windows: int = 256
    """The same, at the end of the run."""

    def __post_init__(self) -> None:
        _choose("model", self.model, tuple(MODELS))
        if not isinstance(self.data, str):
            raise TrainError(f"data is {self.data!r}: name a file or a folder of text, or 'builtin'.")
        _choose("device", self.device, DEVICES)
        _choose("dtype", self.dtype, DTYPES)
        _choose("tokenizer", self.preset.tokenizer, KINDS)
        every = ("report_every", "validate_every", "checkpoint_every")
        for name in (*every, "keep", "validation_windows", "final_windows"):
            _whole(name, getattr(self, name), 1, MOST_STEPS)
        for name, (least, most) in BOUNDS.items():
            _whole(name, getattr(self.preset, name), least, most)
        _whole_list("chunks", self.preset.chunks, 2, 2)
        _whole_list("periods", self.preset.periods, 1, 64)
        if self.preset.batch * self.preset.context > MOST_TOKENS:
            raise TrainError(
                f"A batch of {self.preset.batch:,} windows of {self.preset.context:,} is more than {MOST_TOKENS:,} tokens: "
                "choose a smaller batch or context."
            )
        _whole("seed", self.seed, 0, LARGEST_SEED)
        _whole("threads", self.threads, 0, MOST_THREADS)
        _positive("lr", self.preset.lr, LARGEST_RATE)
        power = self.preset.rate_power
        if type(power) not in (int, float) or not -1 <= power <= 1:
            raise TrainError(f"rate_power is {power!r}: give a number from -1 to 1.")
        if self.seconds is not None:
            _positive("seconds", self.seconds, math.inf)
        if self.micro_batch is not None:
            _whole("micro_batch", self.micro_batch, 1, MOST_TOKENS)
            if self.preset.batch % self.micro_batch:
                raise TrainError(
                    f"micro_batch {self.micro_batch} does not divide the batch of {self.preset.batch}: "
                    "choose one that does."
                )

    def as_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`; `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "TrainConfig":
        """Reads what `as_json` made, or an earlier version's: what that did not know yet keeps its default.

        Raises TrainError for fields that are missing or unknown.
        """
        try:
            preset = {name: tuple(v) if isinstance(v, list) else v for name, v in stored["preset"].items()}
            return cls(**stored | {"preset": Preset(**preset)})
        except TrainError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise TrainError(f"This run's config.json is not of this version ({error}): start a new run.") from error


def configure(size: str = "tiny", **choices: Any) -> TrainConfig:
    """A config from a size and single choices; those that are None keep their default.

    Choices are fields of TrainConfig or of Preset (`steps`, `batch`, `context`, `lr`, `dim`, ...).
    Raises TrainError for a size or a name that is not there, and as TrainConfig does.
    """
    _choose("size", size, tuple(PRESETS))
    return change(TrainConfig(preset=PRESETS[size]), **choices)


def change(config: TrainConfig, **choices: Any) -> TrainConfig:
    """The same config but for some choices, as in `configure`."""
    chosen = {name: _plain(value) for name, value in choices.items() if value is not None}
    if "steps" in chosen and "seconds" in chosen:
        raise TrainError("Both steps and seconds were given: choose one of them.")
    if "steps" in chosen:
        config = replace(config, seconds=None)
    if "data" in chosen:
        chosen["data"] = _absolute(chosen["data"])
    sizes = {f.name for f in fields(Preset)}
    own = {f.name for f in fields(TrainConfig)}
    unknown = next((name for name in chosen if name not in sizes | own), None)
    if unknown is not None:
        raise TrainError(f"There is no choice {unknown!r}: choose among {', '.join(sorted(sizes | own))}.")
    try:
        preset = replace(config.preset, **{name: value for name, value in chosen.items() if name in sizes})
    except (TypeError, ValueError) as error:
        raise TrainError(f"These sizes do not make a model: {error}.") from error
    return replace(config, preset=preset, **{name: value for name, value in chosen.items() if name in own})


def _plain(value: Any) -> Any:
    """A path, or numbers of any kind, as Python's own."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value if isinstance(value, str) else plain(value)


def _absolute(data: str) -> str:
    """A path stays right when the run is resumed from another folder."""
    if data.partition(":")[0] == "builtin":
        return data
    if not data.strip():
        raise TrainError("No text was named: name a file or a folder of text ('.' for this one), or 'builtin'.")
    try:
        return str(Path(data).expanduser().resolve())
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, nobody's home, a zero in the name
        raise TrainError(f"{data!r} leads nowhere ({error}): name a file or a folder of text, or 'builtin'.") from error


def _choose(name: str, value: str, among: tuple[str, ...]) -> None:
    if value not in among:
        raise TrainError(f"There is no {name} {value!r}: choose one of {', '.join(among)}.")


def _whole(name: str, value: int, least: int, most: int) -> None:
    if type(value) is not int or value < least:
        raise TrainError(f"{name} is {value!r}: give a whole number, {least} or more.")
    if value > most:
        raise TrainError(f"{name} is {value}: give a whole number from {least} to {most}.")


def _whole_list(name: str, values: tuple[int, ...], fewest: int, most: int) -> None:
    if not isinstance(values, tuple) or not fewest <= len(values) <= most:
        few = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        raise TrainError(f"{name} is {str(values)[:60]}: give {few} whole numbers.")
    for value in values:
        _whole(name, value, 1, MOST_STEPS)


def _positive(name: str, value: float, most: float) -> None:
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 < value <= most:
        limit = "" if math.isinf(most) else f" and at most {most:g}"
        raise TrainError(f"{name} is {value}: give a number above 0{limit}.")
