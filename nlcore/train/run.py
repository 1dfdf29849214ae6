"""One run in this process: makes its folder, takes its lock, resumes what is there, and ends it in order."""

import signal
import threading
import traceback
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from nlcore.tasks.entropy import order1
from nlcore.train import checkpoint, device, events, fits, parallel, parts
from nlcore.train.checkpoint import Checkpoint
from nlcore.train.config import TrainConfig, TrainError, change
from nlcore.train.config_file import check_same_way, read_config, write_config
from nlcore.train.folder import RunFolder, free, locked, trouble
from nlcore.train.loop import Trainer
from nlcore.train.parallel import ALONE, Team
from nlcore.train.progress import Progress, clock
from nlcore.train.records import Record, last
from nlcore.train.status import LIVE, Status, read_status
from nlcore.train.words import quoted

CHANGEABLE = (
    "steps", "seconds", "lr", "clip", "floor", "decay", "micro_batch", "data", "device", "compile", "parallel",
    "tensorboard",
)  # fmt: skip
"""What may be given anew when a run is resumed; the rest belongs to its weights."""
HANGUP = getattr(signal, "SIGHUP", None)
"""A closed terminal's signal, where the system has it."""


def new(config: TrainConfig, path: str | Path | None = None, processes: int = 1) -> RunFolder:
    """Makes a run's folder with its config; by default the next free runs/SIZE-MODEL-N.

    Raises TrainError or DataError, before anything is written, if the sizes, the text, the device or the number of
    processes will not do, or if `path` holds anything: a run, or files that are not a run's. A run that failed before its
    first report may be replaced.
    """
    if path is not None:
        check_vacant(RunFolder(path))
    check(config, processes)
    folder = RunFolder(path) if path is not None else free(f"{config.preset.name}-{config.model}")
    folder.create()
    with in_words(folder), locked(folder):
        check_vacant(folder)
        folder.tidy()
        for old in (folder.tokenizer, folder.status):
            old.unlink(missing_ok=True)
        write_config(folder, config, facts={})
    return folder


def begin(config: TrainConfig, path: str | Path | None, processes: int) -> RunFolder:
    """What `new` makes. Where torchrun is to restart the command, the run that it has made before is gone on with.

    Raises TrainError as `new` does, and where torchrun is to restart a command that does not name its folder.
    """
    if parallel.is_restarted():
        if path is None:
            raise TrainError("With --max-restarts every restart would begin another run: name this one's folder with --run.")
        if RunFolder(path).is_ours() and read_config(RunFolder(path))[0] == config:
            return RunFolder(path)
    return new(config, path, processes)


def check(config: TrainConfig, processes: int) -> None:
    """Raises TrainError or DataError if a run cannot begin as asked: its processes, its device, its sizes, its text."""
    parallel.check(config, processes)
    events.check(config)
    device.compiles(config, device.choose(config.device, config.dtype))
    parts.check(config)


def check_vacant(folder: RunFolder) -> None:
    """Raises TrainError unless a new run may have the folder."""
    here = folder.path
    try:
        others = folder.content()
    except OSError as error:
        raise TrainError(f"{here} cannot be read as a folder: {error.strerror}; name another.") from error
    if others and not folder.is_ours():
        raise TrainError(f"{here} holds files that are not a run's ({others[0]}): name a new folder, or an empty one.")
    if others and (folder.begun() or read_status(folder).get("state") in (None, *LIVE)):
        raise TrainError(f"{here} holds a run already: continue it with --resume {quoted(here)}, or name another folder.")


def train(folder: RunFolder, accept_data: bool = False, team: Team = ALONE, **choices: Any) -> Record:
    """Trains the folder's run from its newest whole checkpoint, or from step 0, to its end; returns its status.

    Args:
        accept_data: go on although the text is not the one the run began with.
        team: the processes that train it together; each of them calls this.
        choices: of `CHANGEABLE`, to replace what the config says.

    Raises TrainError or DataError, one sentence each; the status then says "failed" and why, unless
    another process holds the folder, or it holds no run that this version may go on with.
    """
    events.check(changed(read_config(folder)[0], **choices))
    check_same_way(folder)
    with in_words(folder), ExitStack() as stack:
        team.once(lambda: stack.enter_context(locked(folder)))
        team.once(lambda: _begin(folder))
        status, progress = Status(folder), Progress(folder)
        if team.lead:
            stack.enter_context(_failures(folder, status, progress))
        state, sentence = _attempt(folder, status, progress, team, accept_data, choices)
        team.once(lambda: _end(status, progress, state, sentence))
        return team.once(lambda: status.fields)


@contextmanager
def in_words(folder: RunFolder) -> Iterator[None]:
    """What the system refuses inside the block is a TrainError."""
    try:
        yield
    except OSError as error:
        raise TrainError(trouble(error, folder)) from error


@contextmanager
def _failures(folder: RunFolder, status: Status, progress: Progress) -> Iterator[None]:
    """Writes down why the block failed. A finished run that does not come to train again stays done."""
    finished = _is_finished(status)

    def tell(state: str, sentence: str, note: str) -> None:
        stays = finished and status.fields["state"] == "starting"
        with suppress(OSError):  # a full disk, or a folder that is gone, takes no note
            progress.note(note)
            status.set(state="done" if stays else state, sentence=sentence)

    try:
        yield
    except ValueError as error:
        tell("failed", str(error), str(error))
        raise
    except KeyboardInterrupt:
        sentence = "Interrupted: a resume goes on from the newest checkpoint."
        tell("stopped", sentence, sentence)
        raise
    except (torch.OutOfMemoryError, MemoryError) as error:
        advice = "The device or the machine is out of memory: resume with a smaller --micro-batch, or start a smaller size."
        tell("failed", advice, advice)
        raise TrainError(advice) from error
    except OSError as error:
        sentence = trouble(error, folder)
        tell("failed", sentence, sentence)
        raise
    except Exception as error:
        tell("failed", f"{type(error).__name__}: {error}; log.txt says where.", traceback.format_exc())
        raise


def _is_finished(status: Status) -> bool:
    """Whether the last step that was saved is the one that the run ended with."""
    result = status.fields.get("result")
    return isinstance(result, dict) and result.get("steps") == status.fields.get("step")


def _begin(folder: RunFolder) -> None:
    """Counts the attempt, on from those in status.json and in the lines that are there: either may be lost."""
    folder.tidy()
    if folder.checkpoints.exists():
        checkpoint.tidy(folder.checkpoints)
    status = Status(folder)
    files = (folder.metrics, folder.levels, folder.surprise, folder.samples, folder.applied)
    counted = [line["attempt"] for file in files for line in last(file)]
    status.set(state="starting", attempt=max([status.fields.get("attempt") or 0, *counted]) + 1, sentence="", line="")


def _end(status: Status, progress: Progress, state: str, sentence: str) -> None:
    progress.say(sentence)
    status.set(state=state, sentence=sentence)


def _attempt(
    folder: RunFolder, status: Status, progress: Progress, team: Team, accept: bool, choices: dict
) -> tuple[str, str]:
    """State and sentence that the attempt ends with."""
    config, facts = read_config(folder)
    config = changed(config, **choices)
    parallel.check(config, team.size)
    choice = team.place(device.choose(config.device, config.dtype))
    team = parallel.of(config, choice, team)
    device.compiles(config, choice)
    with device.settled(choice, config.threads or facts.get("threads", 0) or device.threads(config.preset.dim)):
        made = parts.make(config, folder, choice, team, facts.get("micro_batch"))
        if not accept:
            _check_text(folder, facts, made)
        pairs = order1(made.held_out.pieces(config.final_windows))
        found = made.facts() | {"processes": team.size, "order1_entropy": pairs}
        trainer = Trainer(config, folder, made, status, progress, team)
        say = progress.say if team.lead else lambda _: None
        saved = checkpoint.newest(folder.checkpoints, say, lambda saved: fits.run(saved, made), team)
        if saved is not None:
            trainer.restore(saved)
        elif checkpoint.steps(folder.checkpoints):
            say("No checkpoint of this run is whole, so it begins again from the first step.")
        _check_unfinished(folder, trainer, status)
        team.once(lambda: write_config(folder, config, found))
        team.once(lambda: progress.say("\n".join(_introduction(folder, config, made, saved, team))))
        with _signals(trainer):
            state = trainer.run()
    if state == "done":
        return state, f"Done in {clock(trainer.elapsed)} of training. Everything is in {folder.path}."
    return state, f"Stopped after step {trainer.step:,}. Go on with: python -m nlcore.train --resume {quoted(folder.path)}"


def changed(config: TrainConfig, **choices: Any) -> TrainConfig:
    """The config of a run that goes on with these choices of `CHANGEABLE`. Raises TrainError for any other value."""
    for name, value in choices.items():
        if value is None:
            raise TrainError(f"{name} is {value}: give a value, or leave {name} out to keep the run's own.")
    made = change(config, **choices)
    fixed = next((name for name in choices if name not in CHANGEABLE), None)
    if fixed is not None:
        option = "--" + fixed.replace("_", "-")
        raise TrainError(f"A run's {fixed} cannot change: start a new run, or resume without {option}.")
    return made


def _check_unfinished(folder: RunFolder, trainer: Trainer, status: Status) -> None:
    if _is_finished(status) and status.fields["step"] == trainer.step and trainer.done() >= 1:
        raise TrainError(
            f"{folder.path} has finished its {trainer.step:,} steps: add --steps with a larger number to go on."
        )


def _check_text(folder: RunFolder, facts: Record, made: parts.Parts) -> None:
    then, now = facts.get("corpus", {}).get("hash", made.corpus.hash), made.corpus.hash
    if then != now:
        raise TrainError(
            f"The text is not the one {folder.path} began with (its hash was {then[:8]}, and is {now[:8]}): "
            "name that text with --data, or add --accept-data to go on with this one."
        )


def _introduction(
    folder: RunFolder, config: TrainConfig, made: parts.Parts, saved: Checkpoint | None, team: Team
) -> list[str]:
    facts = made.facts()
    text = facts["corpus"]
    levels = ", ".join(f"{level['name']} {level['period']} {level['unit']}" for level in facts["levels"])
    processes = f", on {team.size} processes ({config.parallel})" if team.size > 1 else ""
    begin = f"from step {saved.state['step']:,}, {saved.path}" if saved else "from the first step"
    return [
        f"Model    {config.model} {config.preset.name}, {facts['parameters']:,} parameters",
        f"Levels   {levels}",
        *(f"Inner    {line}" for line in (made.model.summary().splitlines() if config.preset.in_context else ())),
        f"Text     {text['name']}: {text['train_bytes']:,} bytes to train on, {text['validation_bytes']:,} to validate",
        f"Device   {made.choice}; {facts['threads']} CPU threads{processes}{_compiled(config, made.choice)}",
        f"At once  {made.at_once.rows} of {config.preset.batch} sequences, {made.at_once.reason}",
        f"Run      {folder.path}, {begin}",
    ]


def _compiled(config: TrainConfig, choice: device.Choice) -> str:
    if not device.to_compile(config, choice):
        return ""
    trouble = device.compile_trouble(choice.device.type)
    return f"; not compiled, since torch.compile says: {trouble}" if trouble else "; compiled"


@contextmanager
def _signals(trainer: Trainer) -> Iterator[None]:
    """The first signal to end ends the run at the next step; the second does what it always did.

    A terminal that closes may say so twice, so its signal stays harmless; where it is ignored (nohup), it stays
    ignored. Only the main thread may handle signals: in another one they are left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: object) -> None:
        trainer.leave = True
        restore(set(before) - {HANGUP})

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    if HANGUP is not None and signal.getsignal(HANGUP) != signal.SIG_IGN:
        numbers.append(HANGUP)
    before = {number: signal.signal(number, leave) for number in numbers}

    def restore(chosen: Collection[int]) -> None:
        for number in chosen:
            # None: a handler that was not set from Python, and cannot be set again.
            signal.signal(number, signal.SIG_DFL if before[number] is None else before[number])

    try:
        yield
    finally:
        restore(before)
