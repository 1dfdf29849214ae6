"""Regions: pieces of a model that `torch.compile` compiles one by one, while somebody asks for it.

A whole training step is one graph without a break, and a test keeps it so. But that graph holds every chunk of the text,
and so takes ever longer to compile. A region is a piece that comes again and again, as one chunk of a memory or one
channel layer; it is compiled once for all chunks, blocks and steps:

    with regions.compiled():
        loss = objective(inputs, targets)

Outside the block, and inside a graph that somebody else compiles, a region is the plain function.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any

import torch

_backends: list[str] = []


@contextmanager
def compiled(backend: str = "inductor") -> Iterator[None]:
    """Inside the `with` block regions are compiled, by this backend of `torch.compile`, when they are first called."""
    _backends.append(backend)
    try:
        yield
    finally:
        _backends.pop()


def active() -> bool:
    """Whether a region that is called now is compiled."""
    return bool(_backends) and not torch.compiler.is_compiling()


def region(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function or a method a region. It has to compile without a break."""

    @wraps(function)
    def run(*given: Any) -> Any:
        return _by(_backends[-1], function)(*given) if active() else function(*given)

    return run


@cache
def _by(backend: str, function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function, backend=backend, fullgraph=True)
