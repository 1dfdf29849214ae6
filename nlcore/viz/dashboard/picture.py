"""The dashboard as a picture, for notebooks in which it cannot play: drawn from what the browser would get."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from nlcore.viz.dashboard.live import Message
from nlcore.viz.theme import COLOURS, tidy

GROUND = np.array(to_rgb("#0e121a"))  # dark, so that brightness is the size of an update
ROW, TEXT_LINES, LINE = 0.27, 3, 88
APART = 120
"""Columns up to which cells are set apart by a gap."""
MINE, OTHER = COLOURS[1], COLOURS[2]


def picture(message: Message) -> Figure:
    """Loss, level score and surprise of a whole message of `Live`, with "other" if another run is compared."""
    rows = message["rows"]
    felt = bool(message["text"])
    heights = [2.2, max(ROW * len(rows), 1.0), 0.85 if felt else 0.01]
    figure = plt.figure(figsize=(10, sum(heights) + 1.1), layout="constrained")
    learning, score, text = figure.subplots(3, 1, height_ratios=heights)
    wide = _span(message)
    figure.suptitle(_headline(message["state"]), x=0.01, ha="left", fontsize=10)
    _curves(learning, message, wide)
    _score(score, message, wide)
    _felt(text, message["text"]) if felt else text.set_axis_off()
    return figure


def _headline(state: Message) -> str:
    speed = f", {state['tokens_per_second']:,.0f} tokens a second" if state["tokens_per_second"] else ""
    return f"{state['name']}, {state['state']}: step {state['step']:,}{speed}; {state['about']}"


def _span(message: Message) -> float:
    tables = (message["metrics"], message["levels"], message.get("other", {}).get("metrics"))
    return max([message["state"]["steps"] or 1, *(table["steps"][-1] for table in tables if table and table["steps"])])


def _curves(axes: Axes, message: Message, wide: float) -> None:
    unit = "bits per byte" if message["state"]["bytes"] else "validation, bits per byte"
    _run(axes, message["metrics"], MINE, message["state"]["name"])
    if "other" in message:
        _run(axes, message["other"]["metrics"], OTHER, message["other"]["name"])
    for event in message["events"]:
        axes.axvline(event["step"], color="#777777", linewidth=1, linestyle="dotted")
    axes.set_xlim(0, wide)
    tidy(axes, "", "", unit)
    axes.legend(frameon=False, fontsize=8, ncols=2)


def _run(axes: Axes, table: Message, colour: str, name: str) -> None:
    mean = table["data"][0]["mean"]
    for figure, style in (("loss", {"alpha": 0.45, "linewidth": 1}), ("validation_bits_per_byte", {"marker": "o", "markersize": 4})):
        values = np.array(mean.get(figure, []), dtype=float)
        there = np.isfinite(values)
        label = f"{name}, {'training' if figure == 'loss' else 'validation'}"
        axes.plot(np.array(table["steps"])[there], values[there], color=colour, label=label, **style)


def _score(axes: Axes, message: Message, wide: float) -> None:
    rows, table = message["rows"], message["levels"]
    changes = [np.array(row["most"].get("change", []), dtype=float) for row in table["data"]]
    seen = np.log10(np.concatenate([c[c > 0] for c in changes] or [np.ones(1)]))
    low, high = max(seen.min(), seen.max() - 6), seen.max() + 1e-9
    right = np.array(table["steps"], dtype=float)
    left = np.concatenate([[0.0], right[:-1]])
    wide_cells = (0.94 if len(right) <= APART else 1.0) * (right - left)
    for index, (row, change) in enumerate(zip(rows, changes)):
        fired = np.array(table["data"][index]["sum"].get("fired", []), dtype=float) > 0
        bright = np.clip((np.log10(np.where(change > 0, change, np.nan)) - low) / (high - low), 0, 1)[fired]
        cells = list(zip(left[fired], wide_cells[fired]))
        axes.broken_barh(cells, (index - 0.42, 0.84), facecolors=_ramp(row, np.nan_to_num(bright)), linewidth=0, antialiased=False)
    axes.set(xlim=(0, wide), ylim=(len(rows) - 0.5, -0.5), xlabel="step")
    axes.set_facecolor(GROUND)
    labels = [row["label"] if row["momentum"] else f"{row['label']}   every {_every(row)}" for row in rows]
    axes.set_yticks(range(len(rows)), labels, fontsize=9)
    for label, row in zip(axes.get_yticklabels(), rows):
        label.set_color(row.get("colour", "#000000"))
    title = f"Level score: brightness is an update's norm ÷ norm of what it changes, {10**low:.1g} to {10**high:.1g}, logarithmic"
    axes.set_title(title, loc="left", fontsize=10)


def _every(row: Message) -> str:
    return row["unit"].removesuffix("s") if row["period"] == 1 else f"{row['period']} {row['unit']}"


def _ramp(row: Message, bright: np.ndarray) -> np.ndarray:
    """(n, 3) from the ground through the level's colour."""
    colour = np.array(to_rgb(row.get("colour", "#bbbbbb")))
    share = (0.2 + 0.8 * bright)[:, None]
    return GROUND + share * (colour - GROUND)


def _felt(axes: Axes, text: Message) -> None:
    """The first lines of the fragment, each token shaded by the surprise its memory felt."""
    words = "".join("␣" if token.isspace() else token for token in text["tokens"])[: TEXT_LINES * LINE]
    surprise = np.array(text["surprise"][: len(words)])
    felt = surprise[surprise > 0]
    low, high = (felt.min(), felt.max()) if len(felt) else (0.0, 1.0)
    axes.set(xlim=(0, LINE), ylim=(TEXT_LINES - 0.4, -0.6), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    for at, (letter, value) in enumerate(zip(words, surprise)):
        x, y = at % LINE, at // LINE
        share = max(0.0, (value - low) / (high - low)) if high > low else 0.0
        axes.add_patch(plt.Rectangle((x, y - 0.45), 1, 0.9, color=COLOURS[0], alpha=0.75 * share, linewidth=0))
        axes.text(x + 0.5, y, letter, family="monospace", fontsize=8.5, ha="center", va="center")
    axes.set_title("What the memory felt at each byte of a text: darker is more surprise", loc="left", fontsize=10)


def words(message: Message) -> str:
    """Alt text: what the picture shows, in figures."""
    state, rows = message["state"], message["rows"]
    loss = [v for v in message["metrics"]["data"][0]["mean"].get("validation_bits_per_byte", []) if v is not None]
    fell = f"Validation goes from {loss[0]:.2f} to {loss[-1]:.2f} bits per byte. " if loss else ""
    slow = [row for row in rows if not row["momentum"]]
    other = f", beside {message['other']['name']}" if "other" in message else ""
    score = f"Below the loss, the level score, {len(rows)} rows, brighter where an update was larger"
    if len(slow) > 1:
        score += f": from {slow[0]['label']}, every {_every(slow[0])}, down to {slow[-1]['label']}, every {_every(slow[-1])}"
    felt = " At the bottom a text is shaded by surprise." if message["text"] else ""
    return f"The dashboard of {state['name']}{other} at step {state['step']:,}. {fell}{score}.{felt}"
