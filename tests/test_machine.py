"""Each system is asked in its own way; nothing that only some of them have is taken for granted."""

import ctypes
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from nlcore import machine


def test_memory_here():
    assert 2**20 < machine.peak_memory() < machine.free_memory() * 1000
    assert 2**20 < machine.held_memory() < 2 * machine.peak_memory()  # the system rounds the two differently


def test_where_the_system_does_not_say_what_is_free_all_counts(monkeypatch):
    monkeypatch.setattr(machine.Path, "exists", lambda path: False)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 10}.__getitem__)
    assert machine.free_memory() == 40960


def test_a_process_knows_whether_its_parent_is_there():
    code = "from nlcore import machine; gone = machine.orphaned(); print(gone(), flush=True); input(); print(gone())"
    between = (
        "import subprocess, sys; code, number = sys.argv[1:];"
        "subprocess.Popen([sys.executable, '-c', code], stdin=int(number)); sys.stdin.read()"
    )
    reading, writing = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", between, code, str(reading)],
        pass_fds=[reading], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with parent, open(writing, "wb") as to_child:
        assert parent.stdout.readline().split() == [b"False"]
        parent.stdin.close()
        parent.wait()
        to_child.write(b"\n")
        to_child.flush()
        assert parent.stdout.readline().split() == [b"True"]
    os.close(reading)


@pytest.fixture
def windows(monkeypatch):
    """The functions of Windows that are asked, as its documents describe them."""
    ended = []

    def memory(status):
        assert status._obj.length == 64
        status._obj.free = 12345
        return 1

    def counters(process, found, size):
        assert (process.value, size) == (2 ** (8 * ctypes.sizeof(ctypes.c_void_p)) - 1, 72)
        found._obj.peak = 6789
        return 1

    def opened(right, inherits, number):
        assert (right, inherits, number) == (0x00100000, False, os.getppid())
        return 77

    kernel = SimpleNamespace(
        GlobalMemoryStatusEx=memory,
        K32GetProcessMemoryInfo=counters,
        OpenProcess=opened,
        WaitForSingleObject=lambda handle, wait: 0 if (handle.value, wait) == (77, 0) and ended else 258,
    )
    monkeypatch.setattr(ctypes, "WinDLL", {"kernel32": kernel}.__getitem__, raising=False)
    monkeypatch.setattr(machine.sys, "platform", "win32")
    return ended


def test_windows_is_asked_as_its_documents_say(windows):
    assert (machine.free_memory(), machine.peak_memory()) == (12345, 6789)
    gone = machine.orphaned()
    assert not gone()
    windows.append("the parent")
    assert gone()
