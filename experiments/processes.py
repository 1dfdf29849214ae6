"""Work in processes of its own: so many side by side, each with one thread, its memory given back at its end."""

import _thread
import multiprocessing
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any

import torch

PATIENCE = 5.0
"""Seconds in which a process that was told to end may write what it knows."""


@dataclass(frozen=True)
class Outcome:
    """What became of a piece of work."""

    name: str
    value: Any = None
    trouble: str | None = None
    """Why there is no value: the last line says it, those before it where."""


class Pool:
    """A context: whatever still runs at its end is told to end, and given the time to leave in order."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._running: dict[Connection, tuple[str, multiprocessing.Process]] = {}

    @property
    def names(self) -> set[str]:
        """Of what runs."""
        return {name for name, _ in self._running.values()}

    @property
    def free(self) -> bool:
        return len(self._running) < self.workers

    def start(self, name: str, function: Callable[..., Any], *arguments: Any) -> None:
        """Calls `function(*arguments)` in a new process; all of them, and what it returns, have to be picklable."""
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(there, function, arguments))
        with _deaf():
            process.start()
        there.close()  # so that the end of the process is the end of the pipe
        self._running[here] = (name, process)

    def wait(self) -> Outcome:
        """Waits for the next that ends, and says how."""
        here = wait(list(self._running))[0]
        name, process = self._running[here]
        try:
            value, trouble = here.recv()
        except EOFError:
            process.join()
            value, trouble = None, f"Its process ended without a word, with code {process.exitcode}."
        process.join()
        del self._running[here]
        here.close()
        return Outcome(name, value, trouble)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for end in (lambda process: None, lambda process: process.terminate(), lambda process: process.kill()):
            for _, process in self._running.values():
                end(process)
            until = time.monotonic() + PATIENCE
            for _, process in self._running.values():
                process.join(max(0.0, until - time.monotonic()))


@contextmanager
def _deaf() -> Iterator[None]:
    """A process that is started in the block is not interrupted while it starts, so it cannot die of it noisily."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(pipe: Connection, function: Callable[..., Any], arguments: tuple) -> None:
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(KeyboardInterrupt, BrokenPipeError):  # whoever interrupts, or is gone, waits for no word
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            pipe.send((function(*arguments), None))
        except Exception:
            pipe.send((None, traceback.format_exc().strip()))


def _end_with_parent() -> None:
    """Interrupts the work if the process that wanted it is gone: nobody would store what it finds."""
    multiprocessing.parent_process().join()
    _thread.interrupt_main()
