"""The progress line follows a run to its end."""

from nlcore.viz import follow as module
from nlcore.viz.follow import follow


class Ending:
    """A run that has a status a look, and ends with the last."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)

    def alive(self):
        return len(self.statuses) > 1

    def status(self):
        return self.statuses.pop(0) if self.alive() else self.statuses[0]


def test_each_line_is_shown_once_and_the_last_status_returned(capsys, monkeypatch):
    monkeypatch.setattr(module, "EVERY_S", 0)
    done = {"state": "done", "sentence": "Done."}
    training = {"state": "training", "line": "step 4, 0:10 left"}
    run = Ending({"state": "starting", "line": ""}, training, training, done)
    assert follow(run) == done
    lines = capsys.readouterr().out.split("\r")
    assert [line.rstrip() for line in lines] == ["", "starting", "step 4, 0:10 left", "Done."]
    assert lines[-1].rstrip("\n").startswith("Done." + " " * 5)


def test_a_run_that_failed_shows_why(capsys):
    failed = {"state": "failed", "sentence": "Step 7: the loss is nan."}
    assert follow(Ending(failed)) == failed
    assert capsys.readouterr().out == "\rStep 7: the loss is nan.\n"
