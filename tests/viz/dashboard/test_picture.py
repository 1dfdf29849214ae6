"""A stored notebook shows the whole run where the dashboard was: a picture, drawn from the run's folder, with words."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from nlcore.train import attach, change, new, train
from nlcore.viz.dashboard import Dashboard, dashboard
from nlcore.viz.dashboard.live import Curves, Live
from nlcore.viz.dashboard.picture import picture, words
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
    live, other = Live(runs[0]), Curves(runs[1])
    for one in (live, other):
        one.look()
    return live.message(whole=True) | {"other": {"name": "rival", "metrics": other.table(whole=True)}}


def test_the_curves_are_the_runs_and_a_cell_is_an_update(message, runs):
    figure = picture(message)
    learning, score, _ = figure.axes
    validation = learning.lines[1]
    told = [line for line in attach(runs[0]).metrics() if line["validation_bits_per_byte"] is not None]
    np.testing.assert_allclose(validation.get_ydata(), [line["validation_bits_per_byte"] for line in told], rtol=1e-3)
    assert [text.get_text() for text in learning.get_legend().get_texts()][2:] == ["rival, training", "rival, validation"]
    fired = {"cms-1": 0, "cms-3": 0}
    for row in attach(runs[0]).levels():
        if row["level"] in fired:
            fired[row["level"]] += bool(row["fired"])
    labels = [text.get_text() for text in score.get_yticklabels()]
    for name, count in fired.items():
        at = next(i for i, label in enumerate(labels) if label.startswith(f"{name}   every"))
        assert len(score.collections[at].get_paths()) == count > 0
    plt.close(figure)


def test_a_larger_update_is_brighter(message):
    figure = picture(message)
    score = figure.axes[1]
    row = next(i for i, row in enumerate(message["rows"]) if row["label"] == "weights")
    change = message["levels"]["data"][row]["most"]["change"]
    shades = score.collections[row].get_facecolors()[:, :3].sum(1)
    assert np.array_equal(np.argsort(shades), np.argsort(change))
    plt.close(figure)


def test_words_give_the_figures_that_the_picture_shows(message):
    said = words(message)
    last = message["metrics"]["data"][0]["mean"]["validation_bits_per_byte"]
    assert f"{[v for v in last if v][-1]:.2f} bits per byte" in said and "beside rival at step 12" in said
    assert "down to cms-1, every 4 steps" in said and "surprise" in said


def test_a_notebook_that_is_built_gets_the_picture_with_alt_text(runs, monkeypatch):
    monkeypatch.setattr(dashboard, "building", lambda: True)
    opened = Dashboard(runs[0], against=runs[1])
    data, about = opened._repr_mimebundle_()
    opened.close()
    assert data["image/png"].startswith(b"\x89PNG") and "step 12" in data["text/plain"]
    assert about["image/png"]["alt"] == data["text/plain"]
