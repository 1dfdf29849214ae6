"""The command line: its choices, its sentences, and the comparison."""

import subprocess
import sys

import pytest

from nlcore.train.__main__ import main
from nlcore.train.compare import compare, table
from nlcore.train.folder import RunFolder, read_json
from tests.train.small import TEXT, small

QUICK = ["--data", str(TEXT), "--batch", "1", "--context", "32", "--threads", "1", "--device", "cpu"]


def test_a_run_from_the_command_line_and_more_of_it(tmp_path, capsys):
    run = str(tmp_path / "run")
    assert main(["--size", "tiny", "--model", "transformer", "--run", run, "--steps", "2", "--seed", "5", *QUICK]) == 0
    printed = capsys.readouterr().out
    for text in ("transformer tiny", "Device   cpu", "bits per byte", "order-1 entropy", "tokens/s", run):
        assert text in printed
    assert main(["--resume", run, "--steps", "3"]) == 0
    assert read_json(RunFolder(run).status)["result"]["steps"] == 3
    stored = read_json(RunFolder(run).config)["config"]
    assert (stored["seed"], stored["preset"]["batch"]) == (5, 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "huge"], "There is no size 'huge'"),
        (["--model", "gpt"], "There is no model 'gpt'"),
        (["--steps", "0"], "steps is 0"),
        (["--steps", "2", "--seconds", "3"], "Both steps and seconds"),
        (["--accept-data"], "--accept-data belongs to --resume"),
        (["--resume", "nowhere"], "holds no run"),
        (["--resume", "nowhere", "--compare"], "leave out --run and --compare"),
        (["--compare", "--model", "transformer"], "leave --model out"),
    ],
)
def test_each_bad_argument_gets_one_sentence(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError) as caught:
        main(arguments)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("arguments", [["--steps", "many"], ["--colour", "red"], ["--size"]])
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


def test_the_comparison_gives_both_the_same_time(tmp_path):
    printed = compare(small(), tmp_path / "pair")
    hope, rival = (read_json(RunFolder(tmp_path / "pair" / name).status)["result"] for name in ("hope", "transformer"))
    budget = read_json(RunFolder(tmp_path / "pair" / "transformer").config)["config"]["seconds"]
    assert hope["steps"] == 12 and budget == hope["seconds"] <= rival["seconds"]
    assert hope["order1_entropy"] == rival["order1_entropy"] and rival["bits_per_byte_eta_0"] is None
    lines = printed.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["hope", "transformer"] and f"{hope['bits_per_byte']:.3f}" in lines[1]
    assert table({"hope": hope, "transformer": rival}) == printed
