"""Controls of explorers, as data: a label with its unit, and stops that a keyboard can walk."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Control:
    """One control, which stands on one of its stops."""

    label: str
    words: tuple[str, ...]
    """What each stop is called: the value's text, for eyes and for screen readers."""
    values: tuple[Any, ...]
    """What each stop hands to `compute`."""
    first: int
    """The stop it stands on at first, and after Reset."""
    kind: Literal["slider", "choice", "player", "text"] = "slider"
    """A "text" may also be the reader's own, which then stands where a stop would."""
    stride: int = 1
    """Stops that a player moves by at a time."""
    beat: int = 200
    """Milliseconds from one stop of a player to the next."""

    def at(self, stop: int) -> str:
        """One of its stops in words, without the unit."""
        return f"{self.label.split(' (')[0]} {self.words[stop]}"

    def value(self, at: int | str) -> Any:
        """What `compute` gets where the control stands: a stop's value, or the reader's own text."""
        return at if self.kind == "text" and isinstance(at, str) else self.values[at]

    def facts(self) -> dict[str, Any]:
        """What the page gets: all but the values."""
        return {name: value for name, value in asdict(self).items() if name != "values"}

    def stop(self, value: Any) -> int:
        """Where a value stands among the stops. Raises ValueError if it is none of them."""
        if value not in self.values:
            raise ValueError(f"{self.label}: {value!r} is not one of its stops, {', '.join(self.words)}")
        return self.values.index(value)


def slider(label: str, value: float, low: float, high: float, step: float) -> Control:
    """A number from `low` to `high` in steps; whole if all of them are."""
    count = round((high - low) / step)
    whole = all(isinstance(number, int) for number in (value, low, high, step))
    values = [low + i * step if whole else round(low + i * step, 10) for i in range(count + 1)]
    return _control(label, value, values)


def stops(label: str, value: Any, options: Sequence[Any]) -> Control:
    """A slider over given values, as powers of two or a logarithmic grid; pairs are (words, value)."""
    return _control(label, value, options)


def choice(label: str, value: Any, options: Sequence[Any]) -> Control:
    """One of a few things by name; pairs are (words, value)."""
    return _control(label, value, options, kind="choice")


def text(label: str, value: str, others: Sequence[str]) -> Control:
    """A line to type in, which also offers a few texts; a page without a kernel has these alone."""
    return _control(label, value, (value, *others), kind="text")


def player(label: str, value: int, last: int, stride: int = 1) -> Control:
    """A slider over 0 to `last` with a button that moves it by `stride`, some five times a second."""
    return _control(label, value, range(last + 1), kind="player", stride=stride)


def _control(label: str, value: Any, options: Sequence[Any], **more: Any) -> Control:
    pairs = [option if isinstance(option, tuple) else (_text(option), option) for option in options]
    words, values = zip(*pairs)
    control = Control(label, words, values, 0, **more)
    return replace(control, first=control.stop(value))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}".replace("-", "−")
