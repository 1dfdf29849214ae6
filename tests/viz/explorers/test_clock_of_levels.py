"""The clock of levels: its traces against plain loops over matrices, and what it claims to show."""

import gzip
import json
import shutil
import subprocess
from base64 import b64decode

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from nlcore.viz.explorers import clock_of_levels as clock
from nlcore.viz.explorers.clock_of_levels import (
    BEFORE, KINDS, NEEDED, NEVER, OPENS, PERIODS, RETENTION, SHOWN, START, TEXT, WIDTH, ClockView, clock_of_levels, compute, trace, words,
)
from nlcore.viz.theme import LEVELS, level_looks


def by_hand(name: str, period: int) -> np.ndarray:
    """The recall of a level, (T + 1, T), with nothing but numpy."""
    text = words(TEXT)
    vector = {word: (k.double().numpy(), v.double().numpy()) for word, (k, v) in clock.vectors().items()}
    corrects = name != "fast weights"
    w, m, window = np.zeros((WIDTH, WIDTH)), np.zeros((WIDTH, WIDTH)), []

    def answer(k):
        if name == "attention":
            loud = [np.exp(vector[word][0] @ k / 0.1) for word in window]
            return sum((a * vector[word][1] for a, word in zip(loud, window)), np.zeros(WIDTH)) / max(sum(loud), 1e-8)
        return (m if name == "momentum" else w) @ k

    if name == "pre-training":
        for k, v in (vector[word] for word in words(BEFORE)):
            w = w + np.outer(v - w @ k, k)
    rows = []
    for t in range(len(text) + 1):
        if period and t and t % period == 0:
            chunk = text[t - period:t]
            if name == "attention":
                window = text[max(0, t - 8):t]
            else:
                pairs = [vector[word] for word in chunk]
                theta = 0.5 if name == "momentum" or name.startswith("CMS") else 0.0
                m = theta * m + sum(np.outer(v - w @ k if corrects else v, k) for k, v in pairs)
                w = RETENTION * w + m
        answers = [answer(vector[word][0]) for word in text]
        rows.append([a @ vector[word][1] / max(np.linalg.norm(a), 1e-8) for a, word in zip(answers, text)])
    return np.maximum(rows, 0)


@pytest.mark.parametrize("name, period", [*START, ("momentum", 8), ("attention", 4), ("pre-training", 16)])
def test_a_trace_is_the_plain_loop(name, period):
    np.testing.assert_allclose(trace(name, period).recall, by_hand(name, period), atol=2e-5)


def test_a_level_is_updated_on_its_period_and_changes_only_then():
    for name, period in START:
        found = trace(name, period)
        expected = [] if period == NEVER else list(range(period, len(words(TEXT)) + 1, period))
        assert np.flatnonzero(found.fired).tolist() == expected
        changed = np.abs(np.diff(found.recall, axis=0)).max(axis=1) > 0
        assert set(np.flatnonzero(changed) + 1) <= set(expected)


def test_the_slower_the_level_the_further_back_it_remembers():
    text, known = words(TEXT), {}
    for name, found in compute(START).items():
        known[name] = {word for word, recall in zip(text, found.recall[-1]) if recall >= 0.5}
    counts = [len(known[name]) for name, _ in START[1:-1]]
    assert counts == sorted(counts) and counts[0] < counts[-1]
    assert "jam" in known["CMS, slow"] and "jam" not in known["fast weights"] | known["attention"]
    assert known["pre-training"] <= set(words(BEFORE))


def test_momentum_keeps_the_clock_of_the_weights_that_need_it_and_stands_above_them():
    periods, names = dict(START), [name for name, _ in START]
    for first, then in NEEDED.items():
        assert periods[first] == periods[then] and names.index(first) + 1 == names.index(then)
    assert clock_of_levels().view.needed == NEEDED


def test_each_row_has_the_colour_that_its_part_has_on_the_map_of_hope():
    parts = ("memory", "cms-3", "cms-3", "cms-2", "cms-1", "weights")
    on_the_map = level_looks(parts)
    for (name, _), part in zip(START[1:], parts):
        assert clock.LOOKS[name].colour == on_the_map[part].colour
    assert clock.LOOKS["attention"].colour not in {look.colour for look in level_looks(LEVELS).values()}
    assert len({look.marker for look in clock.LOOKS.values()}) == len(START)


def test_attention_knows_its_window_and_nothing_else():
    text, found = words(TEXT), trace("attention", 1)
    for t in (8, 26, 52):
        known = {word for word, recall in zip(text[:t], found.recall[t]) if recall >= SHOWN}
        assert known == set(text[max(0, t - 8):t])


def test_a_memory_fades_and_returns():
    jam = [i for i, word in enumerate(words(TEXT)) if word == "jam"]
    recall = trace("fast weights", 1).recall[:, jam[0]]
    just_read, long_ago = recall[[i + 1 for i in jam]], recall[-1]
    assert just_read.min() > 0.9 and long_ago < 0.3


def test_an_unknown_level_or_period_is_one_sentence():
    for wrong in (("thinking", 1), ("momentum", 5)):
        with pytest.raises(ValueError, match="take one of attention"):
            trace(*wrong)


def test_the_tape_is_every_trace_there_is_in_bytes():
    view, periods, count = clock_of_levels().view, [*PERIODS, NEVER], len(words(TEXT))
    sent = np.frombuffer(gzip.decompress(b64decode(view.tape)), np.uint8).reshape(len(START), len(periods), count + 1, count)
    assert [name for name, _ in view.levels] == list(KINDS) and view.periods == periods
    for level, name in zip(sent, KINDS):
        for recall, period in zip(level, periods):
            np.testing.assert_allclose(recall / 255, trace(name, period).recall, atol=0.5 / 255 + 1e-6)


def test_the_view_is_plain_json_and_small():
    assert len(json.dumps(clock_of_levels().view.get_state(), default=str)) < 300_000


def test_it_opens_in_the_middle_of_the_text_with_a_stop_for_each_word():
    view = clock_of_levels().view
    reading = view.controls["word"]
    assert view.at == {"word": reading["first"], "levels": view.levels} and reading["first"] == len(words(TEXT)) // 2
    assert reading["words"][0] == "nothing read yet" and reading["words"][26] == "word 26 of 52: the"
    assert len(reading["words"]) == len(words(TEXT)) + 1


def test_the_alt_text_says_what_is_drawn():
    traces = compute(START)
    text = clock_of_levels().alt
    figure = clock.picture(traces, OPENS)
    for axes, name in zip(figure.axes, KINDS):
        bold = {one.get_text().strip(".,:").lower() for one in axes.texts[:OPENS] if one.get_weight() == "bold"}
        faint = {one.get_text().strip(".,:").lower() for one in axes.texts[:OPENS] if one.get_weight() != "bold"}
        count = len(bold - faint) + len([word for word in bold & faint if last_is_bold(axes, word)])
        assert axes.get_ylabel() == f"{name}\nknows {count} of 20" and f"{count} ({name})" in text
    plt.close(figure)
    first = {name: first_known(found) for name, found in traces.items()}
    assert min(first["attention"], first["fast weights"]) >= OPENS - 10  # "only the last few words"
    assert first["momentum"] >= first["CMS, fast"] >= first["CMS, middle"] >= first["CMS, slow"]
    assert {word for word, r in zip(words(TEXT), traces["pre-training"].recall[OPENS]) if r >= SHOWN} <= set(words(BEFORE))


def last_is_bold(axes, word: str) -> bool:
    return [one for one in axes.texts[:OPENS] if one.get_text().strip(".,:").lower() == word][-1].get_weight() == "bold"


def first_known(found) -> int:
    """Where the first word stands that a level knows, of words that come only once until `OPENS`."""
    read = words(TEXT)[:OPENS]
    return min(i for i, word in enumerate(read) if read.count(word) == 1 and found.recall[OPENS, i] >= SHOWN)


def test_the_picture_has_a_row_for_each_level_whose_words_can_all_be_read():
    figure = clock.picture(compute(START), OPENS)
    for axes in figure.axes:
        assert len(axes.texts) == len(words(TEXT)) == len(axes.patches)
        for text, mark in zip(axes.texts, axes.patches):
            light, dark = (clock.luminance(np.array(to_rgb(one))) for one in (mark.get_facecolor(), text.get_color()))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (axes.get_ylabel(), text.get_text())
    plt.close(figure)


def test_the_script_is_small_whole_and_needs_no_network(root):
    static = root / "nlcore" / "viz" / "static"
    for path in static.glob("clock_of_levels.*"):
        assert path.stat().st_size < 20_000
    assert "http" not in (static / "clock_of_levels.css").read_text(encoding="utf-8")
    if node := shutil.which("node"):
        checked = subprocess.run([node, "--check", "--input-type=module"], input=ClockView._esm, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
