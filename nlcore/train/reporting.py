"""What a run writes down as it goes: metrics, levels, surprise, samples, and its result."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nlcore.models import frozen_memories, parameter_count
from nlcore.tasks.entropy import order1
from nlcore.train import evaluate
from nlcore.train.config import TrainConfig
from nlcore.train.events import Events
from nlcore.train.folder import RunFolder
from nlcore.train.records import Record, append
from nlcore.train.parts import Parts
from nlcore.train.progress import Progress, line
from nlcore.train.status import Status
from nlcore.train.telemetry import figure

Beat = Callable[[], None]
"""Called now and then during what takes long; may raise to end it."""
SAMPLE, LAST_SAMPLE = 128, 400
"""Tokens of a sample at a validation, and at the end."""
DENSE, RARER = 10_000, 10
"""Reports before they become rarer; the distance between two doubles with every DENSE / RARER reports from there on."""
FELT = 10
"""A line of surprise is as long as a report's lines of levels together: they become rarer after so many times fewer."""


def apart(step: int, every: int, times: int = 1) -> int:
    """Steps between reports at a step of a run that began with one `every` so many: twice as many again and again.

    times: so many times fewer reports come before they become rarer.
    It depends on the step alone, so a run that was resumed reports the same steps. A run of a million steps that began
    with a report every 10 has 15,000 of them: what is appended stays, so whoever follows a file reads only its end.
    """
    dense = DENSE // times
    beyond, stretch = max(step - dense * every, 0), 2 * (dense // RARER) * every
    return every << (-(-beyond // stretch)).bit_length()


class Reporter:
    """Writes the run folder's files of lines; each line carries its step and the attempt."""

    def __init__(
        self, config: TrainConfig, folder: RunFolder, parts: Parts, status: Status, progress: Progress
    ) -> None:
        self.config, self.folder, self.parts, self.status, self.progress = config, folder, parts, status, progress
        self.events = Events(folder) if config.tensorboard else None
        self.window: dict[str, float] = {}
        """Sums since the last report. A checkpoint keeps them, so that a resumed run reports the same."""
        self._empty()

    def _empty(self) -> None:
        self.window = {"loss": 0.0, "steps": 0, "seconds": 0.0, "data_seconds": 0.0, "merged": 0}

    def listens(self, step: int, times: int = 1) -> bool:
        """Whether a step's report is to have all there is, and not a validation alone; `times` as in `apart`."""
        config = self.config
        every = apart(step, config.report_every, times)
        validates = step % config.validate_every == 0 and every == config.report_every
        return validates or step % every == 0 or step == config.preset.steps

    def count(self, loss: float, seconds: float, data_seconds: float) -> None:
        """Adds a step to the window: its loss, how long it took, and how much of that it waited for its batch."""
        window = self.window
        self.window = window | {
            "loss": window["loss"] + loss,
            "steps": window["steps"] + 1,
            "seconds": window["seconds"] + seconds,
            "data_seconds": window["data_seconds"] + data_seconds,
        }

    def validate(self, step: int, beat: Beat) -> float:
        """Bits per byte on the same few validation windows each time; `final` takes more. A sample goes into samples.jsonl."""
        parts = self.parts
        found = evaluate.score(parts.model, parts.held_out, self.config.validation_windows, parts.choice, beat)
        prompt, text = evaluate.sample(parts.model, parts.held_out, SAMPLE, parts.choice, step)
        self._append(self.folder.samples, step, {"prompt": prompt, "text": text})
        self.progress.say(f"step {step:,}   validation {found.bits_per_byte:.3f} bits per byte on {found.bytes:,} bytes")
        return found.bits_per_byte

    def report(self, step: int, elapsed: float, figures: Record, rows: list[Record], left: float) -> None:
        """One line of metrics, one of levels for each row, and the surprise of a fixed fragment.

        figures: lr and, where they are there, gradient_norm and validation_bits_per_byte.
        rows: none, where the step only validates.
        elapsed, left: seconds of training so far, and to go.
        """
        size = self.config.preset.batch * self.config.preset.context
        measured = {"tokens": step * size, "elapsed": elapsed, "memory": self.parts.choice.memory()}
        measured |= self._tell(step, left) | {"data_seconds": figure(self.window["data_seconds"]), "merged": self.window["merged"]}
        self._empty()
        self._append(self.folder.metrics, step, measured | figures)
        self._append(self.folder.levels, step, *rows)
        if self.events is not None:
            self.events.write(step, [measured | figures, *rows])
        felt = None
        if self.listens(step, FELT):
            felt = evaluate.surprise(self.parts.model, self.parts.held_out, self.parts.choice)
        if felt is not None:
            self._append(self.folder.surprise, step, felt)

    def merge(self, step: int, left: float) -> None:
        """In the place of a report that is left out: the next one that is written counts it, and has its steps in its means."""
        self.window = self.window | {"merged": self.window["merged"] + 1}
        self._tell(step, left)

    def _tell(self, step: int, left: float) -> Record:
        """Shows how far the run is; returns the window's loss and speed."""
        size, window = self.config.preset.batch * self.config.preset.context, self.window
        loss, speed = window["loss"] / window["steps"], figure(window["steps"] * size / window["seconds"])
        text = line(step, None if self.config.seconds else self.config.preset.steps, loss, speed, left)
        told = {"loss": loss, "tokens_per_second": speed}
        self.status.fields |= {"line": text} | told
        self.progress.show(text)
        return told

    def _append(self, path: Path, step: int, *records: Record) -> None:
        """Fields without a value are left out, and readers know of them."""
        stamp = {"step": step, "attempt": self.status.fields["attempt"], "time": time.time()}
        append(path, *(stamp | {name: value for name, value in record.items() if value is not None} for record in records))

    def final(self, step: int, elapsed: float, beat: Beat) -> dict[str, Any]:
        """The run's result, printed and returned; see `result_lines` for its fields."""
        parts, windows = self.parts, self.config.final_windows
        scored = evaluate.score(parts.model, parts.held_out, windows, parts.choice, beat)
        frozen = None
        if any(level.unit == "tokens" for level in parts.model.levels()):
            with frozen_memories(parts.model):
                frozen = evaluate.score(parts.model, parts.held_out, windows, parts.choice, beat).bits_per_byte
        size, pairs = parts.corpus.held_out
        prompt, sample = evaluate.sample(parts.model, parts.held_out, LAST_SAMPLE, parts.choice, step)
        self._append(self.folder.samples, step, {"prompt": prompt, "text": sample})
        result = {
            "bits_per_byte": scored.bits_per_byte,
            "bits_per_byte_eta_0": frozen,
            "order1_entropy": order1(parts.held_out.pieces(windows)),
            "order1_entropy_all": pairs,
            "scored_bytes": scored.bytes,
            "validation_bytes": size,
            "tokens_per_second": step * self.config.preset.batch * self.config.preset.context / elapsed,
            "parameters": parameter_count(parts.model),
            "steps": step,
            "seconds": elapsed,
            "prompt": prompt,
            "sample": sample,
        }
        self.progress.say("\n".join(result_lines(result)))
        return result


def result_lines(result: dict[str, Any]) -> list[str]:
    """A run's result in words."""
    frozen = result["bits_per_byte_eta_0"]
    scored = f"{result['scored_bytes']:,} of {result['validation_bytes']:,} validation bytes"
    entropies = f"{result['order1_entropy']:.3f} (of all validation bytes: {result['order1_entropy_all']:.3f})"
    return [
        "",
        f"bits per byte               {result['bits_per_byte']:.3f}   on {scored}",
        *([f"with memory eta 0           {frozen:.3f}   on the same bytes: no memory writes"] if frozen else []),
        f"order-1 entropy             {entropies}   what letter pairs alone can know of these bytes",
        f"speed                       {result['tokens_per_second']:,.0f} tokens/s",
        f"size and length             {result['parameters']:,} parameters, {result['steps']:,} steps",
        "sample, after its prompt    " + repr(result["prompt"][-40:]),
        *("    " + text for text in result["sample"].splitlines()),
        "",
    ]
