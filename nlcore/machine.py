"""What each system tells in its own way: memory that is free, memory that was used, and a parent that is gone."""

import ctypes
import mmap
import os
import sys
from collections.abc import Callable
from pathlib import Path

KIB = 1024
SYNCHRONIZE = 0x00100000
"""The right to wait for a process of Windows."""


def free_memory() -> int:
    """Bytes that programs may still take; where the system does not say (macOS), all that there are."""
    if sys.platform == "win32":
        return _free_windows()
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * KIB
    return mmap.PAGESIZE * os.sysconf("SC_PHYS_PAGES")


def peak_memory() -> int:
    """Bytes that this process has held at its highest."""
    if sys.platform == "win32":
        return _peak_windows()
    import resource  # Windows has no such module

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else KIB)


def held_memory() -> int:
    """Bytes that this process holds now; where the system does not say, at its highest."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * mmap.PAGESIZE if pages.exists() else peak_memory()


def orphaned() -> Callable[[], bool]:
    """What tells, whenever it is called, whether the process that started this one has ended since."""
    parent = os.getppid()
    if sys.platform != "win32":
        return lambda: os.getppid() != parent
    # Windows goes on naming a parent that has ended: only a handle knows, and keeps its number from another's use.
    kernel = ctypes.WinDLL("kernel32")
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(kernel.OpenProcess(SYNCHRONIZE, False, parent))
    return lambda: kernel.WaitForSingleObject(handle, 0) == 0


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of Windows."""

    _fields_ = [("length", ctypes.c_uint32), ("load", ctypes.c_uint32), ("total", ctypes.c_uint64), ("free", ctypes.c_uint64)]
    _fields_ += [(name, ctypes.c_uint64) for name in ("total_page", "free_page", "total_virtual", "free_virtual", "extended")]


class _MemoryCounters(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS of Windows."""

    _fields_ = [("length", ctypes.c_uint32), ("faults", ctypes.c_uint32), ("peak", ctypes.c_size_t), ("now", ctypes.c_size_t)]
    _fields_ += [(f"rest_{number}", ctypes.c_size_t) for number in range(6)]


def _free_windows() -> int:
    status = _MemoryStatus(ctypes.sizeof(_MemoryStatus))
    ctypes.WinDLL("kernel32").GlobalMemoryStatusEx(ctypes.byref(status))
    return status.free


def _peak_windows() -> int:
    counters = _MemoryCounters(ctypes.sizeof(_MemoryCounters))
    this = ctypes.c_void_p(-1)  # stands for the process that asks
    ctypes.WinDLL("kernel32").K32GetProcessMemoryInfo(this, ctypes.byref(counters), counters.length)
    return counters.peak
