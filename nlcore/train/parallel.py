"""Training on several processes: each computes its rows of every batch; one of them, the lead, decides and writes."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from nlcore import machine
from nlcore.train.config import TrainConfig, TrainError
from nlcore.train.device import Choice

T = TypeVar("T")
PATIENCE = timedelta(hours=12)
"""How long the others wait for the lead, at most: it may be tokenising a large text, or scoring."""
LINGER = 10.0
"""Seconds that the lead has to write down why a run failed: torchrun ends all processes once one has."""


class Lost(TrainError):
    """Another process of the run is gone."""


@dataclass(frozen=True)
class Team:
    """The processes that train one run together. This class is a team of one: nothing is sent, nothing costs.

    Every method is called by all processes, in the same order. The lead holds the run's folder: it
    alone reads commands and writes files. All read the folder, so machines need to share it.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    """Rank among the processes of this machine: the number of its GPU."""

    @property
    def lead(self) -> bool:
        return self.rank == 0

    def place(self, choice: Choice) -> Choice:
        """The choice with this process's own device. Raises TrainError if there are too few."""
        return choice

    def hold(self, model: nn.Module, choice: Choice) -> nn.Module:
        """The model on this process's device, before its optimizer is made; its parameters are what this process holds."""
        return model.to(choice.device)

    def wrap(self, module: nn.Module, all_used: bool) -> nn.Module:
        """The module, with a backward pass that leaves in `.grad` the mean over processes.

        What had been gathered in `.grad` before, the same everywhere, stays as it was. all_used: every
        parameter has a part in the output.
        """
        return module

    def apart(self, module: nn.Module) -> AbstractContextManager:
        """Inside the block, what `wrap` returned gathers gradients without taking means: the next pass does it."""
        return nullcontext()

    def whole(self, model: nn.Module) -> AbstractContextManager:
        """Inside the block the lead may use what `hold` returned alone, as if it held all of it; nothing is trained."""
        return nullcontext()

    def empty(self, size: torch.Size, dtype: torch.dtype) -> Tensor:
        """A tensor of that size, to be filled from a file, or this process's part of one."""
        return torch.empty(size, dtype=dtype)

    def spread(self, tensor: Tensor) -> Tensor:
        """What this process holds of a tensor that all of them have."""
        return tensor

    def share(self, rows: Tensor) -> Tensor:
        """This process's rows of (B, ...): (B / size, ...), in the order of ranks."""
        return rows

    def mean(self, value: Tensor) -> Tensor:
        """The mean over processes, elementwise; the same bits on all of them."""
        return value

    def once(self, call: Callable[[], T]) -> T:
        """Calls on the lead alone; all get what it returned, or raise what it raised."""
        return call()

    def gather(self, value: T) -> list[T]:
        """Everyone's value, in the order of ranks."""
        return [value]

    def in_turn(self) -> AbstractContextManager:
        """The lead goes through the block first, so that the others find the files it has made."""
        return nullcontext()

    def together(self) -> AbstractContextManager:
        """Raises Lost if a process goes missing inside the block."""
        return nullcontext()

    def abandoned(self) -> bool:
        """Whether the launcher is gone, so that nobody would end the others if one ended."""
        return False

    def linger(self) -> None:
        """After a failure that all know of: lets the lead be the first to end."""


@dataclass(frozen=True)
class Processes(Team):
    """More than one, as torchrun started them: gloo on the CPU, and NCCL where tensors are on CUDA."""

    orphaned: Callable[[], bool] = field(default_factory=machine.orphaned)

    def place(self, choice: Choice) -> Choice:
        if choice.device.type == "mps":
            raise TrainError("Several processes cannot share an mps device: start one, or add --device cpu.")
        if choice.device.type != "cuda":
            return choice
        here, there = int(os.environ.get("LOCAL_WORLD_SIZE", self.size)), torch.cuda.device_count()
        if here > there:
            raise TrainError(f"There are {here} processes for {there} CUDA GPUs here: start at most one process a GPU.")
        torch.cuda.set_device(self.local)
        return replace(choice, device=torch.device("cuda", self.local))

    def wrap(self, module: nn.Module, all_used: bool) -> nn.Module:
        with self.together():
            return DistributedDataParallel(module, find_unused_parameters=not all_used)

    def apart(self, module: nn.Module) -> AbstractContextManager:
        return module.no_sync()

    def share(self, rows: Tensor) -> Tensor:
        return rows.chunk(self.size)[self.rank]

    def mean(self, value: Tensor) -> Tensor:
        total = value.clone()
        with self.together():
            dist.all_reduce(total)
        return total / self.size

    def once(self, call: Callable[[], T]) -> T:
        said: list[Any] = [None, None]
        if self.lead:
            try:
                said[0] = call()
            except (Exception, SystemExit) as error:
                said[1] = error
        with self.together():
            dist.broadcast_object_list(said)
        if said[1] is not None:
            raise said[1]
        return said[0]

    def gather(self, value: T) -> list[T]:
        values: list[Any] = [None] * self.size
        with self.together():
            dist.all_gather_object(values, value)
        return values

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        if not self.lead:
            self.gather(None)
        try:
            yield
        finally:
            if self.lead:
                self.gather(None)

    @contextmanager
    def together(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, dist.DistError) or "gloo" in str(error):  # gloo raises no type of its own
                raise Lost(
                    "Another process of this run ended too early (log.txt or the terminal may say why): "
                    "a resume goes on from the newest checkpoint."
                ) from error
            raise

    def abandoned(self) -> bool:
        return self.orphaned()

    def linger(self) -> None:
        if not self.lead:
            time.sleep(LINGER)


ALONE = Team()


@contextmanager
def joined() -> Iterator[Team]:
    """The team that torchrun describes in the environment, inside the block; ALONE without torchrun."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    gpus = torch.cuda.is_available() and dist.is_nccl_available()
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", timeout=PATIENCE)
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), int(os.environ["LOCAL_RANK"]))
    finally:
        dist.destroy_process_group()


def of(config: TrainConfig, choice: Choice, team: Team) -> Team:
    """The team, as this run's processes work together. One process holds all, whatever the config says."""
    if team.size == 1 or config.parallel == "ddp":
        return team
    from nlcore.train.sharded import Sharded  # seconds, which only such a run should pay

    return Sharded(team.rank, team.size, team.local, kind=choice.device.type)


def is_restarted() -> bool:
    """Whether torchrun starts these processes anew if one fails, as --max-restarts says.

    Raises TrainError where it would start them in vain: by default they find the addresses of those that are gone.
    """
    if os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0") == "0":
        return False
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        raise TrainError("--max-restarts needs TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 in front of torchrun: add it, or leave that out.")
    return True


def check(config: TrainConfig, processes: int) -> None:
    """Raises TrainError unless so many processes can share every batch equally."""
    if not isinstance(processes, int) or processes < 1:
        raise TrainError(f"processes is {processes}: give a whole number, 1 or more.")
    for name, rows in (("batch", config.preset.batch), ("micro_batch", config.micro_batch)):
        if rows is not None and rows % processes:
            raise TrainError(
                f"{processes} processes cannot share a {name} of {rows} equally: "
                f"choose one that {processes} divides, or start a number of processes that divides it."
            )


def fitting(config: TrainConfig) -> int:
    """One process for each visible CUDA GPU if the run will use them, or as many as share its batch equally; else 1."""
    if config.device not in ("auto", "cuda") or not torch.cuda.is_available():
        return 1
    rows = config.micro_batch or config.preset.batch
    return max(n for n in range(1, torch.cuda.device_count() + 1) if rows % n == 0)
