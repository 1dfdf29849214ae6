"""The dashboard without a browser: what it sends, what it obeys, and its sentence for each bad thing."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nlcore.train import configure, new
from nlcore.train.folder import RunFolder, locked, write_json
from nlcore.train.records import append, read_json, records
from nlcore.viz.dashboard import Dashboard, live, stored
from nlcore.viz.dashboard import dashboard as module
from nlcore.viz.dashboard.company import Company
from nlcore.viz.dashboard.curves import Curves
from nlcore.viz.dashboard.panel import PARTS
from nlcore.viz.view import View

LEVELS = [("memory", 16, "tokens"), ("weights", 1, "steps"), ("cms-1", 4, "steps")]


class Browser:
    """Stands where the widget is, and keeps what it is sent."""

    def __init__(self) -> None:
        self.got: list[dict] = []
        self.greeted = 0

    def greet(self) -> None:
        self.greeted += 1

    def send(self, message: dict) -> None:
        json.dumps(message, allow_nan=False)
        self.got.append(message)


def make_run(path: Path, corpus: str = "aaaa", **choices: object) -> RunFolder:
    """A run's folder as a trainer leaves it before the first report."""
    folder = new(configure("tiny", steps=100, **choices), path)
    levels = [dict(zip(("name", "period", "unit"), level)) for level in LEVELS]
    facts = {"corpus": {"name": corpus, "hash": corpus * 16, "train_bytes": 9, "validation_bytes": 1}, "levels": levels, "parameters": 1000, "threads": 1, "device": "cpu", "dtype": "float32"}
    write_json(folder.config, read_json(folder.config) | {"facts": facts})
    write_json(folder.status, {"state": "training", "step": 0, "sentence": "", "heartbeat": time.time()})
    return folder


def report(folder: RunFolder, step: int, attempt: int = 1, stuck: str = "") -> None:
    """What a trainer writes at a report; the level that is stuck does not fire."""
    line = {"step": step, "attempt": attempt}
    append(folder.metrics, line | {"loss": 2.0, "lr": 0.1, "tokens_per_second": 9.0, "gradient_norm": 1.0})
    empty = dict.fromkeys(("surprise", "eta", "alpha", "lr", "gradient_norm", "second_moment_norm"))
    for level, period, unit in [*LEVELS, ("weights momentum", 1, "steps")]:
        memory = "memory" if unit == "tokens" else None
        fired = level != stuck and (unit == "tokens" or step % period == 0)
        row = {"level": level, "memory": memory, "unit": unit, "period": period, "fired": fired, "writes": int(fired)}
        append(folder.levels, line | row | empty | {"update_norm": 0.5, "weight_norm": 2.0})


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    assert condition()


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path / "run")


@pytest.fixture
def training(folder: RunFolder) -> Iterator[RunFolder]:
    """The folder, as if a trainer were at work in it."""
    with locked(folder):
        yield folder


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Dashboard]]:
    """Opens dashboards that look often, and closes them."""
    monkeypatch.setattr(module, "ENDED", module.PAUSE)
    opened = []

    def open_one(*arguments: object, **choices: object) -> Dashboard:
        opened.append(Dashboard(*arguments, **choices))
        opened[-1].panel = Browser()
        return opened[-1]

    yield open_one
    for dashboard in opened:
        dashboard.close()
        dashboard.thread.join(10)
        assert not dashboard.thread.is_alive()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list:
    """What is displayed, in order."""
    found: list = []
    monkeypatch.setattr(module, "display", lambda one, **how: found.append(one))
    return found


def said(dashboard: Dashboard) -> str:
    return " ".join(dashboard.sentences())


def columns(browser: Browser) -> list[int]:
    """The steps of the score, put together from the messages as the browser does."""
    steps: list[int] = []
    for table in (message["levels"] for message in browser.got if "levels" in message):
        assert table["from"] <= len(steps) or table["from"] == 0
        steps = steps[: table["from"]] + table["steps"]
    return steps


def test_it_sends_what_is_new_and_only_that(training, watch):
    report(training, 10)
    dashboard = watch(training.path)
    eventually(lambda: columns(dashboard.panel) == [10])
    report(training, 20)
    eventually(lambda: columns(dashboard.panel) == [10, 20])
    assert dashboard.panel.got[-1]["levels"]["from"] == 1
    quiet = len(dashboard.panel.got)
    time.sleep(3 * module.PAUSE)
    assert len(dashboard.panel.got) == quiet


def test_rows_run_from_fastest_to_slowest_and_have_the_levels_colours(training, watch):
    report(training, 10)
    dashboard = watch(training.path)
    eventually(lambda: bool(columns(dashboard.panel)))
    rows = next(message["rows"] for message in dashboard.panel.got if message.get("rows"))
    assert [row["label"] for row in rows] == ["memory", "weights momentum", "weights", "cms-1"]
    assert rows[1]["colour"] == rows[2]["colour"] != rows[3]["colour"]


def test_attaching_again_gives_the_whole_history(training, watch):
    for step in range(10, 60, 10):
        report(training, step)
    first = watch(training.path)
    eventually(lambda: columns(first.panel) == [10, 20, 30, 40, 50])
    first._heard({"whole": True})
    assert first.panel.got[-1]["whole"] and first.panel.got[-1]["levels"]["steps"] == [10, 20, 30, 40, 50]
    second = watch(training.path)
    eventually(lambda: columns(second.panel) == [10, 20, 30, 40, 50])
    assert "A newer dashboard of this run was opened" in said(first)
    assert not first.thread.is_alive() or first.closed.is_set()


def test_commands_reach_the_control_file(training, watch):
    dashboard = watch(training.path)
    eventually(lambda: not isinstance(dashboard.live, str))
    dashboard._heard({"command": "pause"})
    dashboard._heard({"command": "lr_scale", "value": 0.5})
    dashboard._heard({"command": "period", "level": "cms-1", "value": 8})
    sent = [(c["number"], c["command"], c.get("level"), c.get("value")) for c in records(training.control)]
    assert sent == [(1, "pause", None, None), (2, "lr_scale", None, 0.5), (3, "period", "cms-1", 8)]
    assert "Command 3 sent" in said(dashboard)
    append(training.applied, {"number": 3, "command": "period", "level": "cms-1", "value": 8, "step": 30, "attempt": 1,
                              "applied": True, "sentence": "cms-1 updated every 8 steps"})
    eventually(lambda: dashboard.live.message(True)["state"]["settings"]["period"]["cms-1"] == 8)
    eventually(lambda: "Command 3 sent" not in said(dashboard))


def test_a_wrong_command_is_a_sentence(training, watch):
    dashboard = watch(training.path)
    eventually(lambda: not isinstance(dashboard.live, str))
    dashboard._heard({"command": "period", "level": "cms-1", "value": 0})
    assert "give a whole number of steps, 1 or more" in said(dashboard)
    assert not training.control.exists() or records(training.control) == []


def test_a_command_to_a_run_that_ended_is_a_sentence(folder, watch):
    write_json(folder.status, {"state": "done", "step": 100, "sentence": "Done."})
    dashboard = watch(folder.path)
    eventually(lambda: not isinstance(dashboard.live, str))
    dashboard._heard({"command": "pause"})
    assert "is not training, so nothing can follow a command" in said(dashboard)


def test_a_run_folder_that_vanishes(training, watch):
    report(training, 10)
    dashboard = watch(training.path)
    eventually(lambda: columns(dashboard.panel) == [10])
    training.path.rename(training.path.with_name("moved"))
    eventually(lambda: any("is gone: what was read stays here" in s for m in dashboard.panel.got for s in m.get("sentences", [])))
    dashboard._heard({"command": "pause"})
    assert "is gone" in said(dashboard) and not training.path.exists()
    training.path.with_name("moved").rename(training.path)
    report(training, 20)
    eventually(lambda: columns(dashboard.panel) == [10, 20] and "is gone: what" not in " ".join(dashboard.sentences()[:1]))


def test_a_folder_that_holds_no_run(tmp_path, watch):
    dashboard = watch(tmp_path)
    eventually(lambda: "holds no run" in said(dashboard))
    make_run(tmp_path / "later").path.joinpath("config.json").rename(tmp_path / "config.json")
    eventually(lambda: "holds no run" not in said(dashboard))


def test_a_truncated_line(training, watch):
    report(training, 10)
    with open(training.levels, "a") as file:
        file.write('{"step": 20, "attempt": 1, "lev')
    report(training, 30)
    dashboard = watch(training.path)
    eventually(lambda: columns(dashboard.panel) == [10, 30])
    assert "1 unreadable line in the run folder left out." in said(dashboard)


def test_a_killed_process(folder, watch):
    dashboard = watch(folder.path)
    eventually(lambda: "The process ended without a word" in said(dashboard))
    eventually(lambda: any(m.get("state", {}).get("state") == "lost" for m in dashboard.panel.got))


def test_a_second_dashboard_in_another_kernel(training, watch, monkeypatch):
    monkeypatch.setattr(module, "COMPANY", 0.1)
    dashboard = watch(training.path)
    eventually(lambda: dashboard.company is not None)
    assert "Another dashboard" not in said(dashboard)
    other = Company(training.path)
    assert other.others()
    eventually(lambda: "Another dashboard watches this run too" in said(dashboard))
    other.leave()
    eventually(lambda: "Another dashboard" not in said(dashboard))


def test_a_run_on_another_corpus(training, watch, tmp_path):
    report(training, 10)
    same, other = make_run(tmp_path / "same"), make_run(tmp_path / "other", corpus="bbbb")
    report(other, 10)
    dashboard = watch(training.path, against=other.path)
    eventually(lambda: "reads bbbb (bbbbbbbb): their losses cannot be compared" in said(dashboard))
    eventually(lambda: any([run and run["name"] for run in m.get("runs", [])] == ["run", "other"] for m in dashboard.panel.got))
    eventually(lambda: any(m.get("others") for m in dashboard.panel.got))
    dashboard = watch(training.path, against=same.path)
    eventually(lambda: isinstance(dashboard.others[0], Curves))
    assert "cannot be compared" not in said(dashboard)


def test_nothing_to_compare_with(training, watch, tmp_path):
    dashboard = watch(training.path, against=tmp_path / "nothing")
    eventually(lambda: "Nothing to compare with" in said(dashboard))


def test_a_record_of_another_shape_is_left_out_and_counted(training, watch):
    report(training, 5)
    text = training.levels.read_text()
    training.levels.write_text(text.replace("weight_norm", "weight_nors").replace("period", "Period", 1))
    for file in (training.metrics, training.samples, training.applied, training.surprise):
        append(file, {"step": 5, "attempt": 1, "loss": "seven"})
    report(training, 10)
    dashboard = watch(training.path)
    eventually(lambda: "5 unreadable lines in the run folder left out." in said(dashboard))
    eventually(lambda: columns(dashboard.panel) == [5, 10])


def test_an_error_is_shown_and_the_dashboard_goes_on(training, watch, capfd, monkeypatch):
    dashboard = watch(training.path)
    eventually(lambda: not isinstance(dashboard.live, str))
    look, met = dashboard.live.look, []

    def fail_once():
        if not met:
            met.append(True)
            raise KeyError("seven")
        look()

    monkeypatch.setattr(dashboard.live, "look", fail_once)
    eventually(lambda: any("met an error and goes on" in s for m in dashboard.panel.got for s in m.get("sentences", [])))
    report(training, 10)
    eventually(lambda: columns(dashboard.panel) == [10])
    assert capfd.readouterr() == ("", "")


def test_without_a_notebook_it_says_so(training, watch, shown):
    watch(training.path)._ipython_display_()
    assert shown[0]["text/plain"].startswith("The dashboard needs a notebook: start one with make lab.")


def test_a_kernel_without_widgets_is_told_what_to_do(training, watch, shown, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    watch(training.path)._ipython_display_()
    assert "pip install anywidget" in shown[0]["text/plain"]


def test_a_picture_comes_before_the_widget_and_is_renewed_when_the_state_changes(training, watch, shown, monkeypatch):
    put, renewed = [], []
    monkeypatch.setattr(module, "_unsupported", lambda: "")
    monkeypatch.setattr(stored, "publish", lambda data, said, **about: put.append((data, said, about["display_id"])))
    monkeypatch.setattr(stored, "replace", lambda *given: renewed.append(given))
    report(training, 10)
    dashboard = watch(training.path)
    dashboard.panel = None
    dashboard._ipython_display_()
    ((data, said, name),) = put
    assert data.startswith(b"\x89PNG") and "at step 10" in said
    assert isinstance(shown[0], View)
    report(training, 20)
    time.sleep(3 * module.PAUSE)
    assert not renewed, "a picture that nobody sees is not drawn at each report"
    write_json(training.status, {"state": "paused", "step": 20, "sentence": "", "heartbeat": time.time()})
    eventually(lambda: bool(renewed))
    assert renewed[0][2] == name and "at step 20" in renewed[0][1]


def test_a_browser_that_a_busy_kernel_cannot_hear_gets_everything_unasked(training, watch):
    report(training, 10)
    dashboard = watch(training.path)
    eventually(lambda: columns(dashboard.panel) == [10])
    dashboard.greetings = [0.0, time.monotonic() + 60]
    eventually(lambda: dashboard.panel.greeted == 1)
    eventually(lambda: dashboard.panel.got[-1]["whole"] and dashboard.panel.got[-1]["levels"]["steps"] == [10])
    dashboard._heard({"whole": True})
    assert dashboard.greetings == [], "it was heard, so it is greeted no more"


def test_a_picture_takes_nothing_from_what_the_browser_is_to_get(training, watch):
    report(training, 10)
    dashboard = watch(training.path)
    eventually(lambda: columns(dashboard.panel) == [10])
    with dashboard.lock:
        report(training, 20)
        dashboard._look()
        assert dashboard._whole()["levels"]["steps"] == [10, 20]
        assert dashboard.live.message(False)["levels"]["steps"] == [20]


def test_several_runs_are_told_apart_and_only_their_differences_are_shown(training, watch, tmp_path):
    report(training, 10)
    others = [make_run(tmp_path / f"rival/{name}", lr=lr) for name, lr in (("run", 1e-3), ("slow", 1e-4))]
    for other in others:
        report(other, 20)
    dashboard = watch(training.path, against=[other.path for other in others])
    eventually(lambda: all(isinstance(other, Curves) and other.metrics.latest for other in dashboard.others))
    message = dashboard._whole()
    names = [run["name"] for run in message["runs"]]
    assert len(set(names)) == 3 and names[1].endswith("rival/run") and names[2].endswith("rival/slow")
    assert [run["settings"]["lr"] for run in message["runs"]] == ["0.004", "0.001", "0.0001"]
    assert [table["steps"] for table in message["others"]] == [[20], [20]]
    assert len({(run["colour"], run["dash"]) for run in message["runs"]}) == 3


def test_a_late_level_is_an_alarm_only_while_the_run_trains(training, watch):
    report(training, 2)
    for step in range(4, 14, 2):
        report(training, step, stuck="cms-1")
    dashboard = watch(training.path)
    eventually(lambda: len(columns(dashboard.panel)) == 6)
    alarms = next(m["alarms"] for m in reversed(dashboard.panel.got) if m.get("alarms"))
    assert alarms == ["cms-1 is late: it has never moved, and is to move every 4 steps (3 expected, 0 seen)."]
    assert [row["label"] for row in dashboard.live.message(True)["rows"] if row["late"]] == ["cms-1"]
    write_json(training.status, {"state": "paused", "step": 12, "sentence": "", "heartbeat": time.time()})
    eventually(lambda: dashboard.panel.got[-1].get("alarms") == [] or not dashboard.live.alarms())
    assert not any(row["late"] for row in dashboard.live.message(True)["rows"])


def test_training_that_waits_for_its_data_is_an_alarm(training):
    append(training.metrics, {"step": 4, "attempt": 1, "loss": 2.0, "elapsed": 20.0, "data_seconds": 5.0})
    (found := live.Live(training.path)).look()
    assert found.alarms() == ["Training waits for its data, 25% of the time at step 4: see what its disk does."]


def test_the_scripts_are_small_and_need_no_network(root):
    static = root / "nlcore/viz/static"
    scripts = [static / "dashboard.js", *(static / "dashboard").glob("*.js")]
    assert {path.stem for path in scripts[1:]} == set(PARTS)
    assert all(len(path.read_bytes()) < 20 * 1024 for path in scripts)
    page = "".join(path.read_text() for path in [*scripts, static / "dashboard.html", static / "dashboard.css"])
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "") and "import(" not in page


def test_sentences_are_sentences_though_the_run_is_opened_while_they_are_made(training, tmp_path, monkeypatch):
    """`live` is a sentence until the thread that looks opens the run: here it does so between two readings of it."""
    dashboard = Dashboard(tmp_path / "empty")
    dashboard.close()
    dashboard.thread.join(10)
    dashboard.live, dashboard.closed = "There is no run yet.", threading.Event()

    def meanwhile(folder: RunFolder) -> str:
        dashboard.live = live.open_run(training.path)
        return ""

    monkeypatch.setattr(module, "gone", meanwhile)
    assert dashboard.sentences() == ["There is no run yet."]
    assert all(isinstance(sentence, str) for sentence in dashboard.sentences())
