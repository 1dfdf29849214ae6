"""Commands to a run: numbered lines in control.jsonl, read by the trainer between steps.

A machine that has but a copy of the run's folder writes control-NAME.jsonl, which a sync brings back: the trainer takes
its lines over into control.jsonl.
"""

import math
import re
import socket
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from nlcore.optim.settings import plain
from nlcore.train.choices import LARGEST_RATE, TrainError
from nlcore.train.folder import RunFolder, held
from nlcore.train.records import CONTROL, Record, Tail, append, has_shape, parse, parsed, records, text
from nlcore.train.status import is_elsewhere, stored

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
MAIL = 1.0
"""Seconds between two looks for commands of other machines, at least."""


@dataclass(frozen=True)
class Command:
    """One command. Raises TrainError if something is missing, too much, or of the wrong kind."""

    number: int
    command: str
    level: str | None = None
    value: float | None = None
    """lr_scale and level_lr: factor on the learning rate, 0 or more; period: whole steps, 1 or more."""
    sender: str | None = None
    """The machine that it came from, and its number there; None for one that was given where the run is."""
    sent: int | None = None

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


def sender(folder: RunFolder) -> str | None:
    """What this machine is called as a sender of commands; None where the run is."""
    elsewhere = is_elsewhere(folder, stored(folder))
    return re.sub(r"[^\w-]", "-", socket.gethostname()) or "elsewhere" if elsewhere else None


def send(folder: RunFolder, command: str, level: str | None = None, value: float | None = None) -> int:
    """Appends a command under the next free number, and returns the number. Writers wait for one another.

    Where the run trains elsewhere, commands are numbered by themselves, and the run numbers them anew as they arrive.
    Raises TrainError, and writes nothing, for a command that makes no sense, or if it cannot be written.
    """
    given, here = Command(0, command, level, value), sender(folder)
    path = folder.control if here is None else folder.mailbox(here)
    try:
        return _put(folder, path, given, here)
    except OSError as error:
        raise TrainError(f"The command was not sent, since {path} cannot be written now ({error}).") from error


def _put(folder: RunFolder, path: Path, given: Command, here: str | None = None) -> int:
    """Appends a command to a file, under the next number of the sender `here`."""
    with held(folder.sending, WAIT):
        # Both files, since the one may have been emptied.
        own = [line["number"] for line in parsed(Tail(path).lines(), CONTROL) if line]
        answered = [_number(line, here) for line in records(folder.applied)]
        number = max([*own, *answered], default=0) + 1
        line = {"number": number, "time": time.time(), "command": given.command}
        names = (*COMMANDS[given.command], *(("sender", "sent") if given.sender else ()))
        append(path, line | {name: getattr(given, name) for name in names})
    return number


def _number(line: Record, here: str | None) -> int:
    """A command's number at the sender `here`; 0 if it came from another one."""
    if here is None:
        return line["number"]
    return line["sent"] or 0 if line["sender"] == here else 0


def answers(line: Record, number: int, here: str | None) -> bool:
    """Whether a line of applied.jsonl says what became of the command `number` of the sender `here`."""
    return line["sender"] == here and _number(line, here) == number


def read_command(line: str) -> Command | str:
    """The command that a line of control.jsonl holds, or a sentence that says why it is none."""
    found = parse(line)
    if not has_shape(found, CONTROL):
        return f"The line {line[:80]!r} is no command: it needs a number and a command, in JSON."
    try:
        return Command(**{name: found.get(name) for name in ("number", "command", "level", "value", "sender", "sent")})
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
        self.taken: set[int] = set()
        self.waiting: list[tuple[int, Command]] = []
        self.mail: dict[str, Tail] = {}
        """By sender."""
        self.arrived: dict[str, int] = {}
        """The last command of each sender that is in control.jsonl."""
        for line in (*records(folder.control), *self.earlier.values()):
            if line["sender"] is not None:
                self._arrives(line["sender"], line["sent"] or 0)
        self.looked = -math.inf

    def _arrives(self, sender: str, sent: int) -> None:
        self.arrived[sender] = max(self.arrived.get(sender, 0), sent)

    def _collect(self) -> list[str]:
        """Puts what came from other machines into control.jsonl, once; a sentence for each line that is no command."""
        if time.monotonic() - self.looked < MAIL:
            return []
        self.looked, wrong = time.monotonic(), []
        for sender, path in self.folder.mailboxes().items():
            tail = self.mail.setdefault(sender, Tail(path))
            for command in map(read_command, tail.lines()):
                if isinstance(command, str):
                    wrong.append(command)
                elif command.number > self.arrived.get(sender, 0):
                    try:
                        _put(self.folder, self.folder.control, replace(command, sender=sender, sent=command.number))
                    except OSError:  # it is read again at the next look
                        tail.rewind()
                        break
                    self._arrives(sender, command.number)
        return wrong

    def due(self, step: int) -> tuple[list[Command], list[str]]:
        """Commands to carry out before `step`, in order, and a sentence for each line that is none."""
        wrong, fresh = self._collect(), False
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
        if command.number <= self.held or command.number in self.taken:
            return False
        self.taken.add(command.number)
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
