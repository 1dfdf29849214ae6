"""What a run writes down as it goes: metrics, levels, surprise, samples, and its result."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nlcore.models import frozen_memories, parameter_count
from nlcore.tasks.entropy import order1
from nlcore.train import evaluate
from nlcore.train.config import TrainConfig
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


class Reporter:
    """Writes the run folder's files of lines; each line carries its step and the attempt."""

    def __init__(
        self, config: TrainConfig, folder: RunFolder, parts: Parts, status: Status, progress: Progress
    ) -> None:
        self.config, self.folder, self.parts, self.status, self.progress = config, folder, parts, status, progress
        self.window: dict[str, float] = {}
        """Sums since the last report. A checkpoint keeps them, so that a resumed run reports the same."""
        self._empty()

    def _empty(self) -> None:
        self.window = {"loss": 0.0, "steps": 0, "seconds": 0.0, "data_seconds": 0.0}

    def count(self, loss: float, seconds: float, data_seconds: float) -> None:
        """Adds a step to the window: its loss, how long it took, and how much of that it waited for its batch."""
        window = self.window
        self.window = {
            "loss": window["loss"] + loss,
            "steps": window["steps"] + 1,
            "seconds": window["seconds"] + seconds,
            "data_seconds": window.get("data_seconds", 0.0) + data_seconds,  # older checkpoints have none
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

        figures: lr, gradient_norm and, where there was one, validation_bits_per_byte.
        elapsed, left: seconds of training so far, and to go.
        """
        size = self.config.preset.batch * self.config.preset.context
        loss = self.window["loss"] / self.window["steps"]
        speed, waited = figure(self.window["steps"] * size / self.window["seconds"]), figure(self.window["data_seconds"])
        self._empty()
        measured = {"tokens": step * size, "loss": loss, "tokens_per_second": speed, "elapsed": elapsed}
        measured["data_seconds"] = waited
        measured["memory"] = self.parts.choice.memory()
        self._append(self.folder.metrics, step, measured | figures)
        for row in rows:
            self._append(self.folder.levels, step, row)
        felt = evaluate.surprise(self.parts.model, self.parts.held_out, self.parts.choice)
        if felt is not None:
            self._append(self.folder.surprise, step, felt)
        text = line(step, None if self.config.seconds else self.config.preset.steps, loss, speed, left)
        self.status.fields |= {"line": text, "loss": loss, "tokens_per_second": speed}
        self.progress.show(text)

    def _append(self, path: Path, step: int, record: Record) -> None:
        append(path, {"step": step, "attempt": self.status.fields["attempt"], "time": time.time()} | record)

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
