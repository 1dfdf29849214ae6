"""What commands do to a run."""

from nlcore.train import new, train
from nlcore.train.control import send
from nlcore.train.records import records
from tests.train.small import small


def test_commands_take_effect_at_a_step_and_are_noted(tmp_path):
    folder = new(small(steps=20, report_every=1), tmp_path)
    send(folder, "lr_scale", value=0.0)
    send(folder, "period", "cms-1", 3)
    send(folder, "level_lr", "memory", 0.0)
    send(folder, "level_lr", "memory", 2.0)
    send(folder, "level_lr", "nowhere", 0.5)
    send(folder, "period", "projections", 3)
    with open(folder.control, "a") as file:
        file.write("nonsense\n")
    assert train(folder)["state"] == "done"
    noted = records(folder.applied)
    assert [line["number"] for line in noted] == [1, 2, 3, 4, 5, 6] and {line["step"] for line in noted} == {1}
    assert [line["applied"] for line in noted] == [True, True, True, False, False, False]
    assert "between 0 and 1" in noted[3]["sentence"] and "no level 'nowhere'" in noted[4]["sentence"]
    assert "is part of the model" in noted[5]["sentence"]
    assert "'nonsense' is no command" in folder.log.read_text()
    rows = records(folder.levels)
    assert [row["step"] for row in rows if row["level"] == "cms-1" and row["fired"]] == [3, 6, 9, 12, 15, 18, 20]
    assert {row["update_norm"] for row in rows if row["level"] == "weights"} == {0.0}
    assert {row["eta"] for row in rows if row["memory"]} == {0.0}
