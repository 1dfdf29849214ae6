"""A stored notebook shows the whole run where the dashboard was: a picture, drawn from the run's folder, with words."""

import numpy as np
import pytest

from nlcore.train import attach, change, new, train
from nlcore.viz.dashboard import Dashboard, dashboard
from nlcore.viz.dashboard.picture import picture, words
from nlcore.viz.theme import level_looks, run_looks
from tests.train.small import small


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Hope and its rival, trained for 12 steps."""
    config, home = small(), tmp_path_factory.mktemp("picture")
    folders = [new(config, home / "hope"), new(change(config, model="transformer"), home / "rival")]
    for folder in folders:
        train(folder)
    return [folder.path for folder in folders]


@pytest.fixture
def message(runs):
    opened = Dashboard(runs[0], against=runs[1])
    opened.close()
    opened.thread.join()
    opened._look()
    return opened._whole()


def test_the_curves_are_the_runs_and_a_cell_is_an_update(message, runs):
    learning, score, _ = picture(message).axes
    lines = {line.get_label(): line for line in learning.lines}
    told = [line for line in attach(runs[0]).metrics() if line["validation_bits_per_byte"] is not None]
    np.testing.assert_allclose(lines["hope, validation"].get_ydata(), [line["validation_bits_per_byte"] for line in told], rtol=1e-6)
    assert [lines[f"{name}, validation"].get_color() for name in ("hope", "rival")] == [look.colour for look in run_looks(2)]
    pairs = attach(runs[0]).status()["result"]["order1_entropy"]
    assert lines[f"order-1 entropy, {pairs:.3f}"].get_ydata() == pytest.approx([pairs, pairs])
    best = min(line["validation_bits_per_byte"] for line in told)
    assert f"best, {best:.3f} at step 8" in lines
    fired = {"cms-1": 0, "cms-3": 0}
    for row in attach(runs[0]).levels():
        if row["level"] in fired:
            fired[row["level"]] += bool(row["fired"])
    labels = [text.get_text() for text in score.get_yticklabels()]
    assert len(labels) == 10, "the four projections are one row"
    for name, count in fired.items():
        at = next(i for i, label in enumerate(labels) if label.startswith(f"{name}   every"))
        assert len(score.collections[at].get_paths()) == count > 0
        assert score.lines[at].get_color() == level_looks([name])[name].colour


def test_a_larger_update_is_brighter(message):
    score = picture(message).axes[1]
    row = next(i for i, row in enumerate(message["rows"]) if row["label"] == "weights")
    change = message["levels"]["data"][row]["most"]["change"]
    shown = [row["label"] for row in message["rows"] if row["within"] is None].index("weights")
    shades = score.collections[shown].get_facecolors()[:, :3].sum(1)
    assert np.array_equal(np.argsort(shades), np.argsort(change))


def test_words_give_the_figures_that_the_picture_shows(message):
    said = words(message)
    last = message["metrics"]["data"][0]["mean"]["validation_bits_per_byte"]
    assert f"{[v for v in last if v][-1]:.2f} bits per byte" in said and "beside rival at step 12" in said
    assert "down to cms-1, every 4 steps" in said and "surprise" in said


def test_a_notebook_that_is_built_gets_the_picture_with_its_words(runs, monkeypatch):
    published = []
    monkeypatch.setattr(dashboard, "building", lambda: True)
    monkeypatch.setattr(dashboard, "publish", lambda *given: published.append(given))
    opened = Dashboard(runs[0], against=runs[1])
    opened._ipython_display_()
    opened.close()
    ((data, said, name),) = published
    assert data.startswith(b"\x89PNG") and "step 12" in said and name == "dashboard_against"


def test_a_run_without_any_report_has_a_picture(tmp_path):
    opened = Dashboard(new(small(), tmp_path / "run").path)
    opened.close()
    opened.thread.join()
    opened._look()
    message = opened._whole()
    assert len(picture(message).axes) == 3 and "at step 0" in words(message)
