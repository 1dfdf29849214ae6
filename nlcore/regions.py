"""Regions: pieces of a model that `torch.compile` compiles one by one, while somebody asks for it.

A whole training step is one graph without a break, and a test keeps it so. But that graph holds every chunk of the text,
and so takes ever longer to compile. A region is a piece that comes again and again, as one chunk of a memory or one
channel layer; it is compiled once for all chunks, blocks and steps:

    compiled = regions.Compiled()
    with compiled:
        loss = objective(inputs, targets)

Outside the block, and inside a graph that somebody else compiles, a region is the plain function.
"""

from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import Any

import torch

_active: list["Compiled"] = []


class Compiled:
    """The regions of one model, compiled by a backend of `torch.compile` when they are first called.

    Inside a `with` block of it, which may come again and again, they run so. A model of another kind takes one of its own.
    """

    def __init__(self, backend: str = "inductor") -> None:
        self.backend = backend
        self.functions: dict[Callable[..., Any], Callable[..., Any]] = {}

    def __enter__(self) -> None:
        _active.append(self)

    def __exit__(self, *_: object) -> None:
        _active.pop()

    def of(self, function: FunctionType) -> Callable[..., Any]:
        """This region, compiled."""
        if function not in self.functions:
            # torch keeps what it compiles, and counts how often, with a function's code: so each model has a copy.
            code = function.__code__.replace()
            copy = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
            self.functions[function] = torch.compile(copy, backend=self.backend, fullgraph=True)
        return self.functions[function]


def active() -> bool:
    """Whether a region that is called now is compiled."""
    return bool(_active) and not torch.compiler.is_compiling()


def region(function: FunctionType) -> Callable[..., Any]:
    """Makes a function or a method a region. It has to compile without a break."""

    @wraps(function)
    def run(*given: Any) -> Any:
        return _active[-1].of(function)(*given) if active() else function(*given)

    return run
