"""Which texts does a layer of self-modifying Titans bear worst? Prints the largest gradients found, and stores them.

    python bench/hostile.py scan         # periods, runs, starts, widths, chunks
    python bench/hostile.py settings     # every choice that the class offers, on the texts that were worst
    python bench/hostile.py search       # from there, a search for worse texts
    python bench/hostile.py trained      # checkpoints/tiny-hope on the same kinds of text

The gradient is that of the last output's squared length, with respect to one of the first 64 tokens: the largest over these,
over texts and over random layers. Rates are the largest that can be learnt, and nothing is forgotten.
"""

import torch
from torch import Tensor

from nlcore.layers.self_modifying import SelfModifyingTitans

FIRST = 64
WIDTHS = {8: (32, 4, 8), 32: (64, 2, 32), 64: (64, 1, 64)}
"""Width of a head -> dim, heads, hidden."""
KINDS = ("random", *(f"period {p}" for p in range(1, 9)), "runs of 8", "runs of 64")


def texts(kind: str, count: int, tokens: int, dim: int) -> Tensor:
    """`count` texts of a kind, (count, tokens, dim): random tokens, in turn or in runs."""
    draw = torch.Generator().manual_seed(0)
    if kind == "random":
        return torch.randn(count, tokens, dim, generator=draw)
    number = int(kind.split()[-1])
    if kind.startswith("period"):
        return torch.randn(count, number, dim, generator=draw).repeat(1, tokens // number + 1, 1)[:, :tokens]
    return torch.randn(count, 3, dim, generator=draw).repeat_interleave(number, 1).repeat(1, tokens // (3 * number) + 1, 1)[:, :tokens]


def layer(width: int, chunks: tuple[int, int], scale: float, seed: int, **settings) -> SelfModifyingTitans:
    """A random layer at the largest rates, its memories' starts multiplied by `scale`."""
    torch.manual_seed(seed)
    made = SelfModifyingTitans(*WIDTHS[width], chunks, **settings)
    with torch.no_grad():
        made.bias_eta.fill_(10.0)
        if made.bias_alpha is not None:
            made.bias_alpha.fill_(20.0)
        for group in (made.projections, made.rate_memories, made.memory):
            if group is not None:
                for start in group.parameters():
                    start *= scale
    return made


def gradients(titans: SelfModifyingTitans, x: Tensor) -> Tensor:
    """The gradient's norm at each token, (texts, tokens)."""
    x = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(titans(x)[0][:, -1].square().sum(), x)
    return found.norm(dim=-1)
