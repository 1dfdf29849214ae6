"""Whether a checkpoint's content is that of a run: looked at as a whole before any of it is used."""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from nlcore.models import InContext
from nlcore.optim import Combined, LevelOptimizer, MultiscaleMomentumMuon, Muon, NestedLevelOptimizer
from nlcore.train import carried
from nlcore.train.checkpoint import Checkpoint
from nlcore.train.parallel import ALONE
from nlcore.train.parts import Parts

MEMORIES = {
    torch.optim.AdamW: {"exp_avg", "exp_avg_sq"},
    Muon: {"momentum"},
    MultiscaleMomentumMuon: {"fast", "slow", "gathered", "second_moment", "slow_answer"},
}
"""What each kind of optimizer remembers of a parameter, beside its count of steps."""


class Misfit(ValueError):
    """Part of a checkpoint is not what the run needs. Its message names the part."""


def weights(given: dict[str, Tensor], model: nn.Module) -> None:
    """Raises Misfit unless names, shapes and dtypes are the model's."""
    own = model.state_dict()
    if given.keys() != own.keys():
        raise Misfit("its weights have other names than the model's")
    for name, weight in own.items():
        if (given[name].shape, given[name].dtype) != (weight.shape, weight.dtype):
            raise Misfit(f"its weights {name} are {_kind(given[name])}, and the model's are {_kind(weight)}")


def run(saved: Checkpoint, parts: Parts) -> None:
    """Raises Misfit unless all of a checkpoint can be restored into these parts, which stay as they are."""
    weights(saved.weights, parts.model)
    state = saved.state
    checks = {
        "figures": lambda: _figures(state),
        "optimizer": lambda: _optimizer(state["optimizer"], parts.optimizer, state["step"]),
        "place in the text": lambda: _batches(state, parts),
        "carried state": lambda: _carried(state, parts),
        "random state": lambda: _random(state),
    }
    for part, check in checks.items():
        try:
            fits = check()
        except Exception:  # of any kind: what is in a file may be of any shape
            fits = False
        if not fits:
            raise Misfit(f"its {part} cannot be used")


def _figures(state: dict[str, Any]) -> bool:
    window, steering = state["window"], state["steering"]
    return (
        all(map(_is_number, (state["elapsed"], *window.values(), *steering.values())))
        and min(state["step"], state["elapsed"], state["command"], window["steps"], window["seconds"]) >= 0
        and type(state["command"]) is type(window["steps"]) is int
        and steering["lr_scale"] >= 0
        and 0 <= steering["memory_rate"] <= 1
        and isinstance(state["corpus"], str)
    )


def _optimizer(state: dict[str, Any], own: LevelOptimizer, step: int) -> bool:
    levels, clock, scales = own.optimizers.keys(), state["clock"], state["scales"]
    return (
        all(state[part].keys() == levels for part in ("optimizers", "gathered", "scales", "calls", "rates", "since"))
        and clock["periods"].keys() == clock["fired"].keys() == levels
        and all(type(period) is int and period >= 1 for period in clock["periods"].values())
        and all(type(fired) is int and 0 <= fired <= step for fired in clock["fired"].values())
        and all(_is_number(scale) and scale >= 0 for scale in scales.values())
        and all(type(calls) is int and calls >= 0 for calls in state["calls"].values())
        and all(_is_number(rates) and rates >= 0 for rates in state["rates"].values())
        and all(len(since) == 3 and all(map(_is_number, since)) for since in state["since"].values())
        and all(_level(state["optimizers"][name], state["gathered"][name], own, name) for name in levels)
        and (not isinstance(own, NestedLevelOptimizer) or _starts(state["starts"], own.starts))
    )


def _starts(given: dict[str, list[Tensor]], own: dict[str, list[nn.Parameter]]) -> bool:
    """What the levels of a nested system restart from."""
    return given.keys() == own.keys() and all(
        _is_like(one, other) for name, starts in own.items() for one, other in zip(given[name], starts, strict=True)
    )


def _level(state: dict[str, Any], gathered: list[Tensor | None], own: LevelOptimizer, name: str) -> bool:
    """Of one level: groups of as many parameters and settings of the same kinds; tensors of the parameters' shapes."""
    parameters = own.parameters(name)
    groups, given = own.optimizers[name].param_groups, state["param_groups"]
    numbers = [number for group in given for number in group["params"]]
    names = _names(own.optimizers[name])
    memories = [(parameters[numbers.index(number)], held) for number, held in state["state"].items()]
    return (
        [len(group["params"]) for group in given] == [len(group["params"]) for group in groups]
        and all(map(_settings, given, groups))
        and all(held.keys() == names[p] and _memory(held, p) for p, held in memories)
        and all(grad is None or _is_like(grad, p) for grad, p in zip(gathered, parameters, strict=True))
    )


def _settings(given: dict[str, Any], own: dict[str, Any]) -> bool:
    """Where the optimizer's settings are numbers, as many finite ones."""
    pairs = [(_numbers(given.get(name)), _numbers(value)) for name, value in own.items() if name != "params"]
    return all(len(one) == len(other) and all(map(_is_number, one)) for one, other in pairs)


def _numbers(setting: Any) -> list[float]:
    several = setting if isinstance(setting, (tuple, list)) else (setting,)
    return [value for value in several if type(value) in (int, float)]


def _names(optimizer: Optimizer) -> dict[nn.Parameter, set[str]]:
    """Of each parameter, what its optimizer remembers."""
    parts = optimizer.parts if isinstance(optimizer, Combined) else (optimizer,)
    return {p: MEMORIES[type(part)] | {"step"} for part in parts for group in part.param_groups for p in group["params"]}


def _memory(held: dict[str, Any], parameter: Tensor) -> bool:
    """Tensors of the parameter's shape, and a count of steps, which AdamW keeps in a tensor."""
    step = held["step"]
    counts = step.numel() == 1 if isinstance(step, Tensor) else type(step) is int
    kept = isinstance(step, Tensor) == ("exp_avg" in held)
    return counts and kept and all(_is_like(held[name], parameter) for name in held.keys() - {"step"})


def _batches(state: dict[str, Any], parts: Parts) -> bool:
    """With another text the place in it does not count."""
    if state["corpus"] != parts.corpus.hash:
        return True
    place, trial = state["batches"], copy.copy(parts.batches)
    trial.load_state_dict(place)
    numbers = [place["seed"], place["epoch"], place["position"], trial.taken]
    for lane, starts in trial.rows.items():
        numbers += [lane, *starts]
        if len(starts) != trial.batch or not 0 <= lane < trial.lanes:
            return False
        if not 0 <= min(starts) <= max(starts) <= trial.last:
            return False
    whole = all(type(number) is int for number in numbers)
    return whole and place["seed"] == parts.batches.seed and 0 <= place["position"] <= len(trial.starts)


def _carried(state: dict[str, Any], parts: Parts) -> bool:
    """A state for every row of the lanes that need one: of the model's kinds, and one that it can read on from."""
    if state["corpus"] != parts.corpus.hash:
        return True
    given, like = state["carried"], carried.pattern(parts.model, parts.choice)
    return given.keys() == state["batches"]["rows"].keys() and all(
        _lane(leaves, like, parts) for leaves in given.values()
    )


def _lane(given: list[carried.Leaf], like: tuple[Any, ...], parts: Parts) -> bool:
    batch, model = parts.batches.batch, parts.model
    if not all(_is_row_of(leaf, own, batch) for leaf, own in zip(given, carried.leaves(like), strict=True)):
        return False
    first = [leaf[:1] if isinstance(leaf, Tensor) else leaf for leaf in given]
    (detached,) = carried.shared(first, like, 1, ALONE)
    length = model.chunk + 1 if isinstance(model, InContext) else 1  # so that it learns from what is gathered, too
    with torch.no_grad(), parts.choice.autocast():
        model(torch.zeros(1, length, dtype=torch.int64, device=parts.choice.device), detached, detached=True)
    return True


def _is_row_of(given: object, own: carried.Leaf, batch: int) -> bool:
    if not isinstance(own, Tensor):
        return type(given) is type(own) and given >= 0
    like = isinstance(given, Tensor) and given.is_floating_point() == own.is_floating_point() and given.dim() == own.dim()
    return like and len(given) == batch and bool(given.isfinite().all())


def _random(state: dict[str, Any]) -> bool:
    torch.Generator().set_state(state["random"])  # raises for what is no state
    if state["random_cuda"] is not None and torch.cuda.is_available():
        torch.Generator("cuda").set_state(state["random_cuda"])
    return True


def _is_like(given: object, own: Tensor) -> bool:
    return isinstance(given, Tensor) and given.shape == own.shape and given.is_floating_point()


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
