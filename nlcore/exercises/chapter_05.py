"""Checks of the exercises of notebook 05. Each returns a sentence and never raises."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from nlcore.exercises.checking import RIGHT, UNKNOWN, compare, compare_names, never_raises

Step = Callable[[Tensor, Tensor, Tensor, float], Tensor]


@never_raises
def check_scaled(rests: Callable[[float, float], float]) -> str:
    """Checks `rests(v, s)`: where Delta GD's answer comes to rest if the squared error is multiplied by s."""
    settings = [(6.0, 1.0), (6.0, 2.0), (-3.0, 100.0), (2.0, 0.5)]
    found = [rests(v, c) for v, c in settings]
    if any(answer is None for answer in found):
        return "It returns nothing yet."

    def table(rule: Callable[[float, float], float]) -> Tensor:
        return torch.tensor([rule(v, c) for v, c in settings], dtype=torch.float64)

    mistakes = {
        "This is the half of the plain loss: with s the correction is s times as large, and so is what is stored.":
            table(lambda v, c: v / 2),
        "This is v itself: the layer still stores its correction, which would be 0 there.": table(lambda v, c: v),
        "s stands on the wrong side: a larger loss has to pull more, so that the rest comes nearer to v.":
            table(lambda v, c: v / (1 + c)),
        "This grows without end with s, past v: but at v there is nothing left to correct.": table(lambda v, c: c * v / 2),
        "You erase twice here: at rest a = s (v - a) holds, with one a for the erasing on the left.":
            table(lambda v, c: c * v / (2 + c)),
    }  # fmt: skip
    return compare(torch.tensor(found, dtype=torch.float64), table(lambda v, c: c * v / (1 + c)), mistakes)


def _suspect(sign: float, swap: bool, printed: bool) -> Step:
    """A write with at most one of the errors of appendix C."""

    def step(W: Tensor, x: Tensor, u: Tensor, eta: float) -> Tensor:
        rate = 1 / (eta + x.square().sum()) if swap else eta / (1 + (eta if printed else eta * x.square().sum()))
        return W - rate * torch.outer(W @ x, x) + sign * rate * torch.outer(u, x)

    return step


SUSPECTS: dict[str, Step] = {
    "A": _suspect(1.0, True, False),
    "B": _suspect(1.0, False, True),
    "C": _suspect(-1.0, False, False),
}
"""Three writes `step(W, x, u, eta)`, each with one of the errors "sign", "weight" and "rate"."""


@never_raises
def check_suspects(answer: Mapping[str, str]) -> str:
    """Checks which of `SUSPECTS` has which error: a dict from "A", "B", "C" to "sign", "weight", "rate"."""
    right = {"A": "weight", "B": "rate", "C": "sign"}
    hints = {
        "A": "A moves less when eta grows: a larger step should move further.",
        "B": "B is right for every input of length 1, and for no other.",
        "C": "C ends nearer to -u than to u.",
    }
    return compare_names(answer, right, hints)


def comes_to(values: Callable[[Tensor, Tensor], Tensor], v: Tensor, eta: float, writes: int = 200) -> Tensor:
    """The answer of a layer after so many exact writes (eq. 57) of `values(answer, gradient)`, for a squared error to v."""
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    rate = eta / (1 + eta * x.square().sum())
    W = torch.tensor([[2.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    for _ in range(writes):
        answer = W @ x
        u = torch.as_tensor(values(answer.clone(), answer - v), dtype=torch.float64)
        W = (W + rate * torch.outer(u - answer, x)).clamp(-1e6, 1e6)
    return W @ x


@never_raises
def check_own_value(values: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Checks `values(answer, gradient)`, an f of eq. 60 with which Delta GD comes to rest at the target."""
    targets = [torch.tensor([6.0, -2.0], dtype=torch.float64), torch.tensor([-1.0, 3.0], dtype=torch.float64)]
    first = values(torch.tensor([4.0, -1.0], dtype=torch.float64), torch.tensor([-2.0, 1.0], dtype=torch.float64))
    if first is None:
        return "It returns nothing yet."
    if not isinstance(first, Tensor) or first.shape != (2,):
        return "A value has an entry for each entry of the answer: return a tensor of the answer's size."
    rests = torch.stack([comes_to(values, v, eta) for v in targets for eta in (0.05, 0.2)])
    wanted = torch.stack([v for v in targets for _ in range(2)])
    if torch.allclose(rests, wanted, atol=1e-6):
        if torch.allclose(torch.stack([comes_to(values, v, 2.0) for v in targets]), wanted[::2], atol=1e-6):
            return RIGHT
        return "It rests at the target where steps are small, and runs away at a rate of 2: it asks for far more than is missing."
    if not torch.isfinite(rests).all() or rests.abs().max() > 100:
        return "It runs away: what it stores moves the answer away from the target. Look at the sign of the gradient."
    start = torch.tensor([4.0, -1.0], dtype=torch.float64).expand(4, 2)
    for place, says in (
        (wanted / 2, "It rests at half: the value is the correction alone, which shrinks as the answer grows."),
        (0 * wanted, "It rests at 0: nothing that is stored tells of the target."),
        (start, "It stays where it began: it stores what the layer answers already."),
        (-wanted, "It rests at minus the target: a sign is lost."),
    ):
        if torch.allclose(rests, place, atol=1e-6):
            return says
    share = (rests * wanted).sum() / wanted.square().sum()
    if torch.allclose(rests, share * wanted, atol=1e-6):
        return f"It rests at {share:.2f} of the target: at the target itself the value has to be the target, whatever else it is."
    if torch.allclose(rests[:2], wanted[:2], atol=1e-6) or torch.allclose(rests[2:], wanted[2:], atol=1e-6):
        return "It is right for one target only: the target has to come in through the gradient."
    return UNKNOWN


TEACHER = torch.tensor([1.0, -1.0], dtype=torch.float64)
"""What both rules are to find in exercise 4."""


def ends(keys: Tensor, eta: float = 0.5) -> tuple[float, float]:
    """Squared distances to `TEACHER` that gradient descent and the exact step leave, each from 0, one write a key (T, 2)."""
    descent, exact = torch.zeros(2, 2, dtype=torch.float64)
    for x in keys.double():
        value, rate = TEACHER @ x, eta / (1 + eta * x.square().sum())
        descent = descent + eta * (value - descent @ x) * x
        exact = exact + rate * (value - exact @ x) * x
    return (descent - TEACHER).square().sum().item(), (exact - TEACHER).square().sum().item()


@never_raises
def check_stable(keys: Callable[[], Tensor]) -> str:
    """Checks `keys()`, inputs (T, 2), at most 50, that gradient descent learns and the exact step does not, at a rate of 1/2."""
    x = keys()
    if x is None:
        return "It returns nothing yet."
    if not isinstance(x, Tensor) or x.ndim != 2 or x.shape[1] != 2 or not 1 <= len(x) <= 50:
        return "Return a tensor of 1 to 50 inputs of two numbers each, (T, 2)."
    descent, exact = ends(x)
    if descent < 1e-3 and exact > 0.1:
        return RIGHT
    told = f"Gradient descent leaves {descent:.3g}, the exact step {exact:.3g}. "
    if not descent <= 2 + 1e-6:
        return told + "Gradient descent explodes: an input has eta ||x||^2 above 2, and there only the exact step is safe."
    if torch.linalg.matrix_rank(x.double()) < 2:
        return told + "All inputs lie in one direction, so that neither rule can hear of the other."
    if descent < 1e-3:
        return told + "Both arrive: so many writes leave the exact step time enough."
    if exact < descent:
        return told + "The exact step is ahead: some inputs are so long that gradient descent overshoots, or they do not let it finish."
    return told + "Gradient descent is not there yet: at which length does a single write take away all of the error?"
