"""`python -m nlcore.doctor`: what this machine has, what is missing and what to do, which sizes fit."""

import importlib.metadata
import importlib.util
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nlcore.train.device import Choice

GIB = 2**30
OLDEST = (3, 11)
DISK_GIB = 2
MEMORY_GIB = 3


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's: what was looked at, whether it is well, and what to do if not."""

    subject: str
    well: bool
    text: str
    fatal: bool = False
    """Nothing in the course works until this is mended."""

    def __str__(self) -> str:
        return f"{'OK  ' if self.well else 'LOOK'}  {self.subject:<12} {self.text}"


def python(version: tuple[int, ...] = tuple(sys.version_info)) -> Finding:
    """Python is 3.11 or newer."""
    name = ".".join(map(str, version[:3]))
    well = version[:2] >= OLDEST
    return Finding("Python", well, name if well else f"{name} is too old: install 3.11 or newer", fatal=not well)


def torch() -> Finding:
    """PyTorch can be imported."""
    try:
        import torch
    except (ImportError, OSError) as error:
        text = f"cannot be imported ({error}): delete .venv and type `make lab` again"
        return Finding("torch", False, text, fatal=True)
    return Finding("torch", True, f"{torch.__version__}, {torch.get_num_threads()} threads")


def _choice() -> "Choice":
    # Not at the top: where torch is broken, the doctor must still be able to say so.
    from nlcore.train.device import choose

    return choose("auto", "auto")


def device() -> Finding:
    """Where training will run."""
    choice = _choice()
    if choice.device.type == "cpu" and shutil.which("nvidia-smi"):
        return Finding("device", False, "there is an NVIDIA driver, but this torch cannot use its GPU: "
                       "install the torch build for your driver (see pytorch.org) into .venv")
    return Finding("device", True, str(choice))


def memory() -> Finding:
    """There is memory for the tiny model, a kernel and a browser."""
    from nlcore import sizing

    free = sizing.free_memory(_choice().device) / GIB
    well = free >= MEMORY_GIB
    text = f"{free:.1f} GiB free" + ("" if well else f", {MEMORY_GIB} are needed: close other programs")
    return Finding("memory", well, text)


def disk(folder: Path = Path(".")) -> Finding:
    """There is room for run folders."""
    free = shutil.disk_usage(folder).free / GIB
    well = free >= DISK_GIB
    return Finding("disk", well, f"{free:.0f} GiB free here" +
                   ("" if well else f", {DISK_GIB} are needed for run folders: delete some"))


def installed(subject: str, *packages: str) -> Finding:
    """These packages (import names are the same) are installed."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        return Finding(subject, False, f"{', '.join(missing)} missing: pip install -r requirements.txt")
    return Finding(subject, True, ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages))


def widgets() -> Finding:
    """Widgets can be made, and JupyterLab has the two extensions that draw them."""
    found = installed("widgets", "ipywidgets", "anywidget")
    folders = [Path(sys.prefix, "share", "jupyter", "labextensions", name)
               for name in ("@jupyter-widgets/jupyterlab-manager", "anywidget")]
    if found.well and not all(folder.is_dir() for folder in folders):
        return Finding("widgets", False, "JupyterLab lacks their extension here: "
                       "pip install --force-reinstall jupyterlab_widgets anywidget")
    return found


CHECKS: tuple[Callable[[], Finding], ...] = (
    python, torch, device, memory, disk,
    lambda: installed("JupyterLab", "jupyterlab", "ipykernel"), widgets,
    lambda: installed("pictures", "matplotlib", "plotly"),
)


def examine() -> list[Finding]:
    """Every check, in order, up to the first that stops the course."""
    findings = []
    for check in CHECKS:
        findings.append(check())
        if findings[-1].fatal:
            break
    return findings


def main() -> int:
    """Prints a line a check and a line a size; 1 only if something makes the course unusable."""
    print(f"{platform.system()} {platform.machine()}, {sys.executable}")
    findings = examine()
    print(*findings, sep="\n")
    if any(finding.fatal for finding in findings):
        return 1
    from nlcore import sizing

    print("\nSizes (fits: sequences of a batch at once; time: one block timed here, scaled)")
    print(sizing.table(sizing.sizes()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
