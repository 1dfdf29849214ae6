"""Seven memories read one text: what each holds of which statement, and what becomes of a fact that is corrected."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from nlcore.viz.chart import Chart, Explorer, Heat, Line, Plot
from nlcore.viz.controls import player, slider, stops
from nlcore.viz.family import BANDWIDTH, NAMES, SETTINGS, attend, pairs, states, window
from nlcore.viz.theme import GREYS, Look

TEXT = (
    ("Ann", "Rome"), ("Ben", "Oslo"), ("Cleo", "Lima"), ("Dan", "Cairo"), ("Eve", "Paris"), ("Finn", "Kyoto"),
    ("Gus", "Delhi"), ("Hana", "Quito"), ("Ann", "Accra"), ("Ida", "Bern"), ("Jon", "Hanoi"), ("Kay", "Sofia"),
    ("Leo", "Tunis"), ("Mia", "Cairo"), ("Noa", "Perth"), ("Ole", "Dakar"),
)  # fmt: skip
"""Who is where. Ann moves, so that a key gets a second value; Mia joins Dan, so that a value gets a second key."""
OLD, NEW = 0, 8
"""The two statements about Ann."""
STREAMS = 32
WIDTHS = (8, 16, 24, 32)
PARTS = {
    "her old place": (Look(GREYS[1], "dashed", "s"), 14.0),
    "all else": (Look(GREYS[0], "dotted", "X"), 8.0),
    "her new place": (Look("#000000", "solid", "o"), 7.0),
}
"""How each is drawn, and how large: the larger marks come first, so that none hides another."""


@dataclass(frozen=True)
class Held:
    """What each memory of `NAMES` answers after some statements, mean over `STREAMS` draws of keys and values."""

    read: int
    recall: np.ndarray
    """(T, memories) cosine of the answer to a statement's name and its place; NaN for statements not yet read."""
    parts: np.ndarray
    """(3, memories) what the answer to Ann has of each of `PARTS`: how much of both places, and the norm of the rest."""


def vectors(width: int) -> tuple[Tensor, Tensor]:
    """Keys and values of the statements, (T, STREAMS, width) each: a random one of length one per name and per place."""
    name, place = (list(dict.fromkeys(column)) for column in zip(*TEXT))
    k, v = pairs(len(TEXT), STREAMS, width)
    return k[[name.index(who) for who, _ in TEXT]], v[[place.index(where) for _, where in TEXT]]


@lru_cache(32)
def answers(width: int, alpha: float) -> np.ndarray:
    """(memories, T + 1, T, STREAMS, width): the answer to each statement's name before the first statement and after each.

    Every matrix writes at rate 1, with which the delta rule's newest answer is exact.
    """
    k, v = vectors(width)
    one, found = torch.ones(()), []
    for setting in SETTINGS.values():
        matrices = torch.stack(tuple(states(setting, k, v, one, alpha)))
        found.append(torch.einsum("nsoi,tsi->ntso", matrices, k))
    q, values = k.transpose(0, 1), v.transpose(0, 1)
    for reach in (len(TEXT), window(width)):
        seen = [slice(max(0, t - reach), t) for t in range(len(TEXT) + 1)]
        kept = [attend(q, q[:, part], values[:, part], BANDWIDTH) for part in seen[1:]]
        found.append(torch.stack([torch.zeros_like(q), *kept]).transpose(1, 2))
    return torch.stack(found).numpy()


def compute(read: int, width: int, alpha: float) -> Held:
    """All memories after the first `read` statements; `alpha` is the retention of those that fade.

    Raises ValueError for a number of statements outside 0 to T, a width below 1 or a retention outside 0 to 1.
    """
    if not (0 <= read <= len(TEXT) and width >= 1 and 0 <= alpha <= 1):
        raise ValueError(f"{read} statements, width {width}, alpha {alpha}: there are {len(TEXT)}, and alpha is 0 to 1")
    answer = torch.from_numpy(answers(width, alpha)[:, read])
    _, v = vectors(width)
    recall = cosine_similarity(answer, v, dim=-1).mean(-1).T.numpy()
    recall[read:] = np.nan
    ann, basis = answer[:, NEW].transpose(0, 1), torch.stack([v[OLD], v[NEW]], -1)  # (S, memories, d), (S, d, 2)
    shares = torch.linalg.pinv(basis) @ ann.mT
    rest = (ann.mT - basis @ shares).norm(dim=1)
    return Held(read, recall, torch.stack([shares[:, 0], rest, shares[:, 1]]).mean(1).numpy())


def chart(held: Held) -> Chart:
    """Recall of every statement by every memory; and what the answer to Ann is made of."""
    rows = {float(i): f"{who}: {where}" for i, (who, where) in enumerate(TEXT)}
    places = -np.arange(len(NAMES), dtype=float)
    lines = (
        Line(name, part, places, look, style="points", size=size)
        for (name, (look, size)), part in zip(PARTS.items(), held.parts)
    )
    return (
        Plot(
            "What each memory holds of which statement", "", "", heat=Heat(held.recall, "recall (cosine)", range=(-1, 1), ramp="diverging"),
            x_ticks=dict(enumerate(map(str, NAMES))), y_ticks=rows, width=2.4,
        ),
        Plot(
            f"Ann, after {held.read} statements", "in the answer (1: one place)", "", tuple(lines),
            x_range=(-0.2, 1.6), y_range=(0.6 - len(NAMES), 0.6), y_ticks=dict(zip(places.tolist(), NAMES)),
        ),
    )  # fmt: skip


def seven_memories() -> Explorer[Held]:
    """The explorer: read the text statement by statement, with other widths and another retention."""
    return Explorer(
        compute,
        {
            "read": player("Statements read", len(TEXT), len(TEXT)),
            "width": stops("Width (numbers per key)", 24, WIDTHS),
            "alpha": slider("Retention α of decay and gated", 0.9, 0.6, 1.0, 0.02),
        },
        chart,
        alt="Left, sixteen statements by eight memories, red where a statement is recalled. Attention is dark red in every row "
        "but the two about Ann; its window only in the last twelve; decay and gated fade upwards; Oja has lost Dan. Right, "
        "the answer to Ann: the sum has as much of her old place as of the new one, and two thirds as much of all else; of the two "
        "places delta has only the new; attention has half of each, and nothing else.",
        try_this="Press Play, and watch the column delta in the first row when statement 9 is read. Then watch the column Oja "
        "in the row of Dan when Mia joins him in statement 14. What does a width of 8 do to all but attention?",
        name="seven_memories",
    )
