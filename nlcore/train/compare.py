"""Hope and a Transformer++ of the same size, given the same time on the same text: one table."""

from pathlib import Path
from typing import Any

from nlcore.train.config import TrainConfig, TrainError, change
from nlcore.train.folder import RunFolder, free
from nlcore.train.parallel import ALONE, Team
from nlcore.train.run import check, check_vacant, new, train

RIVAL = "transformer"


def compare(config: TrainConfig, path: str | Path | None = None, team: Team = ALONE) -> str | None:
    """Trains `config`, then RIVAL for as many seconds of training; the table, or None if a run was stopped.

    path: a folder for both runs' folders; by default the next free runs/SIZE-compare-N.
    team: the processes that train both; each of them calls this.
    Raises TrainError as `train` does, or if the config's model is the rival.
    """
    if config.model == RIVAL:
        raise TrainError(f"--compare sets a model beside {RIVAL}: leave --model out, or name another.")
    root = team.once(lambda: _root(config, path, team.size))
    first = train(team.once(lambda: new(config, root / config.model, team.size)), team=team)
    if first["state"] != "done":
        return None
    rival = change(config, model=RIVAL, seconds=config.seconds or first["result"]["seconds"], in_context=(), level_lr=())
    second = train(team.once(lambda: new(rival, root / RIVAL, team.size)), team=team)
    if second["state"] != "done":
        return None
    return table({config.model: first["result"], RIVAL: second["result"]})


def _root(config: TrainConfig, path: str | Path | None, processes: int) -> Path:
    """The folder for both, once it is known that both can begin: not found out after the first has trained."""
    check(config, processes)
    if path is None:
        return free(f"{config.preset.name}-compare").path
    for model in (config.model, RIVAL):
        check_vacant(RunFolder(Path(path) / model))
    return Path(path)


def table(results: dict[str, dict[str, Any]]) -> str:
    """A line a model; figures as in the runs' results."""
    lines = [f"{'':16}{'bits/byte':>10}{'eta 0':>8}{'tokens/s':>10}{'parameters':>12}{'steps':>8}{'seconds':>9}"]
    for model, result in results.items():
        frozen = result["bits_per_byte_eta_0"]
        lines.append(
            f"{model:16}{result['bits_per_byte']:>10.3f}{'-' if frozen is None else f'{frozen:.3f}':>8}"
            f"{result['tokens_per_second']:>10,.0f}{result['parameters']:>12,}"
            f"{result['steps']:>8,}{result['seconds']:>9.0f}"
        )
    entropy = next(iter(results.values()))["order1_entropy"]
    return "\n".join([*lines, f"{'order-1 entropy':16}{entropy:>10.3f}   of the same validation bytes"])
