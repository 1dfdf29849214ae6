"""Who listens to what layers and optimizers report; free when nobody does.

Reports are detached tensors. They cost time to make, so they are made only while somebody
listens. Layers return theirs beside their output; optimizers, whose `step` returns the loss,
hand theirs to `report`:

    with probe.listen() as heard:
        output = model(tokens)
        optimizer.step()
    output.reports["block-0"]["surprise"]
    heard[-1].source, heard[-1].figures["update_norm"]
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from torch import Tensor


class Heard(NamedTuple):
    """One report."""

    source: str
    """Who made it."""
    figures: dict[str, Tensor]
    """Detached tensors by name, on the device they were made on."""


_listeners: list[list[Heard]] = []


@contextmanager
def listen() -> Iterator[list[Heard]]:
    """Ask for reports inside the `with` block, and gather those handed to `report`; may be nested."""
    heard: list[Heard] = []
    _listeners.append(heard)
    try:
        yield heard
    finally:
        _listeners[:] = [other for other in _listeners if other is not heard]


def listening() -> bool:
    """True inside any `listen()` block."""
    return bool(_listeners)


def report(source: str, figures: dict[str, Tensor]) -> None:
    """Hands a report to all who listen; nobody hears it otherwise."""
    for heard in _listeners:
        heard.append(Heard(source, figures))
