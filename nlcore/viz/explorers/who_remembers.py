"""Who remembers: three levels at three frequencies on a stream that goes from home abroad and back."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import choice, stops
from nlcore.viz.theme import REFERENCE, Look, level_looks

NAMES = ("fast", "middle", "slow")
LOOKS = dict(zip(NAMES, level_looks(["cms-3", "cms-2", "cms-1"]).values()))
"""Of the chain that they are."""
JOINS = {"side by side": False, "nested (restarts)": True}
"""In words -> whether an update of a level restarts all that are faster."""
PLACES = ("home", "abroad")
STEPS, DRAWS, WIDTH, BATCH = 512, 8, 8, 4
RATES = (0.0125, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
"""That one level alone is tried at; the best is what three are compared with."""
RATE = 0.1
"""Of the fast level, per step."""
SHOWN = 4
"""Steps between two points of a curve."""
TOP = 2.6
"""Of the errors' frame. Levels side by side at equal rates and long periods go beyond, a few without bound."""


@dataclass(frozen=True)
class Stream:
    """What comes at each step: which place, and what its pairs ask for."""

    truth: np.ndarray
    """(2, DRAWS, d, d) the map of keys to values at home, and the one abroad; orthogonal to each other."""
    abroad: np.ndarray
    """(T,) 0 at home, 1 abroad."""
    keys: np.ndarray
    """(T, DRAWS, d, d) the mean of k k^T over the step's pairs."""
    noise: np.ndarray
    """(T, DRAWS, d, d) the mean of e k^T, where e is what a value is off by."""


@dataclass(frozen=True)
class Run:
    """Means over draws."""

    error: np.ndarray
    """(2, T) squared distance to each place's map before a step, in units of that map."""
    holds: np.ndarray
    """(levels, 2, T) how much of each map each level holds after a step: 1 is all of it."""


def run(stream: Stream, periods: tuple[int, ...], rates: tuple[float, ...], restart: bool) -> Run:
    """Levels whose sum answers; each steps, after its period, along the sum of the gradients since (eq. 71).

    With `restart`, an update of a level takes all faster ones back to zero, which is their way from the start that it
    holds for them (eq. 72).
    """
    steps, shape = len(stream.abroad), stream.truth.shape[1:]
    levels = np.zeros((len(periods), *shape))
    gathered, total = np.zeros_like(levels), np.zeros(shape)
    held, answers = np.zeros((steps, *levels.shape)), np.zeros((steps, *shape))
    for t, place in enumerate(stream.abroad):
        answers[t] = total
        gathered += (total - stream.truth[place]) @ stream.keys[t] - stream.noise[t]
        for i, (period, rate) in enumerate(zip(periods, rates)):
            if (t + 1) % period == 0:
                levels[i] -= rate * gathered[i]
                gathered[i] = 0
                if restart:
                    levels[:i] = 0
        held[t], total = levels, levels.sum(0)
    size = (stream.truth[0] ** 2).sum((-1, -2)).mean()
    error = ((answers[None] - stream.truth[:, None]) ** 2).sum((-1, -2)).mean(-1) / size
    return Run(error, np.einsum("tlnij,pnij->lpt", held, stream.truth) / DRAWS / size)


@lru_cache
def stream(noise: float, seed: int = 3) -> Stream:
    """Long stays at home and short ones abroad, of lengths that no clock knows; the same places for all draws.

    Of the first seeds 3 is one whose gain is near the mean of twenty.
    """
    draw, place = np.random.default_rng(seed), 1
    places = [0] * int(draw.integers(104, 136))
    while len(places) < STEPS:
        places += [place] * int(draw.integers(16, 49) * (1 if place else 3))
        place = 1 - place
    home, abroad = np.linalg.qr(draw.standard_normal((2, DRAWS, WIDTH, WIDTH)))[0]
    abroad = abroad - home * (home * abroad).sum((-1, -2), keepdims=True) / WIDTH
    abroad *= np.sqrt(WIDTH) / np.linalg.norm(abroad, axis=(-1, -2), keepdims=True)
    keys = draw.standard_normal((STEPS, DRAWS, WIDTH, BATCH))
    off = noise * draw.standard_normal(keys.shape)
    turned = keys.swapaxes(-1, -2) / BATCH
    return Stream(np.stack([home, abroad]), np.array(places[:STEPS]), keys @ turned, off @ turned)


@dataclass(frozen=True)
class Found:
    """Three levels, and the control."""

    nest: Run
    alone: Run
    """All levels at one frequency, which are one level, at the best of `RATES`."""
    best: float
    """That rate."""
    abroad: np.ndarray
    """(T,) 0 at home, 1 abroad."""

    def mean(self, run: Run) -> float:
        """Error on the map of the place where one is, over the stream after the first stay at home."""
        first = int(self.abroad.argmax())
        return float(run.error[self.abroad, np.arange(STEPS)][first:].mean())


@lru_cache
def one_frequency(noise: float) -> tuple[Run, float]:
    """All levels at one frequency, at the rate with the smallest mean error; and that rate."""
    world = stream(noise)
    runs = {rate: run(world, (1,), (rate,), False) for rate in RATES}
    here, late = np.arange(STEPS), slice(int(world.abroad.argmax()), None)
    best = min(runs, key=lambda rate: runs[rate].error[world.abroad, here][late].mean())
    return runs[best], best


def compute(middle: int, times: int, share: float, joins: str, noise: float) -> Found:
    """Periods 1, `middle` and `middle * times`; each slower level has `share` of the rate of the next faster.

    Raises ValueError for joins that there are not, and for a period or a rate below what makes sense.
    """
    if joins not in JOINS or min(middle, times) < 1 or not 0 < share <= 1:
        given = f"{joins!r}, periods 1, {middle}, {middle * times}, share {share}"
        raise ValueError(f"{given}: take one of {', '.join(JOINS)}, periods of 1 or more, and a share above 0, up to 1")
    world = stream(noise)
    nest = run(world, (1, middle, middle * times), (RATE, RATE * share, RATE * share**2), JOINS[joins])
    return Found(nest, *one_frequency(noise), world.abroad)


def chart(found: Found) -> Chart:
    """The error where one is; and for each place how much of its map each level holds."""
    at = np.arange(0, STEPS, SHOWN)
    steps, here = at.astype(float), (found.abroad[at], at)
    mean, error, ink, beyond = found.mean(found.nest), found.nest.error[here], Look("#000000", "solid", "o"), f"beyond {TOP:g}"
    errors = (
        Line("three levels", steps, error, ink, strong=True),
        Line(beyond, steps, np.where(error > TOP, error, np.nan), ink, style="points"),  # how many and how far, at the frame
        # On top and thin, since the two may be one and the same curve.
        Line(f"all at one frequency, best rate {found.best:g}", steps, found.alone.error[here], REFERENCE),
    )
    words = f"{mean:.2f}" if mean <= TOP else beyond
    away = Line("abroad", steps, np.where(found.abroad[at] == 1, 1.35, np.nan), REFERENCE, style="points", size=4.0)
    holds = [
        tuple(Line(name, steps, of_place[at], LOOKS[name], strong=True) for name, of_place in zip(NAMES, found.nest.holds[:, place]))
        for place in range(2)
    ]
    share = dict(x_range=(0, STEPS), y_range=(-1.1, 1.7), references={0.0: ""})
    return (
        Plot(f"Mean error {words}; at one frequency {found.mean(found.alone):.2f}", "step", "error where one is", errors,
             x_range=(0, STEPS), y_range=(0, TOP)),
        Plot("What each level holds of home", "step", "share of its map (1: all)", (away, *holds[0]), **share),
        Plot("What each level holds of abroad", "step", "share of its map (1: all)", (away, *holds[1]), **share),
    )  # fmt: skip


def who_remembers() -> Explorer[Found]:
    """The explorer: frequencies and rates of three levels, how they are joined, and how noisy the values are."""
    return Explorer(
        compute,
        {
            "middle": stops("Middle: steps per update", 8, (1, 2, 4, 8, 16, 32)),
            "times": stops("Slow: middle updates per update", 4, (1, 2, 4, 8)),
            "share": stops("Rate of each slower level, share of the faster's", 0.5, [("1/4", 0.25), ("1/2", 0.5), ("1", 1.0)]),
            "joins": choice("Levels", list(JOINS)[1], list(JOINS)),
            "noise": choice("Noise in the values", 1.0, [("none", 0.0), ("strong", 1.0)]),
        },
        chart,
        alt="Left, the error of three levels over 512 steps: it leaps at each change of place, and less on the way home than "
        "that of levels at one frequency. Middle, what they hold of home: the slow level rises to 0.85, and then stays "
        "between 0.59 and 0.90; abroad, the fast and the middle one fall below zero. Right, what they hold of abroad: there the two rise.",
        try_this="Let every level be updated at each step (1 and 1): which level is left, and what share of the fast one's "
        "rate has it? Let them stand side by side, at equal rates: what do the long periods do to the error? Take the noise away: who is better off?",
        name="who_remembers",
    )
