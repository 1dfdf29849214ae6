"""Leaves things as they were: what modules and optimizers hold, and the random state."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

Saved = dict[int, tuple[Any, Any]]
"""By identity: a thing, and what it held."""


@contextmanager
def unchanged(holders: Iterable[object]) -> Iterator[None]:
    """Inside it anything may happen to these objects; however it is left, they are then what they were before.

    Kept are their attributes and, through dicts, lists, tuples and sets among them, all tensors: the numbers, which
    are put back in place, `.grad`, None or not, and `requires_grad`. So parameters, buffers, hooks, training flags
    and an optimizer's state are, and counters of their own; what an attribute of another kind holds is not. Of the
    random state kept are torch's, on the CPU and on CUDA, numpy's, Python's, and generators that the objects hold;
    besides, the default dtype. Takes the memory of one copy.
    """
    saved: Saved = {}
    for holder in holders:
        _save(vars(holder), saved)
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    dtype, of_numpy, of_python = torch.get_default_dtype(), np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            for thing, held in saved.values():
                _put_back(thing, held)
            torch.set_default_dtype(dtype)
            np.random.set_state(of_numpy)
            random.setstate(of_python)


def _save(thing: Any, saved: Saved) -> None:
    if id(thing) in saved:
        return
    if isinstance(thing, Tensor):
        grad = thing.grad if thing.is_leaf else None
        content = thing.data.clone() if thing.layout is torch.strided else None
        saved[id(thing)] = thing, (thing.data, content, thing.requires_grad, grad)
        _save(grad, saved)
    elif isinstance(thing, torch.Generator):
        saved[id(thing)] = thing, thing.get_state()
    elif isinstance(thing, dict | list | set | tuple):
        saved[id(thing)] = thing, (dict(thing) if isinstance(thing, dict) else list(thing))
        for part in thing.values() if isinstance(thing, dict) else thing:
            _save(part, saved)


def _put_back(thing: Any, held: Any) -> None:
    if isinstance(thing, Tensor):
        _put_numbers_back(thing, *held)
    elif isinstance(thing, torch.Generator):
        thing.set_state(held)
    elif isinstance(thing, list):
        thing[:] = held
    elif isinstance(thing, dict | set):
        thing.clear()
        thing.update(held)


def _put_numbers_back(tensor: Tensor, data: Tensor, content: Tensor | None, requires_grad: bool, grad: Tensor | None) -> None:
    # Through .data, so that a graph which the tensor is part of does not notice. What is as before is left alone:
    # a tensor whose elements share memory could not be written.
    if content is not None and not (data.is_meta or torch.equal(data, content)):
        data.copy_(content)
    if tensor.data_ptr() != data.data_ptr() or tensor.shape != data.shape:
        tensor.data = data
    if tensor.is_leaf:
        tensor.requires_grad_(requires_grad)
        tensor.grad = grad
