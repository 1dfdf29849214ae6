"""The doctor says what is missing and what to do, and stops only for what stops the course."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from nlcore import doctor, sizing
from nlcore.doctor import Finding


def test_this_environment_is_well():
    findings = doctor.examine()
    assert len(findings) == len(doctor.CHECKS)
    assert [str(f) for f in findings if not f.well and f.subject not in ("memory", "disk", "device")] == []


def test_an_old_python_stops_the_course_and_says_what_to_do():
    finding = doctor.python((3, 9, 2))
    assert finding.fatal and not finding.well
    assert "3.9.2 is too old: install 3.11 or newer" in str(finding)


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 14, 2)])
def test_a_new_python_is_well(version):
    assert doctor.python(version).well


def test_a_missing_package_is_named_with_its_remedy():
    finding = doctor.installed("widgets", "ipykernel", "no_such_package")
    assert not finding.well and not finding.fatal
    assert finding.text == "no_such_package missing: pip install -r requirements.txt"


def test_widgets_without_their_lab_extension_are_not_well(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.sys, "prefix", str(tmp_path))
    finding = doctor.widgets()
    assert not finding.well and "JupyterLab lacks their extension" in finding.text


def test_little_memory_says_what_to_do(monkeypatch):
    monkeypatch.setattr(sizing, "free_memory", lambda where: sizing.GIB)
    assert "1.0 GiB free, 3 are needed: close other programs" in str(doctor.memory())


def test_a_full_disk_says_what_to_do(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=sizing.GIB))
    assert "2 are needed for run folders" in str(doctor.disk())


def test_a_gpu_that_torch_cannot_use_is_found(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    finding = doctor.device()
    assert not finding.well and "cannot use its GPU" in finding.text


@pytest.mark.parametrize(("fatal", "status"), [(True, 1), (False, 0)])
def test_only_what_stops_the_course_fails(monkeypatch, capsys, fatal, status):
    broken, well = Finding("torch", False, "broken: mend it", fatal), Finding("disk", True, "much")
    monkeypatch.setattr(doctor, "CHECKS", (lambda: broken, lambda: well))
    monkeypatch.setattr(sizing, "sizes", lambda: [])
    assert doctor.main() == status
    shown = capsys.readouterr().out
    assert "LOOK  torch        broken: mend it" in shown
    assert ("disk" in shown) == (not fatal)


def test_a_broken_torch_is_said_and_not_a_traceback(root, tmp_path):
    (tmp_path / "torch.py").write_text('raise OSError("libtorch is not there")\n')
    done = subprocess.run(
        [sys.executable, "-m", "nlcore.doctor"], cwd=root, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "LOOK  torch        cannot be imported (libtorch is not there): delete .venv" in done.stdout
