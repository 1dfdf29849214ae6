"""A small vision transformer on handwritten digits with AdamW, Muon and M3: loss, accuracy, time a step (Fig. 11-12).

    python -m bench.vit_digits          # about ten minutes on one CPU core; writes figures/vit_digits.json

First each optimizer's learning rate is chosen by its training loss over three runs; then five other seeds
run at the best rate. Each run is written to the file as it ends, and one that is there already is not run
again: delete the file to start afresh. Test pictures choose nothing.

Muon and M3, both in float32 here, train the matrices inside the blocks; embedding, positions, read-out, gains and
biases are trained by AdamW at its own best rate in every run.

Muon and M3 without its slow memory differ in more than the second moment. The control, "Muon, M3's settings", has
M3's momentum, no look ahead and no weight decay, so that what is left between them is the second moment, and the
factor that Muon's rate has by a matrix's size.
"""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.optim import Optimizer

from nlcore.models.vision_transformer import VisionTransformer
from nlcore.optim import Adam, MultiscaleMomentumMuon, Muon
from nlcore.tasks.digits import digits

RESULT = Path(__file__).resolve().parent.parent / "figures" / "vit_digits.json"
STEPS, BATCH, WARM = 300, 64, 20
TUNING, SEEDS = (100, 101, 102), (0, 1, 2, 3, 4)
ADAMW_LR, DECAY = 3e-3, 0.01


@dataclass(frozen=True)
class Way:
    """An optimizer of the matrices, and the learning rates to choose from."""

    make: Callable[[list, float], Optimizer]
    rates: tuple[float, ...]


WAYS = {
    "AdamW": Way(lambda p, lr: Adam(p, lr, weight_decay=DECAY), (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)),
    "AdamW, beta1 0.8": Way(lambda p, lr: Adam(p, lr, betas=(0.8, 0.999), weight_decay=DECAY), (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)),
    "Muon": Way(lambda p, lr: Muon(p, lr, weight_decay=DECAY, rate="match_rms_adamw", dtype=None), (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)),
    "Muon, M3's settings": Way(
        lambda p, lr: Muon(p, lr, momentum=0.9, nesterov=False, weight_decay=0.0, rate="match_rms_adamw", dtype=None),
        (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    ),
    "M3": Way(lambda p, lr: MultiscaleMomentumMuon(p, lr), (1e-5, 3e-5, 1e-4, 3e-4, 1e-3)),
    "M3, fast only": Way(lambda p, lr: MultiscaleMomentumMuon(p, lr, alpha=0.0), (1e-5, 3e-5, 1e-4, 3e-4, 1e-3)),
    "M3, as printed": Way(lambda p, lr: MultiscaleMomentumMuon(p, lr, decay="none"), (3e-5, 1e-4, 3e-4, 1e-3, 3e-3)),
}


def run(way: Way, lr: float, seed: int) -> dict:
    """Training losses by step, test loss and accuracy, and medians of milliseconds a step."""
    torch.manual_seed(seed)
    data, model = digits(), VisionTransformer()
    parts = [(way.make(model.matrices(), lr), lr), (Adam(model.others(), ADAMW_LR, weight_decay=DECAY), ADAMW_LR)]
    losses, whole, stepping = [], [], []
    for step in range(STEPS):
        rows = torch.randint(len(data.train_labels), (BATCH,))
        began = time.perf_counter()
        for optimizer, rate in parts:
            optimizer.zero_grad()
            for group in optimizer.param_groups:  # a linear rise, then a linear fall to 0
                group["lr"] = rate * min((step + 1) / WARM, (STEPS - step) / (STEPS - WARM))
        loss = F.cross_entropy(model(data.train_images[rows]), data.train_labels[rows])
        loss.backward()
        middle = time.perf_counter()
        for optimizer, _ in parts:
            optimizer.step()
        stepping.append(time.perf_counter() - middle)
        whole.append(time.perf_counter() - began)
        losses.append(loss.item())
    with torch.no_grad():
        logits = model(data.test_images)
    return {
        "losses": [round(loss, 4) for loss in losses],
        "test_loss": F.cross_entropy(logits, data.test_labels).item(),
        "accuracy": (logits.argmax(1) == data.test_labels).double().mean().item(),
        "ms_a_step": statistics.mean(whole) * 1e3,
        "ms_of_the_optimizer": statistics.mean(stepping) * 1e3,
    }


def end_loss(losses: list[float]) -> float:
    """Mean training loss of the last 50 steps; a run that broke counts as infinite."""
    loss = statistics.mean(losses[-50:])
    return loss if loss == loss else float("inf")


def main() -> None:
    torch.set_num_threads(1)
    stored = json.loads(RESULT.read_text()) if RESULT.exists() else {"tuning": {}, "best": {}, "runs": {}}
    tuning, best, runs = stored["tuning"], stored["best"], stored["runs"]
    for name, way in WAYS.items():
        for lr in way.rates:
            ended = tuning.setdefault(name, {}).setdefault(f"{lr:g}", [])
            while len(ended) < len(TUNING):
                ended.append(round(end_loss(run(way, lr, TUNING[len(ended)])["losses"]), 4))
                RESULT.write_text(json.dumps(stored))
            print(f"{name:16} lr {lr:<8g} end losses {ended}", flush=True)
        best[name] = min(way.rates, key=lambda lr: statistics.mean(tuning[name][f"{lr:g}"]))
    for seed in SEEDS:
        for name, lr in best.items():  # in turn, so that a machine that slows down slows all
            done = runs.setdefault(name, [])
            if len(done) <= seed:
                done.append(run(WAYS[name], lr, seed))
                RESULT.write_text(json.dumps(stored))
    stored["runs"] = {name: runs[name] for name in WAYS}
    RESULT.write_text(json.dumps(stored))
    for name, done in stored["runs"].items():
        ended = [end_loss(result["losses"]) for result in done]
        right, spent = ([result[what] for result in done] for what in ("accuracy", "ms_a_step"))
        print(f"{name:16} lr {best[name]:g}: loss {statistics.mean(ended):.4f} +- {statistics.stdev(ended):.4f}, "
              f"accuracy {statistics.mean(right):.3f}, {statistics.mean(spent):.1f} ms a step")


if __name__ == "__main__":
    main()
