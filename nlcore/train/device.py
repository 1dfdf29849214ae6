"""Where a run computes, in which precision, and why."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache

import torch

from nlcore import machine
from nlcore.train.config import TrainConfig, TrainError


@dataclass(frozen=True)
class Choice:
    """A device, the precision of the computation, and the reason in words."""

    device: torch.device
    dtype: torch.dtype
    reason: str

    def autocast(self) -> AbstractContextManager:
        """Computes in `dtype` inside the block; nothing for float32."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def memory(self) -> int:
        """Bytes held: of a GPU the most that tensors took since this was last asked, else what the process has."""
        if self.device.type != "cuda":
            return machine.held_memory()
        most = torch.cuda.max_memory_allocated(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        return most

    def __str__(self) -> str:
        return f"{self.device.type} in {str(self.dtype).removeprefix('torch.')}: {self.reason}"


def choose(device: str, dtype: str) -> Choice:
    """The best device there is for "auto", else the one asked for; likewise the dtype.

    Raises TrainError for a device that is not there.
    """
    name, why = _device(device)
    if dtype == "auto":
        fast = name == "cuda" and torch.cuda.is_bf16_supported()
        dtype = "bfloat16" if fast else "float32"
        why += "; bfloat16 is fastest there" if fast else "; float32 is the safe choice there"
    else:
        why += f"; {dtype} was asked for"
    return Choice(torch.device(name), getattr(torch, dtype), why)


def compiles(config: TrainConfig, choice: Choice) -> bool:
    """Whether the run's steps are compiled. Raises TrainError where that was asked for and cannot be."""
    if config.compile == "on" and config.preset.in_context:
        raise TrainError("Levels that learn in context take gradients while they read, which cannot be compiled: leave out --compile.")
    trouble = compile_trouble(choice.device.type) if to_compile(config, choice) else ""
    if config.compile == "on" and trouble:
        raise TrainError(f"torch.compile does not work here, so install what it lacks, or leave out --compile. It says: {trouble}")
    return to_compile(config, choice) and not trouble


def to_compile(config: TrainConfig, choice: Choice) -> bool:
    """Whether steps are to be compiled, if that works here.

    Levels that learn in context take gradients inside the forward pass, which no graph holds: they stay eager.
    """
    return config.compile == "on" or config.compile == "auto" and choice.device.type == "cuda" and not config.preset.in_context


@cache
def compile_trouble(device: str) -> str:
    """Why `torch.compile` does not work on this device, such as for want of a compiler; "" if it does. It is tried once."""
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(8, device=device))
    except RuntimeError as error:
        return str(error).strip().splitlines()[0]
    return ""


def _device(asked: str) -> tuple[str, str]:
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if asked == "auto":
        if there["cuda"]:
            return "cuda", f"found {torch.cuda.get_device_name()}"
        return "cpu", "no CUDA GPU was found"
    if not there[asked]:
        found = ", ".join(name for name, here in there.items() if here)
        raise TrainError(f"There is no {asked} device here: choose auto, or one of {found}.")
    return asked, "it was asked for"


def threads(dim: int) -> int:
    """CPU threads for a model of this width: one below 256, else 0, torch's choice.

    Narrow matrices are too small to share: at size tiny, on two cores, two threads took twice as long as one.
    """
    return 1 if dim < 256 else 0


@contextmanager
def settled(choice: Choice, threads: int) -> Iterator[None]:
    """Inside the block: so many CPU threads (0: as torch chooses), and on the CPU a run that repeats exactly.

    On a GPU some deterministic kernels are missing or slow, so exact repetition is promised on the CPU only.
    """
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filling = torch.utils.deterministic.fill_uninitialized_memory
    torch.set_num_threads(threads or before[0])
    torch.use_deterministic_algorithms(choice.device.type == "cpu")
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.utils.deterministic.fill_uninitialized_memory = filling
