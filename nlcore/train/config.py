"""What a run is asked to do: one frozen object, kept as JSON in the run's folder."""

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from nlcore.models import KEEP_ALL, PRESETS, Preset, preset_of
from nlcore.train.choices import MOST_TOKENS, TrainError, checked, one_of
from nlcore.train.schedule import DECAY, FLOOR, WARMUP

__all__ = ["TrainConfig", "TrainError", "change", "configure"]


@dataclass(frozen=True)
class TrainConfig:
    """All that decides a run. Raises TrainError for values that make no sense.

    The model's sizes, and its batch, context, steps, learning rate and tokenizer, are the preset's;
    `configure` changes single ones.
    """

    preset: Preset = field(default_factory=lambda: PRESETS["tiny"])
    model: str = "hope"
    data: str = "builtin"
    """`builtin`, `builtin:python,english`, a file or folder of text, or a folder of shards."""
    spans: str = "anywhere"
    """Where windows that belong together may begin in shards: "anywhere", or at "documents"; see `ShardBatches`."""
    seed: int = 0
    device: str = "auto"
    dtype: str = "auto"
    """Of the computation; weights and optimizer stay in float32."""
    compile: str = "auto"
    """Whether the step's regions are compiled (`nlcore.regions`): "on", "off", or "auto", which is on with CUDA alone.
    It changes results by no more than rounding, so a resumed run may change it."""
    threads: int = 0
    """CPU threads; 0 is one for a narrow model, else as torch chooses. The choice is kept for the whole run."""
    parallel: str = "ddp"
    """How several processes share a run: "ddp", each holds all of the model, or "fsdp", each a part of every tensor and of
    what its optimizer remembers (`nlcore.train.sharded`). One process holds all. It changes results by no more than
    rounding, so a resumed run may change it."""
    seconds: float | None = None
    """Training time to spend, instead of the preset's steps; the learning rate then follows the clock."""
    micro_batch: int | None = None
    """Sequences computed at once, to save memory; None is the largest part of the batch that fits (`at_once`)."""
    optimizer: str = "adamw"
    """"adamw"; with "muon" or "m3" that one trains the matrices of projections, and AdamW all else."""
    matrix_lr: float | None = None
    """Multiplies the learning rate of what Muon or M3 trains; None is `nlcore.train.optimizers.MATRIX_LR`."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Of AdamW; Muon and M3 have their own."""
    weight_decay: float = 0.1
    """Share of the matrices that a step takes away, times its learning rate."""
    clip: float = 1.0
    """Largest norm of the gradients of all levels that fire together."""
    level_lr: tuple[tuple[str, float], ...] = ()
    """Factors on the learning rates of single levels that the optimizer trains, as (("cms-3", 0.5),)."""
    schedule: str = "cosine"
    """Of the learning rate, with the next three: see `nlcore.train.schedule.factor`."""
    warmup: float = WARMUP
    floor: float = FLOOR
    decay: float = DECAY
    report_every: int = 10
    """Steps between lines of metrics and levels."""
    validate_every: int = 100
    """Steps between validations, each with a sample."""
    checkpoint_every: int = 100
    keep: int = 3
    """Checkpoints kept."""
    tensorboard: bool = False
    """Whether reports go into TensorBoard's event files too, in the run's folder `tensorboard`."""
    validation_windows: int = 32
    """Windows of one context scored at a validation, evenly spread; the same each time."""
    final_windows: int = 256
    """The same, at the end of the run."""

    def __post_init__(self) -> None:
        if not isinstance(self.preset, Preset):
            raise TrainError(f"preset is {type(self.preset).__name__}: give a Preset, or choose one by its size.")
        for name, value in checked({f.name: getattr(self, f.name) for f in fields(self)[1:]}).items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "preset", _sized(self.preset, vars(self.preset)))
        batch, context = self.preset.batch, self.preset.context
        if batch * context > MOST_TOKENS:
            raise TrainError(
                f"A batch of {batch:,} windows of {context:,} is more than {MOST_TOKENS:,} tokens: "
                "choose a smaller batch or context."
            )
        if self.micro_batch is not None and batch % self.micro_batch:
            raise TrainError(
                f"micro_batch {self.micro_batch} does not divide the batch of {batch}: choose one that does."
            )
        self._check_rates()

    def _check_rates(self) -> None:
        if self.optimizer == "adamw" and self.matrix_lr is not None:
            raise TrainError("matrix_lr is for what muon or m3 trains: choose one of them as the optimizer, or leave it out.")
        if self.schedule == "cosine" and self.decay != DECAY:
            raise TrainError("A cosine falls from its warm-up to the end: leave out decay, or choose the schedule wsd.")
        if self.schedule == "wsd" and self.warmup + self.decay > 1:
            raise TrainError(
                f"A warm-up of {self.warmup:g} and a decay of {self.decay:g} are more than the whole run: "
                "choose shares of it that add up to 1 or less."
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
            return cls(**stored | {"preset": Preset(**checked(stored["preset"]))})
        except TrainError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise TrainError(f"This run's config.json is not of this version ({error}): start a new run.") from error


def configure(size: str = "tiny", **choices: Any) -> TrainConfig:
    """A config from a size and single choices; those that are None keep their default.

    Choices are fields of TrainConfig or of Preset (`steps`, `batch`, `context`, `lr`, `dim`, ...). With a `model` come
    the values that are its own at this size (`nlcore.models.preset_of`), unless they are chosen too.
    Raises TrainError for a size or a name that is not there, and as TrainConfig does.
    """
    one_of(lambda: PRESETS)("size", size)
    return change(TrainConfig(preset=PRESETS[size]), **choices)


def change(config: TrainConfig, **choices: Any) -> TrainConfig:
    """The same config but for some choices, as in `configure`.

    Another model brings its own values where the config still has those of the model before. If it keeps every token
    (attention), its windows begin fresh even after a `carry` that was chosen, since its cost would grow without end.
    """
    chosen = checked({name: value for name, value in choices.items() if value is not None})
    if "steps" in chosen and "seconds" in chosen:
        raise TrainError("Both steps and seconds were given: choose one of them.")
    if "steps" in chosen:
        config = replace(config, seconds=None)
    if "model" in chosen:
        chosen = _of_model(config, chosen["model"]) | chosen
    if "data" in chosen:
        chosen["data"] = _absolute(chosen["data"])
    sizes = {f.name for f in fields(Preset)}
    own = {f.name for f in fields(TrainConfig)} - {"preset"}
    unknown = next((name for name in chosen if name not in sizes | own), None)
    if unknown is not None:
        raise TrainError(f"There is no choice {unknown!r}: choose among {', '.join(sorted(sizes | own))}.")
    preset = _sized(config.preset, {name: value for name, value in chosen.items() if name in sizes})
    return replace(config, preset=preset, **{name: value for name, value in chosen.items() if name in own})


def _of_model(config: TrainConfig, model: str) -> dict[str, Any]:
    """What changes with the model."""
    size, found = config.preset.name, {}
    if size in PRESETS:
        before, after = vars(preset_of(size, config.model)), vars(preset_of(size, model))
        found = {name: after[name] for name in after
                 if before[name] != after[name] and getattr(config.preset, name) == before[name]}
    return found | ({"carry": 0} if model in KEEP_ALL else {})


def _sized(preset: Preset, sizes: dict[str, Any]) -> Preset:
    """The preset with these sizes, as Python's own."""
    try:
        return replace(preset, **checked(sizes))
    except TrainError:
        raise
    except ValueError as error:
        raise TrainError(f"These sizes do not make a model: {error}.") from error


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
