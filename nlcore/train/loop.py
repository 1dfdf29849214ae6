"""The loop: forward, loss, backward, the levels' step; between steps, commands and checkpoints.

Every process of a team runs it. What one process has to say is asked for through the team, so all take the same path.
"""

import time
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlcore import probe, regions
from nlcore.models import InContext
from nlcore.regions import region
from nlcore.tasks.ahead import Ahead
from nlcore.tasks.batches import Batch
from nlcore.train import carried, checkpoint, distributed_checkpoint, schedule, telemetry
from nlcore.train.checkpoint import Checkpoint
from nlcore.train.config import TrainConfig
from nlcore.train.control import Command, Inbox
from nlcore.train.device import Choice, compiles
from nlcore.train.finite import Guard
from nlcore.train.folder import RunFolder
from nlcore.train.parallel import ALONE, Team
from nlcore.train.parts import Parts
from nlcore.train.progress import Progress
from nlcore.train.reporting import Reporter
from nlcore.train.status import Status
from nlcore.train.steering import Steering

POLL = 0.1
"""Seconds between two looks for commands while paused."""


class Leave(Exception):
    """The run was asked to end; raised only where no step is half done."""


class Objective(nn.Module):
    """What is minimised. Its output needs no parameter that the loss does not."""

    def __init__(self, model: nn.Module, choice: Choice) -> None:
        super().__init__()
        self.model, self.choice = model, choice

    def forward(
        self, inputs: Tensor, targets: Tensor, before: tuple[Any, ...] | None, keeps: bool
    ) -> tuple[Tensor, telemetry.Reports, tuple[Any, ...] | None]:
        """Mean loss over (B, T) tokens, in nats a token, the model's reports and, if it `keeps`, the state after them.

        Both states are detached; with None `before`, all rows begin fresh.
        """
        with self.choice.autocast():
            output = self.model(inputs, before, detached=True)
        return _loss(output.logits, targets), output.reports, output.state if keeps else None


@region
def _loss(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())


class Trainer:
    """One attempt at a run, from its checkpoint (or step 0) to its end.

    `leave` may be set at any time, by a signal's handler: the run then ends at the next boundary. In a team
    the lead's counts.
    """

    def __init__(
        self,
        config: TrainConfig,
        folder: RunFolder,
        parts: Parts,
        status: Status,
        progress: Progress,
        team: Team = ALONE,
    ) -> None:
        self.config, self.folder, self.parts, self.status, self.progress = config, folder, parts, status, progress
        self.team, self.objective = team, Objective(parts.model, parts.choice)
        self.compiled = regions.Compiled() if compiles(config, parts.choice) else nullcontext()
        self.steering = Steering(parts.model, parts.optimizer)
        self.guard = Guard(parts.model, parts.optimizer, team)
        self.reporter = Reporter(config, folder, parts, status, progress)
        self.ahead = Ahead(parts.batches, self._rows(), parts.choice.device)
        self.inbox = Inbox(folder, 0, status.fields["attempt"])
        self.step, self.elapsed, self.leave, self.ends = 0, 0.0, False, False
        self.carried: dict[int, list[tuple[Any, ...]]] = {}
        """Detached states for the next window of each lane of the batches that is in the middle of its spans, one for
        each part of a batch that is computed at once."""
        self.began = (0, 0.0)
        """Step and seconds of training at which this attempt began."""
        self.written: tuple[int, int] | None = None
        """Step and last command of the checkpoint that this attempt wrote last."""

    def restore(self, saved: Checkpoint) -> None:
        """Goes to where a checkpoint was taken; with another text, the text's order begins anew.

        The checkpoint has to fit the parts, as `fits.run` finds.
        """
        state, parts = saved.state, self.parts
        parts.model.load_state_dict(distributed_checkpoint.mapped(saved.weights, Tensor, self.team.spread))
        parts.optimizer.load_state_dict(distributed_checkpoint.mapped(state["optimizer"], Tensor, self.team.spread))
        if state["corpus"] == parts.corpus.hash:
            parts.batches.load_state_dict(state["batches"])
            like = carried.pattern(parts.model, parts.choice)
            for lane, rows in state["carried"].items():
                self.carried[lane] = carried.shared(rows, like, parts.at_once.rows, self.team)
        self.steering.load_state_dict(state["steering"])
        self.reporter.window |= state["window"]
        self.inbox = Inbox(self.folder, state["command"], self.status.fields["attempt"])
        self.guard.checkpoint = saved.path
        self.step, self.elapsed = state["step"], state["elapsed"]
        self.began = (self.step, self.elapsed)
        torch.set_rng_state(state["random"])
        if state["random_cuda"] is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state(state["random_cuda"])

    def run(self) -> str:
        """Trains to the end, or until asked to stop: "done" or "stopped". Raises NonFinite."""
        # With the context inside one chunk of the fastest level, no memory writes, and the writing's parameters rest.
        preset = self.config.preset
        self.objective = self.team.wrap(self.objective, all_used=preset.context > preset.chunks[0])
        try:
            while self.done() < 1:
                self._between_steps()
                self.advance()
            self._flush()
            self._save()
            with self.team.whole(self.parts.model):
                self.team.once(self._conclude)
            return "done"
        except Leave:
            self._save()
            return "stopped"

    def done(self) -> float:
        """Share of the run that is over; 1 at its end."""
        config = self.config
        return self.elapsed / config.seconds if config.seconds else self.step / config.preset.steps

    def _flush(self) -> None:
        """Uses gradients that are left where a clock, or a smaller number of steps than before, has ended the run."""
        if any(self.parts.optimizer.calls.values()):
            self.parts.optimizer.flush(self.step)
            self.written = None

    def _conclude(self) -> None:
        self.status.set(result=self.reporter.final(self.step, self.elapsed, self._still_scoring))

    def _between_steps(self) -> None:
        """Commands, pauses, the heartbeat. Raises Leave if the run is to end here."""
        self._take_commands()
        while self.steering.paused and not self.ends:
            self._beat("paused")
            time.sleep(POLL)
            self._take_commands()
        if self.ends:
            raise Leave
        self._beat("training")

    def _take_commands(self) -> None:
        commands, leave = self.team.once(self._look)
        for command in commands:
            try:
                sentence, applied = self.steering.apply(command), True
            except ValueError as error:
                sentence, applied = str(error), False
            self.team.once(partial(self._note, command, applied, sentence))
        if self.steering.save:
            self.steering.save = False
            self._save()
        self.ends = leave or self.steering.stop

    def _look(self) -> tuple[list[Command], bool]:
        """Commands that are due, and whether the run is to end here."""
        step = self.step + 1
        commands, wrong = self.inbox.due(step)
        for sentence in wrong:
            self.progress.say(f"A line of control.jsonl is passed over before step {step:,}: {sentence}")
        return commands, self.leave or self.team.abandoned()

    def _note(self, command: Command, applied: bool, sentence: str) -> None:
        step = self.step + 1
        self.inbox.note(command, step, applied, sentence)
        self.progress.say(f"Command {command.number} before step {step:,}: {sentence}")

    def _beat(self, state: str) -> None:
        if not self.team.lead:
            return
        self.status.beat(
            state=state,
            step=self.step,
            steps=None if self.config.seconds else self.config.preset.steps,
            done=min(self.done(), 1.0),
            seconds_left=self._seconds_left(),
            command=self.inbox.done,
        )

    def _seconds_left(self) -> float | None:
        """Of training, at this attempt's speed; None before its first step."""
        if self.config.seconds:
            return max(self.config.seconds - self.elapsed, 0.0)
        steps, seconds = self.step - self.began[0], self.elapsed - self.began[1]
        return seconds / steps * (self.config.preset.steps - self.step) if steps else None

    def advance(self) -> None:
        """One step, and what follows it; `elapsed` counts the step alone."""
        config, step = self.config, self.step + 1
        validates = step % config.validate_every == 0
        listens = self.reporter.listens(step)
        started = time.perf_counter()
        figures, rows = self._learn(step, listens)
        seconds = self.team.once(lambda: time.perf_counter() - started)
        self.step, self.elapsed = step, self.elapsed + seconds
        self.reporter.count(figures.pop("loss"), seconds, figures.pop("data_seconds"))
        if listens or validates:
            with self.team.whole(self.parts.model):
                self.team.once(partial(self._report, figures, rows, validates))
        elif step % config.report_every == 0:
            self.team.once(lambda: self.reporter.merge(step, self._seconds_left()))
        if step % config.checkpoint_every == 0:
            self._save()

    def _report(self, figures: dict[str, float], rows: list[dict], validates: bool) -> None:
        """What the lead writes down of a step."""
        if validates:
            figures["validation_bits_per_byte"] = self.reporter.validate(self.step, self._still_scoring)
        self.reporter.report(self.step, self.elapsed, figures, rows, self._seconds_left())

    def _learn(self, step: int, listens: bool) -> tuple[dict[str, float], list[dict]]:
        """The step itself: its figures and, if it listens, its rows of levels. NonFinite leaves the weights as they were."""
        parts = self.parts
        config, share = self.config, self.done() if self.config.seconds else step / self.config.preset.steps
        course = schedule.factor(share, config.schedule, config.warmup, config.floor, config.decay)
        lr = config.preset.lr * course * self.steering.lr_scale
        lane, lasts = parts.batches.lane, parts.batches.piece < parts.batches.carry
        asked = time.perf_counter()
        batch = self.ahead.next()
        waited = time.perf_counter() - asked
        if isinstance(parts.model, InContext):
            parts.model.at_step(step)
        with probe.listen() if listens else nullcontext():
            losses, given, reports = self._backward(batch, lane, lasts)
            loss = self.guard.learnt(losses, step, given)
            last = step == self.config.preset.steps and not self.config.seconds
            norm, outer = parts.optimizer.step(step, lr, last)
        rows = telemetry.rows(parts.model.levels(), parts.optimizer, reports, outer) if listens else []
        figures = {"loss": loss, "lr": lr, "data_seconds": waited}
        return figures | ({"gradient_norm": telemetry.figure(norm.item())} if listens else {}), rows

    def _rows(self) -> list[np.ndarray]:
        """For each part of a batch that is computed at once, this process's rows of the batch."""
        parts = torch.arange(self.parts.batches.batch).split(self.parts.at_once.rows)
        return [self.team.share(rows).numpy() for rows in parts]

    def _backward(
        self, batch: list[Batch], lane: int, lasts: bool
    ) -> tuple[list[Tensor], list[tuple[Tensor, Any]], telemetry.Reports]:
        """Gathers the gradient of the batch's mean loss, part by part, and waits for nothing.

        Returns each part's share of that loss, what each was computed of, and the reports of the first. It begins with
        the lane's states, if it has any, and leaves it the new ones if the lane `lasts`.
        """
        team, losses, given, seen, kept = self.team, [], [], [], []
        befores = self.carried.pop(lane, [None] * len(batch))
        for number, (part, before) in enumerate(zip(batch, befores, strict=True), 1):
            x, y = (tokens.to(self.parts.choice.device, non_blocking=tokens.is_pinned()) for tokens in part)
            last = number == len(batch)
            with team.together(), self.compiled, nullcontext() if last else team.apart(self.objective):
                loss, reports, after = self.objective(x, y, before, lasts)
                loss = loss * (1 / len(batch))
                losses.append(team.mean(loss.detach()))
                loss.backward()
            given.append((x, before))
            seen.append(reports)
            kept.append(after)
        if lasts:
            self.carried[lane] = kept
        means = {block: {name: team.mean(x) for name, x in report.items()} for block, report in seen[0].items()}
        return losses, given, means

    def _still_scoring(self) -> None:
        """Between two batches of a validation."""
        self._beat("validating")
        if self.leave:
            raise Leave

    def _save(self) -> None:
        """Writes a checkpoint, if the last one is another. Raises NonFinite rather than keep weights not finite."""
        if self.team.once(self._is_to_be_saved):
            rows = {lane: carried.gathered(parts, self.team) for lane, parts in sorted(self.carried.items())}
            self.guard.weights(self.step)
            self.guard.carried(rows, self.step)
            weights, state = self.parts.model.state_dict(), self._state() | {"carried": rows}
            path = checkpoint.save(self.folder.checkpoints, self.step, weights, state, self.config.keep, self.team)
            self.guard.checkpoint, self.written = path, (self.step, self.inbox.done)
        self.team.once(self._note_checkpoint)

    def _is_to_be_saved(self) -> bool:
        return (self.step, self.inbox.done) != self.written or checkpoint.damage(self.guard.checkpoint) is not None

    def _note_checkpoint(self) -> None:
        self.status.set(checkpoint=str(self.guard.checkpoint), step=self.step, command=self.inbox.done)

    def _state(self) -> dict:
        """All that a bitwise resume needs beside the weights and what is carried."""
        cuda = self.parts.choice.device.type == "cuda"
        return {
            "step": self.step,
            "elapsed": self.elapsed,
            "window": self.reporter.window,
            "optimizer": self.parts.optimizer.state_dict(),
            "corpus": self.parts.corpus.hash,
            "batches": self.parts.batches.state_dict(),
            "steering": self.steering.state_dict(),
            "command": self.inbox.done,
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state() if cuda else None,
        }
