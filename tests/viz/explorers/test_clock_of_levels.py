"""The clock of levels: its traces against plain loops over matrices, and what it claims to show."""

import shutil
import subprocess

import numpy as np
import pytest
from matplotlib import pyplot as plt

from nlcore.viz.explorers import clock_of_levels as clock
from nlcore.viz.explorers.clock_of_levels import BEFORE, KINDS, NEVER, RETENTION, START, TEXT, WIDTH, compute, trace, words


def by_hand(name: str, period: int) -> np.ndarray:
    """The recall of a level, (T + 1, T), with nothing but numpy."""
    kind, text = KINDS[name], words(TEXT)
    vector = {word: (k.double().numpy(), v.double().numpy()) for word, (k, v) in clock.vectors().items()}
    corrects = name in ("attention", "CMS, fast", "CMS, middle", "CMS, slow", "pre-training")
    w = np.zeros((WIDTH, WIDTH))

    def read(w, chunk):
        for word in chunk:
            k, v = vector[word]
            w = w + np.outer(v - w @ k if corrects else v, k)
        return w

    if name == "pre-training":
        w = read(w, words(BEFORE))
    rows = []
    for t in range(len(text) + 1):
        if period and t and t % period == 0:
            if kind.window:
                w = read(np.zeros_like(w), text[max(0, t - kind.window):t])
            else:
                k, v = vector[text[t - period]]
                first = v - w @ k if corrects else v
                w = read(RETENTION * w + np.outer(first, k), text[t - period + 1:t])
        answers = [w @ vector[word][0] for word in text]
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


def test_a_memory_fades_and_returns():
    jam = [i for i, word in enumerate(words(TEXT)) if word == "jam"]
    recall = trace("fast weights", 1).recall[:, jam[0]]
    just_read, long_ago = recall[[i + 1 for i in jam]], recall[-1]
    assert just_read.min() > 0.9 and long_ago < 0.3


def test_an_unknown_level_or_period_is_one_sentence():
    for wrong in (("thinking", 1), ("momentum", 5)):
        with pytest.raises(ValueError, match="take one of attention"):
            trace(*wrong)


def test_the_tape_is_the_traces_in_bytes():
    view = clock.ClockView()
    found = compute(START)
    view.draw(found)
    sent = np.frombuffer(view.tape["recall"], np.uint8).reshape(len(START), -1, len(words(TEXT)))
    np.testing.assert_allclose(sent / 255, [one.recall for one in found.values()], atol=0.5 / 255 + 1e-6)
    assert view.tape["levels"] == list(KINDS)


def test_the_picture_has_a_row_for_each_level():
    figure = clock.picture(compute(START))
    assert [axes.get_ylabel().split("\n")[0] for axes in figure.axes] == list(KINDS)
    assert all(len(axes.texts) == len(words(TEXT)) for axes in figure.axes)
    plt.close(figure)


def test_the_script_is_small_whole_and_needs_no_network(root):
    for path in (root / "nlcore" / "viz" / "static").glob("clock_of_levels.*"):
        assert path.stat().st_size < 20_000 and "http" not in path.read_text(encoding="utf-8")
    if node := shutil.which("node"):
        script = (root / "nlcore/viz/static/clock_of_levels.js").read_text(encoding="utf-8")
        checked = subprocess.run([node, "--check", "--input-type=module"], input=script, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
