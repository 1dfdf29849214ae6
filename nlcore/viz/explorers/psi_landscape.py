"""Figure 4's landscape: standard and delta momentum on a winding valley, and where each of them is faster (eq. 53)."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nlcore.viz.chart import Chart, Explorer, Heat, Line, Plot
from nlcore.viz.controls import slider, stops
from nlcore.viz.optimizers import MOMENTA
from nlcore.viz.theme import REFERENCE

START = (-3.5, 2.0)
FORMS = ("standard", "literal", "bounded", "exact")
LOOKS = {form: MOMENTA["momentum" if form == "standard" else form] for form in FORMS}
STEPS = 200
ARRIVED = 0.01
"""A path has arrived from the first step after which psi stays below this, to the last of the steps made."""
ETAS = np.geomspace(1e-3, 0.1, 21)
ALPHAS = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
BETAS = np.geomspace(1e-4, 10, 16)
R, TH = np.linspace(-5, 6, 81), np.linspace(-6.5, 4, 53)
GONE = 100.0
"""A path is drawn until it first lies this far out."""
Constants = tuple[float, float, float]
"""(k, a, w) of psi. The paper does not print them; ours are 1, 1, 5."""


@dataclass(frozen=True)
class Landscape:
    """psi, four paths on it, and the steps that each form needs over a grid of rates."""

    z: np.ndarray
    """(TH, R) log10 of psi."""
    paths: np.ndarray
    """(forms, STEPS + 1, 2): r and th."""
    needed: np.ndarray
    """(forms,) steps until each path has arrived; inf if it has not."""
    grid: np.ndarray
    """(forms, ETAS, ALPHAS) the same, for all rates and retentions, at this beta."""
    here: tuple[float, float]
    """eta and alpha of the paths."""


def psi(r: np.ndarray, th: np.ndarray, constants: Constants) -> np.ndarray:
    """`r^2 + k (r - th + a sin(w r))^2` (eq. 53): a valley along `th = r + a sin(w r)`, lowest at (0, 0)."""
    k, a, w = constants
    with np.errstate(all="ignore"):  # a path may have left all numbers behind
        return r**2 + k * (r - th + a * np.sin(w * r)) ** 2


def slope(r: np.ndarray, th: np.ndarray, constants: Constants) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of psi: with respect to r, and to th."""
    k, a, w = constants
    side = 2 * k * (r - th + a * np.sin(w * r))
    return 2 * r + side * (1 + a * w * np.cos(w * r)), -side


def walk(eta: np.ndarray, alpha: np.ndarray, beta: np.ndarray, constants: Constants, start: tuple = START,
         steps: int = STEPS) -> tuple[np.ndarray, np.ndarray]:
    """r and th of all four forms, each (steps + 1, forms, *grid), for rates that broadcast to one grid.

    `m <- alpha m + g - erased, W <- W - eta m` with W = (r, th); `standard` erases nothing, the others
    are the forms of `DeltaMomentum`. Once a path has left all numbers, it is inf or nan.
    """
    eta, alpha, beta = np.broadcast_arrays(eta, alpha, beta)
    shape = (len(FORMS), *eta.shape)
    r, th = (np.broadcast_to(at, shape).astype(float) for at in start)
    m = np.zeros((2, *shape))
    path = [(r, th)]
    with np.errstate(all="ignore"):
        for _ in range(steps):
            g = np.stack(slope(r, th, constants))
            m = _write(m, g, alpha, beta)
            r, th = r - eta * m[0], th - eta * m[1]
            path.append((r, th))
    rs, ths = zip(*path)
    return np.stack(rs), np.stack(ths)


def _write(m: np.ndarray, g: np.ndarray, alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """One write of the four memories (2, forms, *grid), in the order of FORMS."""
    new = alpha * m + g
    bound = beta / (1 + beta * (g[:, 2:] ** 2).sum(0))
    new[:, 1] -= beta * (g[:, 1] * m[:, 1]).sum(0) * g[:, 1]
    new[:, 2] -= bound[0] * (g[:, 2] * m[:, 2]).sum(0) * g[:, 2]
    new[:, 3] -= bound[1] * (g[:, 3] * new[:, 3]).sum(0) * g[:, 3]
    return new


def arrival(values: np.ndarray) -> np.ndarray:
    """The first step after which psi, `values` (steps + 1, ...), stays below ARRIVED; inf if the last one is not."""
    away = ~(values < ARRIVED)
    last = len(values) - np.argmax(away[::-1], axis=0)
    return np.where(away[-1], np.inf, np.where(away.any(0), last, 0))


@lru_cache(maxsize=64)
def survey(beta: float, constants: Constants, start: tuple = START) -> np.ndarray:
    """Steps that each form needs, (forms, ETAS, ALPHAS), at one beta."""
    return arrival(psi(*walk(ETAS[:, None], ALPHAS, np.float64(beta), constants, start), constants))


def compute(eta: float, alpha: float, beta: float, k: float, a: float, w: float) -> Landscape:
    """Four paths at one setting, and the survey over all rates and retentions at this beta."""
    constants = (k, a, w)
    z = np.log10(psi(R[None], TH[:, None], constants) + 1e-3)
    r, th = walk(np.float64(eta), np.float64(alpha), np.float64(beta), constants)
    needed = arrival(psi(r, th, constants))
    return Landscape(z, np.stack([r.T, th.T], -1), needed, survey(beta, constants), (eta, alpha))


def winners(grid: np.ndarray) -> np.ndarray:
    """Index of the fastest form at each setting of a survey, the first of FORMS if several are; -1 where none arrives."""
    return np.where(np.isfinite(grid).any(0), grid.argmin(0), -1)


def chart(found: Landscape) -> Chart:
    """The paths on the contour, and the fastest form at each (eta, alpha)."""
    best = winners(found.grid)
    paths, areas = [], []
    for i, name in enumerate(FORMS):
        arrived = np.isfinite(found.needed[i])
        steps = int(found.needed[i]) if arrived else STEPS
        said = f"{steps} steps" if arrived else f"not in {STEPS} steps"
        paths.append(Line(f"{name}: {said}", *_seen(found.paths[i, : steps + 1]).T, LOOKS[name]))
        at, keep = np.nonzero(best == i)
        areas.append(Line(f"{name} fastest: {share(best == i)}", ETAS[at], ALPHAS[keep], LOOKS[name], "points", size=7))
    eta, alpha = found.here
    return (
        Plot("Paths from (−3.5, 2) to (0, 0)", "r", "θ", tuple(paths),
             Heat(found.z, "log₁₀ ψ", R, TH, (-1.5, 2.0), "pale", contours=14), x_range=(R[0], R[-1]), y_range=(TH[0], TH[-1]), width=1.2),
        Plot(f"Fastest form (none arrives: {share(best < 0)})", "η", "α",
             (*areas, Line("the paths on the left", np.array([eta]), np.array([alpha]), REFERENCE, "points", size=10)),
             x_range=(8e-4, 0.125), y_range=(-0.05, 1.05), x_log=True),
    )


def share(there: np.ndarray) -> str:
    """How many of the settings, in percent; few are not none, and nearly all are not all."""
    share = there.mean()
    return "<1%" if 0 < share < 0.01 else ">99%" if 0.99 < share < 1 else f"{share:.0%}"


def _seen(path: np.ndarray) -> np.ndarray:
    """The path, (steps, 2), NaN from where it is gone."""
    out = ~(np.abs(path).max(-1) < GONE)
    return np.where(np.logical_or.accumulate(out)[:, None], np.nan, path)


def psi_landscape() -> Explorer[Landscape]:
    """The explorer: every constant of the landscape and of the optimizers."""
    return Explorer(
        compute,
        {
            "eta": stops("Rate η", float(ETAS[11]), tuple((f"{v:.2g}", float(v)) for v in ETAS)),
            "alpha": slider("Retention α", 0.9, 0.0, 0.99, 0.01),
            "beta": stops("Erasing β", float(BETAS[4]), tuple((f"{v:.2g}", float(v)) for v in BETAS)),
            "k": slider("k, how steep the sides are", 1.0, 0.1, 3.0, 0.1),
            "a": slider("a, how far the valley winds", 1.0, 0.0, 2.0, 0.1),
            "w": slider("ω, how often it winds", 5.0, 0.0, 8.0, 0.5),
        },
        chart,
        alt="Left, a winding valley as contours, and four paths from (-3.5, 2) that jump across it to the lowest point at "
        "(0, 0): standard momentum in 199 steps, the literal, bounded and exact delta forms in 50, 106 and 113. Right, the "
        "fastest form at each rate and retention for this erasing: single points of each form in no order, and 83% of the frame blank.",
        try_this="Move η by one stop, then β, and back: how much does the number of steps depend on it, and which form is "
        "fastest? Then set a to 0, a straight valley: who is fastest in most settings now?",
        name="psi_landscape",
    )
