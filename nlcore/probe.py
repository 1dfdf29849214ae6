"""Whether anybody listens to what layers and optimizers report.

Reports are detached tensors that layers return beside their output. They cost time to
make, so a layer makes them only while somebody listens:

    with probe.listen():
        output = model(tokens)
    output.reports["block-0"]["surprise"]
"""

from collections.abc import Iterator
from contextlib import contextmanager

_listeners = 0


@contextmanager
def listen() -> Iterator[None]:
    """Ask for reports inside the `with` block; may be nested."""
    global _listeners
    _listeners += 1
    try:
        yield
    finally:
        _listeners -= 1


def listening() -> bool:
    """True inside any `listen()` block."""
    return _listeners > 0
