"""A run, its dashboard and the doctor where the system lacks what Windows lacks."""

import subprocess
import sys

import pytest

WITHOUT = """
import os, signal, sys
import filelock, torch  # they have their own ways on each system
for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty"):
    sys.modules[name] = None
for module, names in ((os, ("sysconf", "killpg", "getpgid", "getuid", "fork")), (signal, ("SIGHUP", "SIGKILL"))):
    for name in names:
        delattr(module, name)
"""
CODE = """
import contextlib, io
from nlcore import doctor, sizing, train, trial
from nlcore.train import __main__
from nlcore.viz.dashboard import Dashboard
folder = train.new(train.configure("tiny", data="text", context=64, batch=1, steps=1, final_windows=1), "run")
with contextlib.redirect_stdout(io.StringIO()):
    state = train.train(folder)["state"]
Dashboard(folder.path).close()
print(state, all(finding.well for finding in (doctor.python(), doctor.torch(), doctor.device())))
"""


def test_a_run_and_its_dashboard_without_what_windows_lacks(tmp_path):
    (tmp_path / "text").write_text("some words of text\n" * 400)
    ended = subprocess.run([sys.executable, "-c", WITHOUT + CODE], cwd=tmp_path, capture_output=True, text=True)
    assert ended.stdout.split() == ["done", "True"], ended.stderr


@pytest.mark.parametrize("part", ["nlcore.train", "nlcore.train.__main__", "nlcore.viz.dashboard"])
def test_nothing_imports_what_windows_has_not(part):
    code = f"import torch, filelock, sys; sys.modules |= dict.fromkeys(['fcntl', 'resource', 'pwd', 'grp']); import {part}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
