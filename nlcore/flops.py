"""How many floating-point operations a model's training takes a token: of the model, whatever a machine adds to it.

They are the operations of the matrix products of a forward and a backward pass, two for each product and sum:

- of every plain matrix, projections, channel layers with all levels of the continuum memory, and the head: 2 forward and 4
  backward for each of its weights;
- of attention: scores and sums over all tokens of a window, those that the mask takes away included, as is usual. The scores
  that flash attention computes again in its backward pass do not count;
- of in-context memories: what they answer, the gradients, the overlaps of a chunk's tokens, the triangular solves
  (half a product each), the writes, and their backward passes.

Blocks that are computed again (`checkpoint_blocks`) do not count twice, and neither norms, rates, activations, convolutions
nor the optimizer count at all.
"""

import math
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from nlcore.models import Preset, build

aten = torch.ops.aten
Shape = tuple[int, ...]


class GPU(NamedTuple):
    """What a maker says of a device."""

    peak: float
    """Operations a second of dense matrix products in bfloat16."""
    memory: int
    """Bytes."""


# NVIDIA's data sheets of the SXM modules, and of H100 PCIe; where they print a figure "with sparsity", half of it.
GPUS = {
    "a100": GPU(312e12, 80 * 10**9),
    "h100": GPU(989.4e12, 80 * 10**9),
    "h100 pcie": GPU(756.5e12, 80 * 10**9),
    "h200": GPU(989.4e12, 141 * 10**9),
    "b200": GPU(2250e12, 180 * 10**9),
}


def gpu_named(device: str) -> GPU | None:
    """The GPU that a driver calls so, as "NVIDIA H100 80GB HBM3"; None for one that is not in GPUS."""
    fitting = [name for name in GPUS if all(word in device.lower() for word in name.split())]
    return GPUS[max(fitting, key=len)] if fitting else None


def per_token(model: str, preset: Preset) -> float:
    """Operations of training, for each token of a window of `preset.context`. Takes some seconds for memories of a new width.

    A sequence layer's heads are alike, so one of them is run, for windows of one, two and three chunks, and what it does
    beside its plain matrices is counted: a polynomial of second degree in the window's length.

    Raises ValueError for levels that learn in context, whose steps depend on more than sizes.
    """
    if preset.in_context:
        raise ValueError("levels that learn in context take steps of their own, which are not counted")
    with torch.device("meta"):
        whole = build(model, preset, preset.vocabulary)
    matrices = _matrices(whole) + whole.embedding.weight.numel()
    one, two, three = _head(model, replace(
        preset, name="head", dim=preset.dim // preset.heads, depth=1, heads=1, context=1, batch=1, steps=1, lr=1.0, carry=0,
        vocabulary=1, checkpoint_blocks=False,
    ))
    chunks, square = preset.context / preset.chunks[1], (three - 2 * two + one) / 2
    slope = two - one - 3 * square
    beside = square * chunks**2 + slope * chunks + (one - slope - square)
    return 6 * matrices + preset.depth * preset.heads * max(beside, 0) / preset.context  # below a chunk nothing is written


def _matrices(module: nn.Module) -> int:
    """Weights of the plain matrices, each of which a token meets once."""
    return sum(part.weight.numel() for part in module.modules() if isinstance(part, nn.Linear))


@cache
def _head(model: str, preset: Preset) -> tuple[int, ...]:
    """What a sequence layer of one head does beside its plain matrices, in windows of one, two and three long chunks."""
    with torch.random.fork_rng(devices=[]):
        mixer = build(model, preset, 1).blocks[0].mixer
    lengths = [count * preset.chunks[1] for count in (1, 2, 3)]
    return tuple(counted(mixer, torch.ones(1, n, preset.dim)) - 6 * n * _matrices(mixer) for n in lengths)


def counted(layer: nn.Module, x: torch.Tensor) -> int:
    """Operations of one forward and backward pass of a layer, which maps x to (y, ...), run and counted."""
    with FlopCounterMode(display=False, custom_mapping=COUNTS) as counter:
        layer(x.requires_grad_())[0].sum().backward()
    return counter.get_total_flops()


def _solve(matrix: Shape, right: Shape, *_: Any, **__: Any) -> int:
    return math.prod(right) * right[-2]


def _attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    return sdpa_flop_count(query, key, value)


def _attention_backward(_: Shape, query: Shape, key: Shape, value: Shape, *__: Any, **___: Any) -> int:
    return 2 * sdpa_flop_count(query, key, value)


def _nothing(*_: Any, **__: Any) -> int:
    return 0


COUNTS = {
    aten.linalg_solve_triangular: _solve,
    aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
    aten.convolution: _nothing,
    aten.convolution_backward: _nothing,
}
"""What torch's counter does not know, or counts otherwise."""
