"""The small vision transformer: against a plain loop, and its parts."""

import math

import pytest
import torch

from nlcore.models.vision_transformer import VisionTransformer


def by_hand(model, image):
    """Logits of one picture, with no batched operation."""
    tokens = [model.embed(image[r : r + 2, c : c + 2].reshape(-1)) for r in range(0, 8, 2) for c in range(0, 8, 2)]
    x = torch.stack(tokens) + model.positions
    for block in model.blocks:
        projected = block.qkv(block.norm_attention(x)).view(16, 3, block.heads, -1)
        read = torch.zeros(16, block.heads, projected.shape[-1], dtype=x.dtype)
        for head in range(block.heads):
            for t in range(16):
                scores = projected[:, 1, head] @ projected[t, 0, head] / math.sqrt(projected.shape[-1])
                read[t, head] = scores.softmax(0) @ projected[:, 2, head]
        x = x + block.out(read.flatten(1))
        x = x + block.down(torch.nn.functional.gelu(block.up(block.norm_mlp(x))))
    return model.read(model.norm(x).mean(0))


def test_it_is_the_plain_loop():
    model, images = VisionTransformer(dim=16).double(), torch.rand(3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(model(images), torch.stack([by_hand(model, image) for image in images]), rtol=0, atol=1e-12)


def test_every_parameter_has_a_gradient_and_stands_in_one_list():
    model = VisionTransformer()
    model(torch.rand(4, 8, 8)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert {id(p) for p in model.matrices()} | {id(p) for p in model.others()} == {id(p) for p in model.parameters()}
    assert len(model.matrices()) == 8 and len(model.matrices()) + len(model.others()) == len(list(model.parameters()))


def test_patches_that_do_not_tile_are_refused():
    with pytest.raises(ValueError, match="must tile"):
        VisionTransformer(patch=3)
