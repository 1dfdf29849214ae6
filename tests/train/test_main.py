"""The command line: its choices, its sentences, and the comparison."""

import errno
import os
import shlex
import subprocess
import sys

import pytest

from nlcore.train import __main__ as command
from nlcore.train import new, train
from nlcore.train.__main__ import main
from nlcore.train.compare import compare, table
from nlcore.train.folder import RunFolder
from nlcore.train.records import read_json
from nlcore.train.parallel import ALONE
from tests.train.small import TEXT, small

QUICK = ["--data", str(TEXT), "--batch", "1", "--context", "32", "--threads", "1", "--device", "cpu"]


def test_a_run_from_the_command_line_and_more_of_it(tmp_path, capsys):
    run = str(tmp_path / "run")
    chosen = ["--size", "tiny", "--model", "transformer", "--steps", "2", "--carry", "1", "--seed", "5"]
    chosen += ["--optimizer", "muon", "--level-lr", "weights=0.5", "--schedule", "wsd", "--betas", "0.8", "0.9"]
    assert main([*chosen, "--run", run, *QUICK]) == 0
    printed = capsys.readouterr().out
    for text in ("transformer tiny", "Device   cpu", "bits per byte", "order-1 entropy", "tokens/s", run):
        assert text in printed
    assert main(["--resume", run, "--steps", "3"]) == 0
    assert read_json(RunFolder(run).status)["result"]["steps"] == 3
    stored = read_json(RunFolder(run).config)["config"]
    assert (stored["seed"], stored["preset"]["batch"], stored["preset"]["carry"]) == (5, 1, 1)
    assert (stored["optimizer"], stored["level_lr"], stored["betas"]) == ("muon", [["weights", 0.5]], [0.8, 0.9])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "huge"], "There is no size 'huge'"),
        (["--model", "gpt"], "There is no model 'gpt'"),
        (["--steps", "0"], "steps is 0"),
        (["--level-lr", "cms-9=2"], "level_lr names 'cms-9'"),
        (["--steps", "2", "--seconds", "3"], "Both steps and seconds"),
        (["--data", "~nobody-of-this-name/x"], "leads nowhere"),
        (["--data", "a\0b"], "leads nowhere"),
        (["--accept-data"], "--accept-data belongs to --resume"),
        (["--resume", "nowhere"], "holds no run"),
        (["--resume", "nowhere", "--compare"], "leave out --run and --compare"),
        (["--compare", "--model", "transformer"], "leave --model out"),
        (["--in-context", "cms-3:16"], "in_context is (('cms-3', 16),): give level, tokens and rate"),
        (["--in-context", "cms-3:16:0.3", "cms-2:24:0.3"], "cms-2 learns every 24 tokens and cms-3 every 16"),
    ],
)
def test_each_bad_argument_gets_one_sentence(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError) as caught:
        main(arguments)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("arguments", [
    ["--steps", "many"], ["--colour", "red"], ["--size"], ["--level-lr", "cms-3"], ["--in-context", "cms-3:x:1"],
    ["--in-context", "cms-3:16:1:1:0:9"],
])
def test_arguments_that_cannot_be_read_get_one_sentence(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    said = capsys.readouterr().err
    assert left.value.code == 2 and said.count("\n") == 1 and "--help" in said


def test_the_program_prints_the_sentence_without_a_traceback(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "nlcore.train", "--data", "none.txt", "--run", "run"],
        cwd=tmp_path, capture_output=True, text=True,
    )
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1 and "none.txt does not exist" in ended.stderr


COMMAND = [sys.executable, "-m", "nlcore.train", "--steps", "2", *QUICK, "--run"]


def result(run):
    status = read_json(RunFolder(run).status)
    assert status["state"] == "done" and status["step"] == status["result"]["steps"] == 2
    return status["result"]


def test_a_reader_that_goes_away_costs_the_display_only(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run([*COMMAND, "run"], cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, "")
    result(tmp_path / "run")


def test_without_standard_streams_no_file_of_the_run_takes_their_place(tmp_path):
    line = shlex.join([*COMMAND, "run"]) + " <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", line], cwd=tmp_path).returncode == 0
    result(tmp_path / "run")


def test_letters_that_the_terminal_lacks(tmp_path):
    text = tmp_path / "greek.txt"
    text.write_text("και το να του η\n" * 2000, encoding="utf-8")
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    ended = subprocess.run([*COMMAND, "run", "--data", text], cwd=tmp_path, env=environment, capture_output=True)
    assert ended.returncode == 0 and b"\\u03" in ended.stdout, ended.stderr
    assert set("και") & set(result(tmp_path / "run")["prompt"])


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_run_folder_whose_name_is_not_text(tmp_path, capsys):
    path = tmp_path / os.fsdecode(b"caf\xe9")
    assert main(["--run", str(path), "--steps", "2", *QUICK]) == 0
    assert main(["--resume", str(path), "--steps", "3"]) == 0
    assert read_json(RunFolder(path).status)["checkpoint"].startswith(str(path))
    assert r"caf\udce9" in capsys.readouterr().out


def test_advice_can_be_copied_into_a_shell(tmp_path, monkeypatch):
    monkeypatch.setattr("nlcore.train.loop.Trainer.run", lambda trainer: "stopped")
    status = train(new(small(), tmp_path / "my run; reboot"))
    words = shlex.split(status["sentence"].partition("Go on with: ")[2])
    assert words == ["python", "-m", "nlcore.train", "--resume", str(tmp_path / "my run; reboot")]


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (MemoryError(), "The machine's memory does not hold this"),
        (RecursionError("too deep"), "RecursionError: too deep"),
        (RuntimeError("two\nlines \x1b"), r"RuntimeError: two lines \x1b"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "a\ab"), r"a\x07b: it is a folder"),
        (OSError(errno.ENOSPC, "No space left on device"), "There is no space left on the disk"),
    ],
)
def test_whatever_bad_input_can_cause_ends_in_a_sentence(monkeypatch, raised, said):
    def refuse(team):
        raise raised

    monkeypatch.setattr(command, "main", refuse)
    told = command.program(ALONE)
    assert told.startswith(said) and "\n" not in told


def test_a_fault_of_the_program_keeps_its_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "main", lambda team: {}["a name"])
    with pytest.raises(KeyError):
        command.program(ALONE)
    monkeypatch.setattr("nlcore.train.loop.Trainer.run", lambda trainer: [].pop())
    folder = new(small(), tmp_path / "run")
    with pytest.raises(IndexError):
        train(folder)
    assert "Traceback" in folder.log.read_text() and "log.txt says where" in read_json(folder.status)["sentence"]


@pytest.mark.parametrize("path", ["file", "file/run", "loop", "loop/run"])
def test_a_run_folder_that_cannot_be_one_gets_one_sentence(tmp_path, monkeypatch, path):
    (tmp_path / "file").write_text("words")
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.chdir(tmp_path)
    for option in ("--run", "--resume"):
        monkeypatch.setattr(sys, "argv", ["nlcore.train", option, path])
        said = command.program(ALONE)
        assert path in said and "space" not in said and "\n" not in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "loop"]


def test_the_comparison_gives_both_the_same_time(tmp_path):
    printed = compare(small(carry=1, in_context=(("cms-3", 8, 0.1),), level_lr=(("cms-3", 0.5),)), tmp_path / "pair")
    hope, rival = (read_json(RunFolder(tmp_path / "pair" / name).status)["result"] for name in ("hope", "transformer"))
    configs = [read_json(RunFolder(tmp_path / "pair" / name).config)["config"] for name in ("hope", "transformer")]
    assert [config["preset"]["carry"] for config in configs] == [1, 0]
    budget = configs[1]["seconds"]
    assert hope["steps"] == 12 and budget == hope["seconds"] <= rival["seconds"]
    assert hope["order1_entropy"] == rival["order1_entropy"] and rival["bits_per_byte_eta_0"] is None
    lines = printed.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["hope", "transformer"] and f"{hope['bits_per_byte']:.3f}" in lines[1]
    assert table({"hope": hope, "transformer": rival}) == printed
