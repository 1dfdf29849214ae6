"""How long is one step of each optimizer here, side by side with torch's own? Medians of one run.

    python -m bench.optimizers      # about two minutes; writes build/bench_optimizers.json too

A network of 38 layers of 512 x 512, 10 million parameters; only the step is timed, not the pass that
makes its gradients. Ours and torch's take turns, so that a machine that slows down slows both. torch's
is used as it comes, which on a CPU is its loop over parameters.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.optim import Optimizer

from nlcore import optim
from nlcore.memory import Huber

from bench.speed import keep

LAYERS, WIDTH, ROWS = 38, 512, 32
Make = Callable[[nn.Module], Optimizer]


def on(kind: Callable[..., Optimizer], **settings: object) -> Make:
    """Makes an optimizer of a network's parameters."""
    return lambda network: kind(network.parameters(), **settings)


def with_inputs(kind: Callable[..., Optimizer], surprises: bool = False, **settings: object) -> Make:
    """Makes an optimizer that also reads the layers' inputs."""
    return lambda network: kind(network.parameters(), optim.LayerInputs(network, surprises), **settings)


PAIRS: dict[str, tuple[Make, Make | None]] = {
    "Momentum": (on(optim.Momentum), on(torch.optim.SGD, momentum=0.9)),
    "Adam": (on(optim.Adam), on(torch.optim.Adam)),
    "Adam, decayed": (on(optim.Adam, weight_decay=0.01), on(torch.optim.AdamW)),
    "AMSGrad": (on(optim.AMSGrad), on(torch.optim.Adam, amsgrad=True)),
    "NAdam": (on(optim.NAdam), on(torch.optim.NAdam)),
    "RAdam": (on(optim.RAdam), on(torch.optim.RAdam)),
    "RMSProp": (on(optim.RMSProp), on(torch.optim.RMSprop)),
    "AdaGrad": (on(optim.AdaGrad), on(torch.optim.Adagrad)),
    "Lion": (on(optim.Lion), None),
    "DeltaMomentum": (on(optim.DeltaMomentum), None),
    "DeepMomentum": (on(optim.DeepMomentum), None),
    "DeltaGradientDescent": (with_inputs(optim.DeltaGradientDescent, lr=0.1), None),
    "GeneralizedGradientDescent": (
        with_inputs(optim.GeneralizedGradientDescent, True, lr=0.1, objective=Huber(), retention=optim.StayNear()), None
    ),
    "Muon": (on(optim.Muon), on(torch.optim.Muon)),
}  # fmt: skip
SCALES = {
    "M3": on(optim.MultiscaleMomentumMuon, dtype=torch.bfloat16),
    "Muon": on(optim.Muon),
    "AdamW": on(optim.Adam, weight_decay=0.01),
}
PERIOD = 10
"""Steps in which M3 writes its slow memory once."""


class Candidate:
    """An optimizer with a network of its own."""

    def __init__(self, make: Make) -> None:
        torch.manual_seed(0)
        layers = [nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS)]
        for layer in layers:
            nn.init.normal_(layer.weight, std=WIDTH**-0.5)  # keeps sizes, or the first gradients would underflow
        self.network, self.x = nn.Sequential(*layers), torch.randn(ROWS, WIDTH)
        self.optimizer = make(self.network)

    def seconds(self) -> float:
        """Of one step, on fresh gradients."""
        self.optimizer.zero_grad()
        self.network(self.x).square().mean().backward()
        began = time.perf_counter()
        self.optimizer.step()
        return time.perf_counter() - began


def measure(makes: list[Make], rounds: int) -> list[list[float]]:
    """Each one's seconds a step, after two steps that do not count: the first makes the memories."""
    candidates = [Candidate(make) for make in makes]
    times = [[candidate.seconds() for candidate in candidates] for _ in range(rounds + 2)]
    return [list(column) for column in zip(*times[2:])]


def line(name: str, ours: float, theirs: float | None) -> str:
    other = f"{theirs * 1e3:>10.1f}{ours / theirs:>8.2f}" if theirs is not None else f"{'-':>10}{'-':>8}"
    return f"  {name:28}{ours * 1e3:>10.1f}{other}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (1)")
    parser.add_argument("--rounds", type=int, default=9, help="counted rounds (9)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"One step, {LAYERS * WIDTH**2 / 1e6:.1f}M parameters\n  {'':28}{'ours, ms':>10}{'torch, ms':>10}{'ratio':>8}")
    found = {}
    for name, pair in PAIRS.items():
        makes = [make for make in pair if make is not None]
        seconds = [statistics.median(times) for times in measure(makes, 3 if name == "Muon" else options.rounds)]
        found[name] = {"ours": seconds[0], "torch": seconds[1] if len(seconds) > 1 else None}
        print(line(name, found[name]["ours"], found[name]["torch"]), flush=True)
    scales = {name: statistics.mean(times) for name, times in zip(SCALES, measure(list(SCALES.values()), PERIOD))}
    print("Over one period of M3, ms a step: " + ", ".join(f"{name} {s * 1e3:.0f}" for name, s in scales.items()))
    print(f"  M3 takes {scales['M3'] / scales['Muon']:.2f} times as long as Muon and "
          f"{scales['M3'] / scales['AdamW']:.0f} times as long as AdamW")
    keep("bench_optimizers", {"threads": options.threads, "median_seconds": found, "mean_seconds_over_a_period": scales})


if __name__ == "__main__":
    main()
