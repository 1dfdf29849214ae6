"""TensorBoard's event files hold what metrics.jsonl and levels.jsonl hold; a resumed run goes on with them."""

import sys

import pytest

from nlcore.train import TrainError, events, new, train
from nlcore.train.__main__ import main
from nlcore.train.folder import RunFolder
from nlcore.train.loop import Trainer
from nlcore.train.records import latest, number, records
from tests.train.small import small

NOT_DRAWN = {"step", "attempt", "time"}


def drawn(folder: RunFolder) -> dict[str, list[tuple[int, float]]]:
    """By tag, step and value of each scalar that TensorBoard shows."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder.events), size_guidance={"scalars": 0})
    found.Reload()
    return {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def written(folder: RunFolder) -> dict[str, list[tuple[int, float]]]:
    """The same out of the run's own records."""
    found = {}
    lines = [("", line) for line in latest(records(folder.metrics))]
    lines += [(f"{line['memory'] or line['level']}/", line) for line in latest(records(folder.levels), "level", "memory")]
    for level, line in lines:
        for name, value in line.items():
            if number(value) and name not in NOT_DRAWN:
                found.setdefault(level + name, []).append((line["step"], pytest.approx(value, rel=1e-6)))
    return found


def test_what_is_drawn_is_what_is_written_though_a_run_was_resumed(tmp_path, monkeypatch):
    """The first attempt dies at step 7, after the report of step 6 and the checkpoint of step 4."""
    pytest.importorskip("tensorboard")

    def dies(trainer):
        if trainer.step == 7:
            raise RuntimeError
        return between(trainer)

    between, folder = Trainer._between_steps, new(small(steps=12), tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_between_steps", dies)
        with pytest.raises(RuntimeError):
            train(folder, tensorboard=True)
    assert [step for step, _ in drawn(folder)["loss"]] == [2, 4, 6]
    assert main(["--resume", str(folder.path)]) == 0
    assert drawn(folder) == written(folder) and len(drawn(folder)["loss"]) == 6
    assert len(list(folder.events.iterdir())) == 2
    levels = {"memory/eta", "k/update_norm", "cms-3/update_norm", "weights momentum/weight_norm"}
    assert levels | {"loss", "memory", "validation_bits_per_byte"} <= drawn(folder).keys()


def test_without_the_package_one_sentence_comes_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setattr(events, "find_spec", lambda name: None)
    said = "need the package tensorboard: type pip install tensorboard, or leave out --tensorboard.$"
    with pytest.raises(TrainError, match=said):
        main(["--run", str(tmp_path / "run"), "--tensorboard"])
    assert not (tmp_path / "run").exists()
    folder = new(small(steps=2), tmp_path / "run")
    before = folder.content()
    with pytest.raises(TrainError, match=said):
        main(["--resume", str(folder.path), "--tensorboard"])
    assert folder.content() == before
