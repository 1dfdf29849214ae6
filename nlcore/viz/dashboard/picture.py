"""The dashboard as a picture, for pages on which it cannot play: drawn from what the browser would get."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nlcore.viz.axis_of_loss import near
from nlcore.viz.dashboard.curves import Message
from nlcore.viz.roll import Row, roll
from nlcore.viz.theme import COLOURS, GREY, REFERENCE_DASH, tidy

ROW, TEXT_LINES, LINE = 0.27, 3, 88


def picture(message: Message) -> Figure:
    """Loss, level score and surprise of a whole message, and the runs it is compared with."""
    rows = [i for i, row in enumerate(message["rows"]) if row["within"] is None]
    felt = bool(message["text"])
    heights = [2.2, max(ROW * len(rows), 1.0), 0.85 if felt else 0.01]
    figure = Figure(figsize=(10, sum(heights) + 1.1), layout="constrained")  # without pyplot: threads draw it
    learning, score, text = figure.subplots(3, 1, height_ratios=heights)
    wide = _span(message)
    figure.suptitle(_headline(message), x=0.01, ha="left", fontsize=10)
    _curves(learning, message, wide)
    _score(score, message, rows, wide)
    _felt(text, message["text"]) if felt else text.set_axis_off()
    return figure


def _headline(message: Message) -> str:
    state = message["state"]
    speed = f", {state['tokens_per_second']:,.0f} tokens a second" if state["tokens_per_second"] else ""
    return f"{message['runs'][0]['name']}, {state['state']}: step {state['step']:,}{speed}; {state['about']}"


def _tables(message: Message) -> list[Message]:
    """Metrics of this run and then of its rivals."""
    return [message["metrics"], *(message.get("others") or [])]


def _span(message: Message) -> float:
    tables = [message["levels"], *_tables(message)]
    return max([message["state"]["steps"] or 1, *(table["steps"][-1] for table in tables if table and table["steps"])])


def _curves(axes: Axes, message: Message, wide: float) -> None:
    runs, bytes_ = message["runs"], message["state"]["bytes"]
    for about, table in zip(runs, _tables(message)):
        if table is not None and table["data"]:
            _run(axes, table, about)
    if (pairs := runs[0]["order1"]) is not None:
        axes.axhline(pairs, color=GREY, linewidth=1.2, linestyle=REFERENCE_DASH, label=f"order-1 entropy, {pairs:.3f}")
    if (best := runs[0]["best"]) is not None:
        axes.plot(best["step"], best["value"], "*", color="#000000", markersize=11, label=f"best, {best['value']:.3f} at step {best['step']:,}")
    for event in message["events"]:
        axes.axvline(event["step"], color="#777777", linewidth=1, linestyle="dotted")
    axes.set_xlim(0, wide)
    near(axes, [line for line in axes.lines if str(line.get_label()).endswith(("validation", "training"))])
    tidy(axes, "Is it learning? Loss in bits per byte", "", "bits per byte" if bytes_ else "validation, bits per byte")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8, ncols=3)


def _run(axes: Axes, table: Message, about: Message) -> None:
    mean, name = table["data"][0]["mean"], about["name"]
    line = {"color": about["colour"], "linestyle": about["dash"]}
    marked = {"marker": about["marker"], "markersize": 4}
    for figure, style in (("loss", {"alpha": 0.5, "linewidth": 1}), ("validation_bits_per_byte", marked)):
        values = np.array(mean.get(figure, []), dtype=float)
        there = np.isfinite(values)
        if there.any():
            label = f"{name}, {'training' if figure == 'loss' else 'validation'}"
            axes.plot(np.array(table["steps"])[there], values[there], label=label, **line, **style)


def _score(axes: Axes, message: Message, rows: list[int], wide: float) -> None:
    table = message["levels"]
    right = np.array(table["steps"], dtype=float)
    change, fired = (_values([table["data"][i] for i in rows], *where, len(right)) for where in (("most", "change"), ("sum", "fired")))
    names = [Row(row["label"], "" if row["momentum"] else row["every"], row["colour"]) for row in (message["rows"][i] for i in rows)]
    roll(axes, names, np.concatenate([[0.0], right[:-1]]), right, change, np.nan_to_num(fired))
    axes.set_xlim(0, wide)


def _values(data: list[Message], kind: str, figure: str, columns: int) -> np.ndarray:
    """(R, S); NaN where a row has no value."""
    found = [row[kind].get(figure, [None] * columns) for row in data]
    return np.array(found, dtype=float).reshape(len(data), columns)


def _felt(axes: Axes, text: Message) -> None:
    """The first lines of the fragment, each token shaded by the surprise its memory felt."""
    words = "".join("␣" if token.isspace() else token for token in text["tokens"])[: TEXT_LINES * LINE]
    surprise = np.array([value or 0.0 for value in text["surprise"][: len(words)]])
    felt = surprise[surprise > 0]
    low, high = (felt.min(), felt.max()) if len(felt) else (0.0, 1.0)
    axes.set(xlim=(0, LINE), ylim=(TEXT_LINES - 0.4, -0.6), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    for at, (letter, value) in enumerate(zip(words, surprise)):
        x, y = at % LINE, at // LINE
        share = max(0.0, (value - low) / (high - low)) if high > low else 0.0
        axes.add_patch(Rectangle((x, y - 0.45), 1, 0.9, color=COLOURS[0], alpha=0.75 * share, linewidth=0))
        axes.text(x + 0.5, y, letter, family="monospace", fontsize=8.5, ha="center", va="center", parse_math=False)
    axes.set_title("What the memory felt at each byte of a text: darker is more surprise", loc="left", fontsize=10)


def words(message: Message) -> str:
    """Alt text: what the picture shows, in figures."""
    state, runs = message["state"], message["runs"]
    loss = [v for v in _tables(message)[0]["data"][0]["mean"].get("validation_bits_per_byte", []) if v is not None]
    fell = f"Validation goes from {loss[0]:.2f} to {loss[-1]:.2f} bits per byte. " if loss else ""
    slow = [row for row in message["rows"] if not row["momentum"] and row["within"] is None]
    rivals = [run["name"] for run in runs[1:] if run]
    other = f", beside {' and '.join(rivals)}" if rivals else ""
    score = f"Below the loss, the level score, {len(slow)} levels, brighter where an update was larger"
    if len(slow) > 1:
        score += f": from {slow[0]['label']}, {slow[0]['every']}, down to {slow[-1]['label']}, {slow[-1]['every']}"
    late = "".join(f" {row['label']} is late." for row in slow if row["late"])
    felt = " At the bottom a text is shaded by surprise." if message["text"] else ""
    return f"The dashboard of {runs[0]['name']}{other} at step {state['step']:,}. {fell}{score}.{late}{felt}"
