"""Two spirals, and the small network that learns to tell them apart: the task of chapter 2's explorers."""

import math

import torch
from torch import Tensor

from nlcore.memory import L2, AssociativeMemory, Decay, DeepMLP, GradientDescent, State

POINTS = 32
WIDTHS = (3, 8, 8, 2)
TURN = 0.6
"""Share of a full turn that each arm makes."""
SEED = 3


def spiral(points: int = POINTS) -> tuple[Tensor, Tensor]:
    """Keys (points, 3) and values (points, 2), in float64: the points of one arm, outwards, then of the other.

    A key is a point of the plane and a constant 1, which stands for a bias; a value is (1, 0) or (0, 1).
    """
    radius = torch.linspace(0.15, 1, points // 2, dtype=torch.float64)
    angle = radius * TURN * 2 * math.pi
    arm = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1)
    plane = torch.cat([arm, -arm])
    values = torch.eye(2, dtype=torch.float64).repeat_interleave(points // 2, dim=0)
    return torch.cat([plane, torch.ones_like(plane[:, :1])], dim=-1), values


def network(batch: tuple[int, ...] = ()) -> tuple[AssociativeMemory, State]:
    """A network of three layers (3, 8, 8, 2; tanh between them) as a memory, and its start, always the same."""
    mlp = DeepMLP(WIDTHS, torch.tanh)
    draw = torch.Generator().manual_seed(SEED)
    start = tuple(torch.randn(*s, generator=draw, dtype=torch.float64) * 1.5 / math.sqrt(s[1]) for s in mlp.shapes())
    memory = AssociativeMemory(mlp, L2(), GradientDescent(), Decay())
    return memory, memory.start(batch, start)
