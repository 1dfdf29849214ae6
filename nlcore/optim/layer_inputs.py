"""What a model's linear layers were given: the keys under which backpropagation writes (eq. 7-9)."""

import weakref
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from nlcore.optim.base import MemoryOptimizer


class Seen(NamedTuple):
    """What one weight met since the last `clear`: N rows, one a token."""

    x: Tensor
    """Inputs of the layer, (N, in)."""
    delta: Tensor | None
    """Gradient of the loss at the layer's output for each of them, (N, out), as backward carried it: a
    loss scale is still in it. None unless asked for."""


class LayerInputs:
    """Collects the inputs of every `nn.Linear` of a model, by forward hooks, until `close`.

        with LayerInputs(model) as inputs:
            loss_of(model).backward()
            inputs.of(model.layer.weight).x      # (N, in)
            inputs.clear()

    A row is noted when its gradient comes back on the way to the weight's `.grad`, so the rows are those
    that `.grad` is made of: a pass that is never differentiated (evaluation, `no_grad`), or by
    `torch.autograd.grad` or `torch.func` alone, leaves none, a layer used several times has the rows of all uses, several backward passes add up as `.grad` does, and what
    `torch.utils.checkpoint` computes again counts once. Between forward and backward autograd keeps the
    inputs, as it does for the weight's gradient anyway; from backward to `clear` they are kept here, N
    x in numbers a layer. Rows are detached; a layer whose weight is frozen is left out.

    Layers that call `F.linear` on their own, as `nn.MultiheadAttention` does, are not seen, nor are
    those added to the model later, nor weights computed from other parameters (`spectral_norm`, pruning). In a distributed run, the rows are this process's own.

    Args:
        model: any module. It may be used, saved and copied as before. The copy collects nothing, unless these
            inputs, or an optimizer that has them, are copied or pickled in one go with it: then it has its own,
            without rows, as a copied parameter is without `.grad`.
        surprises: keep the gradient at each layer's output as well.
    """

    def __init__(self, model: nn.Module, surprises: bool = False) -> None:
        self.surprises = surprises
        self._watch([module for module in model.modules() if isinstance(module, nn.Linear)])

    def _watch(self, layers: list[nn.Module]) -> None:
        self._seen: dict[Tensor, list[Seen]] = {}
        self._handles: dict[nn.Module, RemovableHandle] = {}
        for layer in layers:
            self._handles[layer] = layer.register_forward_hook(_Hook(self), with_kwargs=True)

    def __getstate__(self) -> dict[str, Any]:
        return {"surprises": self.surprises, "layers": list(self._handles)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.surprises = state["surprises"]
        for layer in state["layers"]:
            _Hook.clean(layer)
        self._watch(state["layers"])

    def of(self, weight: Tensor) -> Seen | None:
        """What the layers with this weight met, oldest first; None if they met nothing."""
        parts = self._seen.get(weight, [])
        if not any(len(part.x) for part in parts):
            return None
        delta = torch.cat([part.delta for part in parts]) if self.surprises else None
        return Seen(torch.cat([part.x for part in parts]), delta)

    def clear(self) -> None:
        """Forgets all rows; the hooks stay."""
        self._seen.clear()

    def close(self) -> None:
        """Takes the hooks away and forgets all rows. Closing twice does nothing."""
        for handle in self._handles.values():
            handle.remove()
        self._handles.clear()
        self.clear()

    def __enter__(self) -> "LayerInputs":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def note(self, weight: Tensor, x: Tensor, delta: Tensor) -> None:
        """Takes up rows that a layer met, if they are on their way to the weight's `.grad`; called in backward."""
        if self._handles and _reaches(weight):
            x, delta = (part.detach().reshape(-1, part.shape[-1]) for part in (x, delta))
            self._seen.setdefault(weight, []).append(Seen(x, delta if self.surprises else None))


class _Hook:
    """A layer's forward hook. Copied or pickled with its layer alone, it watches for nobody."""

    def __init__(self, inputs: LayerInputs | None = None) -> None:
        self.inputs = (lambda: None) if inputs is None else weakref.ref(inputs)

    def __reduce__(self) -> tuple[type, tuple]:
        return _Hook, ()

    @staticmethod
    def clean(layer: nn.Module) -> None:
        """Takes away what a copied layer brought along."""
        for key, hook in list(layer._forward_hooks.items()):
            if isinstance(hook, _Hook) and hook.inputs() is None:
                del layer._forward_hooks[key]
                layer._forward_hooks_with_kwargs.pop(key, None)

    @torch._disable_dynamo  # torch.compile would leave out what backward tells; so it breaks its graph here
    def __call__(self, layer: nn.Module, given: tuple, named: dict[str, Tensor], output: Tensor) -> Tensor | None:
        inputs = self.inputs()
        weight = layer._parameters.get("weight")  # as an attribute, it might be computed, which may change the layer
        if inputs is None or weight is None or not (torch.is_grad_enabled() and weight.requires_grad and weight.is_leaf):
            return None
        if torch._C._functorch.peek_interpreter_stack() is not None or torch.jit.is_tracing():  # they leave no .grad
            return None
        x = given[0] if given else named["input"]
        return _Tap.apply(output, x, lambda x, delta: inputs.note(weight, x, delta))


def _reaches(weight: Tensor) -> bool:
    """Whether the backward pass under way adds to this weight's `.grad`."""
    try:
        return torch._C._will_engine_execute_node(torch.autograd.graph.get_gradient_edge(weight).node)
    except RuntimeError:  # torch.autograd.grad for the weight itself: torch has no answer, and adds nothing
        return False


class LayerOptimizer(MemoryOptimizer):
    """An optimizer that needs its layers' inputs besides the gradients.

    `step` and `zero_grad` clear `inputs`, so no row is kept longer than the gradient it belongs to. Clear
    gradients with the optimizer's `zero_grad`, not the model's: after a step that a `GradScaler` skips,
    it alone forgets the inputs. One optimizer owns one `LayerInputs`; closing it is the caller's part.

    Raises ValueError where several processes train together: gradients are then a mean over all of them, and inputs are not.
    """

    def __init__(self, params: Iterable[Any], inputs: LayerInputs, defaults: dict[str, Any]) -> None:
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            raise ValueError(
                f"{type(self).__name__} needs every input of its layers, and each of {dist.get_world_size()} processes has only "
                "its own: train with one process, or with another optimizer"
            )
        self.inputs = inputs
        super().__init__(params, defaults)

    def computed(self, parameter: Tensor) -> Tensor:
        """The parameter itself, halves too: `inputs` knows its rows by it."""
        return parameter

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """As the base class's; forgets the inputs."""
        loss = super().step(closure)
        self.inputs.clear()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clears the gradients, and the inputs that they came from."""
        super().zero_grad(set_to_none)
        self.inputs.clear()


class _Tap(torch.autograd.Function):
    """Leaves a layer's output as it is, and tells input and gradient once the gradient comes back.

    The input is a saved tensor like any other, so checkpointing drops it and computes it again.
    """

    @staticmethod
    def forward(ctx: Any, output: Tensor, x: Tensor, tell: Callable[[Tensor, Tensor], None]) -> Tensor:
        ctx.save_for_backward(x)
        ctx.tell = tell
        ctx.mark_dirty(output)  # the same tensor, not a view of it: what follows may change it in place
        return output

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor, None, None]:
        ctx.tell(*ctx.saved_tensors, delta)
        return delta, None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Tensor | None) -> Tensor:
        return tangent.mul_(1)  # torch asks of what changes its input in place that this does too
