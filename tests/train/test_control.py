"""Commands: what they may say, that none is lost, and that a resume repeats settings at their step."""

import json
import subprocess
import sys

import pytest

from nlcore.train import TrainError
from nlcore.train.control import COMMANDS, Command, Inbox, read_command, send
from nlcore.train.folder import RunFolder
from nlcore.train.records import records

SEND_MANY = """
import sys
from nlcore.train.control import send
from nlcore.train.folder import RunFolder
for n in range(100):
    send(RunFolder(sys.argv[1]), "lr_scale", value=float(sys.argv[2]) + n)
"""


@pytest.mark.parametrize(
    ("command", "level", "value", "said"),
    [
        ("explode", None, None, "There is no command 'explode': choose one of pause"),
        ("pause", "weights", None, "takes nothing"),
        ("lr_scale", None, None, "takes value"),
        ("period", "cms-1", None, "takes level and value"),
        ("period", "cms-1", 0, "The period is 0: give a whole number"),
        ("period", "cms-1", 2.0, "The period is 2.0"),
        ("lr_scale", None, -1.0, "value of lr_scale is -1.0: give a number from 0 to 1000"),
        ("lr_scale", None, "much", "value of lr_scale is 'much'"),
        ("level_lr", "memory", float("nan"), "value of level_lr is nan"),
        ("level_lr", 3, 1.0, "level of level_lr is 3"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused_and_not_written(tmp_path, command, level, value, said):
    with pytest.raises(TrainError, match=said):
        send(RunFolder(tmp_path), command, level, value)
    assert not (tmp_path / "control.jsonl").exists()


@pytest.mark.parametrize("line", ["{", "[]", "3", "{}", '{"number": "1", "command": "pause"}', '{"number": 1}'])
def test_a_line_that_is_no_command_gets_one_sentence(line):
    assert "it needs a number and a command, in JSON" in read_command(line)


def test_every_command_comes_through_as_it_was_sent(tmp_path):
    needs = {"level": "cms-1", "value": 2}
    for number, (command, names) in enumerate(COMMANDS.items(), 1):
        assert send(RunFolder(tmp_path), command, **{name: needs[name] for name in names}) == number
    commands, wrong = Inbox(RunFolder(tmp_path), 0, 1).due(5)
    assert [c.command for c in commands] == list(COMMANDS) and wrong == []


def test_two_writers_lose_none(tmp_path):
    writers = [subprocess.Popen([sys.executable, "-c", SEND_MANY, str(tmp_path), start]) for start in ("0", "500")]
    inbox, seen = Inbox(RunFolder(tmp_path), 0, 1), []
    while any(writer.poll() is None for writer in writers):
        seen += inbox.due(1)[0]
    seen += inbox.due(1)[0]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert [command.number for command in seen] == list(range(1, 201))
    assert {command.value for command in seen} == {*range(100), *range(500, 600)}


def test_a_bad_line_is_told_and_the_next_one_followed(tmp_path):
    folder = RunFolder(tmp_path)
    folder.control.write_text('nonsense\n{"number": 1, "command": "period", "level": "cms-1", "value": 0}\n')
    send(folder, "pause")
    commands, wrong = Inbox(folder, 0, 1).due(1)
    assert [c.command for c in commands] == ["pause"] and len(wrong) == 2
    assert "'nonsense' is no command" in wrong[0] and "period is 0" in wrong[1]


def test_a_resume_repeats_settings_at_their_step_and_leaves_done_what_was_done_once(tmp_path):
    folder = RunFolder(tmp_path)
    first = Inbox(folder, 0, 1)
    for step, command in ((3, "pause"), (3, "resume"), (4, "lr_scale"), (6, "lr_scale"), (7, "stop")):
        send(folder, command, value=step if command == "lr_scale" else None)
        for due in first.due(step)[0]:
            first.note(due, step, True, "")
    second = Inbox(folder, 2, 2)  # the checkpoint, of step 3, held the first two commands
    assert [[c.number for c in second.due(step)[0]] for step in (3, 4, 5, 6, 7)] == [[], [3], [], [4], []]


def test_a_new_command_comes_after_all_that_a_resume_repeats(tmp_path):
    folder = RunFolder(tmp_path)
    first = Inbox(folder, 0, 1)
    send(folder, "lr_scale", value=0.1)
    first.note(first.due(6)[0][0], 6, True, "")
    second = Inbox(folder, 0, 2)
    assert second.due(4) == ([], [])
    send(folder, "lr_scale", value=0.9)
    assert [c.value for c in second.due(5)[0]] == [0.1, 0.9] and second.due(6) == ([], [])


def test_a_refused_setting_is_not_tried_again(tmp_path):
    folder = RunFolder(tmp_path)
    number = send(folder, "period", "nowhere", 3)
    Inbox(folder, 0, 1).note(Command(number, "period", "nowhere", 3), 2, False, "There is no such level.")
    assert Inbox(folder, 0, 2).due(9) == ([], [])
    noted = records(folder.applied)[0]
    assert json.dumps(noted) and (noted["step"], noted["applied"], noted["level"]) == (2, False, "nowhere")
