"""Objectives: each gradient is autograd's, each loss PyTorch's own where it has it, kinks as stated."""

import pytest
import torch
import torch.nn.functional as F

from nlcore.memory import L2, DotProduct, Huber, Lp

OBJECTIVES = [DotProduct(), L2(), Huber(0.5), Huber(2.0), Lp(1), Lp(1.5), Lp(2), Lp(3), Lp(4)]


def pairs(seed=0):
    answer, value = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return answer, value


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
def test_the_gradient_is_autograds(objective):
    answer, value = pairs()
    answer.requires_grad_()
    loss = objective.loss(answer, value)
    assert loss.shape == answer.shape[:-1]
    (expected,) = torch.autograd.grad(loss.sum(), answer)
    assert (objective.gradient(answer, value) - expected).abs().max() < 1e-12


@pytest.mark.parametrize("objective", [DotProduct(), L2(), Huber(0.5), Lp(3), Lp(4)], ids=repr)
def test_the_gradient_is_differentiable(objective):
    answer, value = (x[0, :2].requires_grad_() for x in pairs())
    assert torch.autograd.gradcheck(objective.gradient, (answer, value))


@pytest.mark.parametrize("delta", [0.1, 1.0, 10.0])
def test_huber_is_pytorchs(delta):
    answer, value = pairs()
    expected = F.huber_loss(answer, value, reduction="none", delta=delta).sum(-1)
    assert (Huber(delta).loss(answer, value) - expected).abs().max() < 1e-12


def test_lp_is_the_norm_and_two_of_them_are_known():
    answer, value = pairs()
    error = answer - value
    assert (Lp(3).loss(answer, value) - torch.linalg.vector_norm(error, ord=3, dim=-1) ** 3 / 3).abs().max() < 1e-12
    assert (Lp(2).gradient(answer, value) - L2().gradient(answer, value)).abs().max() < 1e-12
    assert torch.equal(Lp(1).gradient(answer, value), error.sign())


def test_the_kinks():
    zero, at_delta = torch.zeros(1, dtype=torch.float64), torch.full((1,), 0.5, dtype=torch.float64)
    assert Lp(1).gradient(zero, zero).item() == Lp(1.5).gradient(zero, zero).item() == 0
    for size, slope in ((0.5 - 1e-6, 1.0), (0.5, 1.0), (0.5 + 1e-6, 0.0)):
        error = torch.full((1,), size, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.grad(Huber(0.5).gradient(error, zero).sum(), error)[0].item() == slope
    assert Huber(0.5).gradient(at_delta, zero).item() == Huber(0.5).gradient(3 * at_delta, zero).item() == 0.5
    steep = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (second,) = torch.autograd.grad(Lp(1.5).gradient(steep, zero).sum(), steep)
    assert not second.isfinite().all()


@pytest.mark.parametrize("make, says", [
    (lambda: Huber(0.0), "above 0"),
    (lambda: Huber(-1.0), "above 0"),
    (lambda: Lp(0.5), "1 or more"),
])
def test_a_bad_choice_gets_one_sentence(make, says):
    with pytest.raises(ValueError, match=says):
        make()
