"""Measures slider to picture of every explorer, in headless Chromium on a real JupyterLab.

    python -m bench.latency                      every explorer
    python -m bench.latency fading psi_landscape --shots build/shots

Prints for each explorer the median and the slowest tenth, in milliseconds, from a moved
control to the changed picture on the page: browser, kernel, computation, and back. `--shots` keeps
pictures of each, as it opens and after one move.
"""

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

import nbformat
from playwright.sync_api import Page

from bench.lab import notebook_of, open_browser, open_lab, open_page, run_all
from nlcore.viz.explorers import names

MOVES = 12
# The controls on the page, by their accessible names.
CONTROLS = """() => [...document.querySelectorAll('.jp-OutputArea input[type=range], .jp-OutputArea select')]
  .filter(control => !control.disabled && control.offsetParent)
  .map(control => control.getAttribute('aria-label') ?? control.labels[0]?.textContent ?? 'a control')"""
# Milliseconds from a control's own event, when it is moved by so many stops, until plotly has drawn again, or, in a
# player, which has no plotly, until the frame after which it looks different; null if that never happens.
MOVE = """async ([index, by]) => {
  const control = [...document.querySelectorAll('.jp-OutputArea input[type=range], .jp-OutputArea select')]
    .filter(control => !control.disabled && control.offsetParent)[index];
  const frames = [...document.querySelectorAll('.nl-frame.js-plotly-plot')], view = document.querySelector('.nl');
  const look = () => view.innerHTML + [...view.querySelectorAll('canvas')].map(canvas => canvas.toDataURL()).join();
  const before = look(), started = performance.now();
  const drawn = frames.length ? Promise.all(frames.map(frame => new Promise(done => frame.once('plotly_afterplot', done)))) : null;
  if (control.tagName === 'SELECT') control.selectedIndex = (control.selectedIndex + by + control.length) % control.length;
  else control.value = +control.value + by * (+control.step || 1);
  for (const kind of ['input', 'change']) control.dispatchEvent(new Event(kind, {bubbles: true}));
  const late = new Promise(done => setTimeout(() => done(null), 2000));
  const taken = () => performance.now() - started;
  if (drawn) return Promise.race([drawn.then(taken), late]);
  do {
    if (taken() > 2000) return null;
    await new Promise(requestAnimationFrame);
  } while (look() === before);
  return taken();
}"""


def moves(page: Page) -> dict[str, list[float]]:
    """Milliseconds of each move of each control, by its name; moves that change nothing do not count."""
    found = {}
    for index, label in enumerate(page.evaluate(CONTROLS)):
        taken = []
        for move in range(MOVES):
            taken.append(page.evaluate(MOVE, [index, 1 if move // 3 % 2 == 0 else -1]))
            page.wait_for_timeout(150)
        found[label] = [milliseconds for milliseconds in taken if milliseconds is not None]
    return found


def show(page: Page, address: str, name: str, shots: Path | None) -> None:
    """Opens a notebook with the explorer and waits until it is drawn; keeps pictures before and after a move."""
    page.set_viewport_size({"width": 1400, "height": 1300})
    run_all(page, address)
    page.locator(".nl input[type=range]").first.wait_for()
    page.wait_for_function("() => [...document.querySelectorAll('.nl-frame')].every(frame => frame.querySelector('.main-svg'))")
    page.wait_for_timeout(1500)
    if shots is None:
        return
    page.screenshot(path=shots / f"{name}-before.png")
    for slider in page.locator(".jp-OutputArea input[type=range]:enabled").all():
        slider.focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
    page.wait_for_timeout(1000)
    page.screenshot(path=shots / f"{name}-after.png")


def line(name: str, found: dict[str, list[float]]) -> str:
    taken = sorted(milliseconds for its in found.values() for milliseconds in its)
    if not taken:
        return f"{name:22} no control changed the picture"
    medians = {label: statistics.median(its) for label, its in found.items() if its}
    slowest, still = max(medians, key=medians.get), [label for label, its in found.items() if not its]
    return (
        f"{name:22} median {statistics.median(taken):4.0f} ms, one in ten above {taken[int(0.9 * len(taken))]:4.0f} ms, "
        f"slowest: {slowest} {medians[slowest]:.0f} ms" + (f"; nothing changed with {', '.join(still)}" if still else "")
    )


def main() -> None:
    """Prints a line for each explorer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("explorers", nargs="*", default=names(), help="names of explorers; all by default")
    parser.add_argument("--shots", type=Path, help="a folder for pictures of each")
    options = parser.parse_args()
    if options.shots is not None:
        options.shots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, open_lab(Path(home), OMP_NUM_THREADS="1") as address:
        for name in options.explorers:
            cell = f"from nlcore.viz.explorers.{name} import {name}\n{name}()"
            nbformat.write(notebook_of(cell), Path(home, f"{name}.ipynb"))
            with open_browser(shutil.which("chromium")) as browser, open_page(browser) as page:
                show(page, address.format(f"{name}.ipynb"), name, options.shots)
                print(line(name, moves(page)), flush=True)
                for complaint in page.complaints:
                    print(f"    the console says: {complaint[:200]}")


if __name__ == "__main__":
    main()
