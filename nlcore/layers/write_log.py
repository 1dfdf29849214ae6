"""What happened during one call of a layer of memories: for its report."""

import torch
from torch import Tensor

from nlcore.layers.memory_group import Tokens
from nlcore.layers.open_chunk import Written


class WriteLog:
    """Collects one call's tokens and its writes, by the group of memories that wrote."""

    def __init__(self, names: dict[str, tuple[str, ...]]) -> None:
        self.names = names
        """Of each group's memories."""
        self.tokens: list[Tokens] = []
        self.writes: dict[str, list[Written | None]] = {group: [] for group in names}

    def add(self, more: "WriteLog") -> None:
        """What came next."""
        self.tokens += more.tokens
        for group, writes in more.writes.items():
            self.writes[group] += writes

    def report(self, size: int, position: int) -> dict[str, Tensor]:
        """Per token (B, T): surprise of the main memory (0 where not yet written), eta, alpha.

        Per write and memory: surprise/NAME, update/NAME, norm/NAME. `size` is the main memory's chunk, `position`
        the tokens seen by the end of the call.
        """
        eta = torch.cat([t.eta.detach() for t in self.tokens], 2).mean(1)
        alpha = torch.cat([t.log_alpha.detach() for t in self.tokens], 2).exp().mean(1)
        main = self.writes["memory"]
        waiting = eta.new_zeros(len(eta), max(position % size, 0 if main else eta.shape[1]))
        surprise = torch.cat([w.surprise[:, 0] for w in main] + [waiting], 1)[:, -eta.shape[1] :]
        report = {"surprise": surprise, "eta": eta, "alpha": alpha}
        for group, names in self.names.items():
            writes = self.writes[group]
            for index, name in enumerate(names):
                per_write = {
                    "surprise": [w.surprise[:, index].mean() for w in writes],
                    "update": [w.update[index] for w in writes],
                    "norm": [w.norm[index] for w in writes],
                }
                for figure, values in per_write.items():
                    report[f"{figure}/{name}"] = torch.stack(values) if values else eta.new_zeros(0)
        return {name: value.float() for name, value in report.items()}
