"""Commands to a run: numbered lines in control.jsonl, read by the trainer between steps."""

import time
from dataclasses import asdict, dataclass

from nlcore.optim.settings import plain
from nlcore.train.choices import LARGEST_RATE, TrainError
from nlcore.train.folder import RunFolder, held
from nlcore.train.records import CONTROL, Record, Tail, append, has_shape, parse, records, text

COMMANDS: dict[str, tuple[str, ...]] = {
    "pause": (),
    "resume": (),
    "stop": (),
    "checkpoint": (),
    "lr_scale": ("value",),
    "period": ("level", "value"),
    "level_lr": ("level", "value"),
}
"""Each command and what it needs. The last three are settings, the others are done once."""
SETTINGS = ("lr_scale", "period", "level_lr")
WAIT = 5.0
"""Seconds that a sender waits for the others: each holds the lock for an instant."""


@dataclass(frozen=True)
class Command:
    """One command. Raises TrainError if something is missing, too much, or of the wrong kind."""

    number: int
    command: str
    level: str | None = None
    value: float | None = None
    """lr_scale and level_lr: factor on the learning rate, 0 or more; period: whole steps, 1 or more."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", plain(self.value))
        if self.command not in COMMANDS:
            raise TrainError(f"There is no command {self.command!r}: choose one of {', '.join(COMMANDS)}.")
        needs = COMMANDS[self.command]
        if {name for name in ("level", "value") if getattr(self, name) is not None} != set(needs):
            raise TrainError(f"The command {self.command} takes {' and '.join(needs) or 'nothing'}: give exactly that.")
        if "level" in needs and not text(self.level):
            raise TrainError(f"The level of {self.command} is {self.level!r}: give a level's name.")
        if "value" in needs:
            _check_value(self.command, self.value)


def _check_value(command: str, value: object) -> None:
    if command == "period":
        if type(value) is not int or value < 1:
            raise TrainError(f"The period is {value!r}: give a whole number of steps, 1 or more.")
    elif type(value) not in (int, float) or not 0 <= value <= LARGEST_RATE:
        raise TrainError(f"The value of {command} is {value!r}: give a number from 0 to {LARGEST_RATE:g}.")


def send(folder: RunFolder, command: str, level: str | None = None, value: float | None = None) -> int:
    """Appends a command under the next free number, and returns the number. Writers wait for one another.

    Raises TrainError, and writes nothing, for a command that makes no sense, or if it cannot be written.
    """
    given = Command(0, command, level, value)
    try:
        with held(folder.sending, WAIT):
            # Both files, since control.jsonl may have been emptied.
            numbers = [line["number"] for file in (folder.control, folder.applied) for line in records(file)]
            number = max(numbers, default=0) + 1
            line = {"number": number, "time": time.time(), "command": command}
            append(folder.control, line | {name: getattr(given, name) for name in COMMANDS[command]})
    except OSError as error:
        raise TrainError(f"The command was not sent, since {folder.control} cannot be written now ({error}).") from error
    return number


def read_command(line: str) -> Command | str:
    """The command that a line of control.jsonl holds, or a sentence that says why it is none."""
    found = parse(line)
    if not has_shape(found, CONTROL):
        return f"The line {line[:80]!r} is no command: it needs a number and a command, in JSON."
    try:
        return Command(found["number"], found["command"], found.get("level"), found.get("value"))
    except TrainError as error:
        return str(error)


class Inbox:
    """The trainer's side: hands out each command once, and notes what became of it in applied.jsonl.

    After a resume, settings that took effect past the checkpoint come back at the same step as
    before, so that a run killed and resumed equals one that was not. What was done once stays done.

    Args:
        held: the last command that the checkpoint holds; 0 for a new run.
        attempt: this attempt, counted from 1.
    """

    def __init__(self, folder: RunFolder, held: int, attempt: int) -> None:
        self.folder, self.held, self.attempt = folder, held, attempt
        self.done = held
        """The last command carried out or refused."""
        self.tail = Tail(folder.control)
        self.earlier: dict[int, Record] = {line["number"]: line for line in records(folder.applied)}
        self.waiting: list[tuple[int, Command]] = []

    def due(self, step: int) -> tuple[list[Command], list[str]]:
        """Commands to carry out before `step`, in order, and a sentence for each line that is none."""
        wrong, fresh = [], False
        for command in map(read_command, self.tail.lines()):
            if isinstance(command, Command):
                fresh |= self._take(command, step)
            else:
                wrong.append(command)
        # A new command ends the repetition: what still waits is older, and must not overrule it.
        ready = [command for at, command in self.waiting if fresh or at <= step]
        self.waiting = [(at, command) for at, command in self.waiting if not fresh and at > step]
        return ready, wrong

    def _take(self, command: Command, step: int) -> bool:
        """Puts a command where it belongs; whether it is one that nobody has followed yet."""
        before = self.earlier.get(command.number)
        if command.number <= self.held:
            return False
        if before is None:
            self.waiting.append((step, command))
        elif command.command in SETTINGS and before["applied"]:
            self.waiting.append((before["step"], command))
        return before is None

    def note(self, command: Command, step: int, applied: bool, sentence: str) -> None:
        """Notes what became of a command: applied before `step` was computed, or refused."""
        self.done = max(self.done, command.number)
        said = {"step": step, "attempt": self.attempt, "applied": applied, "sentence": sentence}
        append(self.folder.applied, asdict(command) | {"time": time.time()} | said)
