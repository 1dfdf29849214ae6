"""Views that play a tape: all they can show travels with them, so that they play on without a kernel."""

import gzip
from base64 import b64encode

import traitlets

from nlcore.viz.question import Asks


def packed(data: bytes) -> str:
    """Bytes as text that tape.js unpacks: gzip, then base64; the same bytes always give the same text."""
    return b64encode(gzip.compress(data, mtime=0)).decode()


class TapeView(Asks):
    """A view that asks the kernel for nothing: what it shows lies in its traits, all plain JSON."""

    try_this = traitlets.Unicode().tag(sync=True)
    controls = traitlets.Dict().tag(sync=True)
    """By name, as `Control.facts`."""
    at = traitlets.Dict().tag(sync=True)
    """Where things stand as it opens: each control's stop by name, and what else a reader may choose."""
    tape = traitlets.Any().tag(sync=True)
    """What is played, its bytes `packed`."""
