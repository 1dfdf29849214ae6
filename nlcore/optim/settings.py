"""Settings of an optimizer's groups: numbers as users and schedulers give them, checked before they count."""

import math
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor


def plain(value: Any) -> Any:
    """A number, be it numpy's or a tensor of one element, as Python's own; several as a tuple; a dtype by its name
    as itself; all else as it is.

    A tensor on an accelerator is waited for.
    """
    if isinstance(value, (tuple, list)):
        return tuple(plain(part) for part in value)
    if isinstance(value, Tensor) and value.numel() == 1:
        return value.item()
    if isinstance(value, str) and value.startswith("torch."):
        return getattr(torch, value.removeprefix("torch."), value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return value if isinstance(value, bool) else int(value)
    return float(value) if isinstance(value, Real) else value


def kept(value: Any) -> Any:
    """What a group keeps of a setting, until `plain` reads it.

    A tensor stays one: a scheduler, or its owner, writes into it. A dtype is kept by name, as torch.distributed's
    checkpoints take no other.
    """
    if isinstance(value, (tuple, list)):
        return tuple(kept(part) for part in value)
    if isinstance(value, torch.dtype):
        return str(value)
    return value if isinstance(value, Tensor) else plain(value)


def check_number(name: str, value: Any) -> None:
    """Raises ValueError unless this is a finite number, 0 or more."""
    if not _between(value, math.inf):
        raise ValueError(f"{name} is {value!r}: give a finite number, 0 or more")


def check_count(name: str, value: Any, least: int) -> None:
    """Raises ValueError unless this is a whole number, `least` or more."""
    if not isinstance(plain(value), int) or plain(value) < least:
        raise ValueError(f"{name} is {value!r}: give a whole number, {least} or more")


def check_shares(name: str, value: Any, count: int) -> None:
    """Raises ValueError unless these are so many shares, each 0 or more, and below 1; a single one is a plain number."""
    shares = plain(value) if count > 1 else (value,)
    if not (isinstance(shares, tuple) and len(shares) == count and all(_between(share, 1) for share in shares)):
        wanted = "a number" if count == 1 else f"{count} numbers"
        raise ValueError(f"{name} is {value!r}: a mean keeps a share of 0 or more, and below 1; give {wanted} like that")


def _between(value: Any, limit: float) -> bool:
    return isinstance(plain(value), (int, float)) and 0 <= plain(value) < limit
