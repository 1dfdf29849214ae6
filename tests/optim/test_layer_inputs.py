"""The inputs of linear layers: exactly the rows that the weight's gradient is made of, and no trace afterwards."""

import copy
import gc
import io
import weakref

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.func import functional_call, grad, vmap
from torch.nn.utils.prune import random_unstructured
from torch.utils.checkpoint import checkpoint

from nlcore.optim import DeltaGradientDescent, LayerInputs


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.ReLU(inplace=True), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 3)).double()


def writes(inputs, layer):
    """The gradient of the weight, put together from the rows."""
    seen = inputs.of(layer.weight)
    return seen.delta.mT @ seen.x


def linears(model):
    return [module for module in model.modules() if isinstance(module, nn.Linear)]


@pytest.mark.parametrize("shape", [(5,), (7, 5), (2, 3, 5), (2, 1, 3, 5)])
def test_the_rows_make_the_weights_gradient_whatever_the_leading_shape(shape):
    model, x = network(), normal(*shape)
    with LayerInputs(model, surprises=True) as inputs:
        model(x).square().sum().backward()
        for layer in linears(model):
            assert (writes(inputs, layer) - layer.weight.grad).abs().max() < 1e-12
        assert torch.equal(inputs.of(model[0].weight).x, x.reshape(-1, 5))


def test_the_models_answer_and_gradients_are_untouched():
    model, x = network(), normal(6, 5)
    plain = copy.deepcopy(model)
    plain(x).square().sum().backward()
    with LayerInputs(model):
        answer = model(x)
        answer.square().sum().backward()
    assert torch.equal(answer, plain(x))
    assert all(torch.equal(p.grad, q.grad) for p, q in zip(model.parameters(), plain.parameters()))


def test_no_hook_is_left():
    model = network()
    with LayerInputs(model) as inputs:
        assert all(len(layer._forward_hooks) == 1 for layer in linears(model))
        late = model(normal(6, 5)).sum()
    assert all(not layer._forward_hooks and not layer._backward_hooks for layer in linears(model))
    late.backward()  # a graph made before closing
    assert inputs.of(model[0].weight) is None
    inputs.close()


def test_hooks_go_when_the_body_fails():
    model = network()
    with pytest.raises(RuntimeError), LayerInputs(model):
        model(normal(6, 7))
    assert not any(layer._forward_hooks for layer in linears(model))


def test_another_ones_hooks_stay():
    model, called = network(), []
    model[0].register_forward_hook(lambda *_: called.append(1))
    LayerInputs(model).close()
    model(normal(6, 5))
    assert called == [1]


def test_nothing_is_collected_where_nothing_is_differentiated():
    model = network()
    with LayerInputs(model) as inputs:
        model.eval()
        model(normal(6, 5))
        with torch.no_grad():
            model(normal(6, 5))
        with torch.inference_mode():
            model(normal(6, 5))
        assert inputs.of(model[0].weight) is None


def test_a_frozen_layer_is_left_out():
    model = network()
    model[2].weight.requires_grad_(False)
    with LayerInputs(model) as inputs:
        model(normal(6, 5)).sum().backward()
        assert inputs.of(model[2].weight) is None and inputs.of(model[0].weight) is not None


def test_a_layer_used_several_times_has_all_its_rows():
    model = network()
    with LayerInputs(model, surprises=True) as inputs:
        model[2](model[2](normal(6, 4))).square().sum().backward()
        assert inputs.of(model[2].weight).x.shape == (12, 4)
        assert (writes(inputs, model[2]) - model[2].weight.grad).abs().max() < 1e-12


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointed_inputs_count_once(reentrant):
    model, x = network(), normal(6, 5).requires_grad_()
    with LayerInputs(model, surprises=True) as inputs:
        middle = checkpoint(model[:3], x, use_reentrant=reentrant)
        checkpoint(model[3:], middle, use_reentrant=reentrant).square().sum().backward()
        for layer in linears(model):
            assert len(inputs.of(layer.weight).x) == 6
            assert (writes(inputs, layer) - layer.weight.grad).abs().max() < 1e-12


def test_checkpointing_still_drops_the_inputs_until_backward():
    model, kept = network(), []

    def body(x):
        inside = x * 2
        kept.append(weakref.ref(inside))
        return model[2](inside)

    with LayerInputs(model):
        loss = checkpoint(body, normal(6, 4), use_reentrant=False).sum()
        gc.collect()
        assert kept[0]() is None
        loss.backward()


def test_accumulated_passes_add_up_and_a_step_forgets_them():
    model = network()
    with LayerInputs(model, surprises=True) as inputs:
        optimizer = DeltaGradientDescent(model.parameters(), inputs)
        for seed in range(2):
            model(normal(6, 5, seed=seed)).square().mean().backward()
        assert len(inputs.of(model[0].weight).x) == 12
        assert (writes(inputs, model[0]) - model[0].weight.grad).abs().max() < 1e-12
        kept = weakref.ref(inputs._seen[model[0].weight][0].x)
        optimizer.step()
        gc.collect()
        assert inputs.of(model[0].weight) is None and kept() is None
        model(normal(6, 5)).sum().backward()
        optimizer.zero_grad()
        assert inputs.of(model[0].weight) is None


def test_shared_weights_share_their_rows():
    model = network()
    model[4].weight, model[4].bias = model[2].weight, model[2].bias
    with LayerInputs(model, surprises=True) as inputs:
        model(normal(6, 5)).square().sum().backward()
        assert len(inputs.of(model[2].weight).x) == 12
        assert (writes(inputs, model[2]) - model[2].weight.grad).abs().max() < 1e-12


def test_under_autocast():
    model = network().float()
    with LayerInputs(model, surprises=True) as inputs:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            answer = model(normal(6, 5).float())
        answer.float().square().sum().backward()
        written = inputs.of(model[0].weight)
        assert written.delta.dtype == torch.bfloat16
        gradient = written.delta.float().mT @ written.x
        assert torch.allclose(gradient, model[0].weight.grad, rtol=0.05, atol=0.05 * gradient.abs().max().item())


def test_a_copy_of_the_model_collects_nothing():
    model = network()
    with LayerInputs(model) as inputs:
        other = copy.deepcopy(model)
        other(normal(6, 5)).sum().backward()
        assert not inputs._seen


def test_an_expert_without_a_token_has_met_nothing():
    model = network()
    with LayerInputs(model) as inputs:
        model(normal(0, 5)).sum().backward()
        assert inputs.of(model[0].weight) is None


def test_a_pass_that_leaves_no_grad_leaves_no_row():
    model, x = network(), normal(6, 5).requires_grad_()
    with LayerInputs(model, surprises=True) as inputs:
        torch.autograd.grad(model(x).sum(), x)
        torch.autograd.grad(model(x).sum(), [x, model[0].weight])
        model(x).sum().backward(inputs=[x])
        assert inputs.of(model[0].weight) is None
        model(x).sum().backward(inputs=[model[0].weight])
        assert len(inputs.of(model[0].weight).x) == 6 and inputs.of(model[2].weight) is None
        inputs.clear()
        model.zero_grad()
        penalty = torch.autograd.grad(model(x).square().sum(), x, create_graph=True)[0].square().sum()
        (model(x).sum() + 0 * penalty).backward()
        assert len(inputs.of(model[2].weight).x) >= 6


@pytest.mark.parametrize("through", ["copy", "pickle"])
def test_a_copied_pair_takes_the_same_steps_and_a_lone_copy_watches_nothing(through):
    model = network()
    optimizer = DeltaGradientDescent(model.parameters(), LayerInputs(model), lr=0.5)
    pair = model, optimizer
    for _ in range(2):  # a copy of a copy too
        pair = copy.deepcopy(pair) if through == "copy" else _through_a_file(pair)
    other, its = pair
    for net, rule in ((model, optimizer), pair):
        net(normal(6, 5)).square().sum().backward()
        rule.step()
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), other.parameters()))
    assert all(len(layer._forward_hooks) == len(layer._forward_hooks_with_kwargs) == 1 for layer in linears(other))
    alone = _through_a_file(model)
    alone(normal(6, 5)).square().sum().backward()
    assert not its.inputs._seen and not optimizer.inputs._seen
    its.inputs.close()
    assert not any(layer._forward_hooks or layer._forward_hooks_with_kwargs for layer in linears(other))
    assert all(layer._forward_hooks for layer in linears(model))


def _through_a_file(value):
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("computed", [
    nn.utils.parametrizations.spectral_norm, nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.orthogonal,
    nn.utils.spectral_norm, lambda layer: random_unstructured(layer, "weight", 0.5),
])
def test_a_computed_weight_is_left_as_it_was(computed):
    def made():
        torch.manual_seed(0)
        return nn.Sequential(computed(nn.Linear(4, 6)), nn.Linear(6, 2))

    plain, watched, x = made(), made(), torch.ones(3, 4)
    with LayerInputs(watched) as inputs:
        for _ in range(3):
            expected, found = plain(x), watched(x)
            assert torch.equal(expected, found)
            found.sum().backward()
            expected.sum().backward()
        assert list(inputs._seen) == [watched[1].weight]
        assert all(torch.equal(p.grad, q.grad) for p, q in zip(plain.parameters(), watched.parameters()))


def test_a_layer_called_by_keyword():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(5, 4).double()

        def forward(self, x):
            return self.layer(input=x)

    net = Net()
    with LayerInputs(net, surprises=True) as inputs:
        net(normal(6, 5)).square().sum().backward()
        assert (writes(inputs, net.layer) - net.layer.weight.grad).abs().max() < 1e-12


def test_functional_transforms_work_and_leave_no_row():
    model, x = network(), normal(6, 5)
    with LayerInputs(model) as inputs:
        weights = dict(model.named_parameters())
        found = vmap(grad(lambda p, row: functional_call(model, p, (row,)).sum()), (None, 0))(weights, x)
        torch.func.jvp(lambda row: model(row), (x,), (x,))
        torch.func.jacrev(model)(x)
        with forward_ad.dual_level():
            tangent = forward_ad.unpack_dual(model(forward_ad.make_dual(x, x))).tangent
        assert not inputs._seen
    assert torch.allclose(tangent, torch.func.jvp(model, (x,), (x,))[1])
    model(x).sum().backward()
    assert torch.allclose(found["0.weight"].sum(0), model[0].weight.grad)


def test_weights_computed_for_one_call_leave_no_row():
    model, x = network(), normal(6, 5)
    with LayerInputs(model) as inputs:
        functional_call(model, {name: 2 * p for name, p in model.named_parameters()}, (x,)).sum().backward()
        assert model[0].weight.grad is not None and not inputs._seen


def test_a_compiled_model_is_watched_too():
    model, x = network(), normal(6, 5)
    with LayerInputs(model, surprises=True) as inputs:
        torch.compile(model, backend="eager")(x).square().sum().backward()
        assert (writes(inputs, model[0]) - model[0].weight.grad).abs().max() < 1e-12


def test_inputs_that_nobody_holds_watch_no_longer():
    model = network()
    watched = weakref.ref(LayerInputs(model))
    gc.collect()
    assert watched() is None
    model(normal(6, 5)).sum().backward()
