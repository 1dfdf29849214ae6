"""What a model's linear layers were given: the keys under which backpropagation writes (eq. 7-9)."""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, NamedTuple

import torch
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

    A row is noted when its gradient comes back, so the rows are those that the weight's `.grad` is made
    of: a pass that is never differentiated (evaluation, `no_grad`) leaves none, a layer used several
    times has the rows of all uses, several backward passes add up as `.grad` does, and what
    `torch.utils.checkpoint` computes again counts once. Between forward and backward autograd keeps the
    inputs, as it does for the weight's gradient anyway; from backward to `clear` they are kept here, N
    x in numbers a layer. Rows are detached; a layer whose weight is frozen is left out.

    Layers that call `F.linear` on their own, as `nn.MultiheadAttention` does, are not seen, nor are
    those added to the model later. In a distributed run, the rows are this process's own.

    Args:
        model: any module. It may be used, saved and copied as before; the copy collects nothing.
        surprises: keep the gradient at each layer's output as well.
    """

    def __init__(self, model: nn.Module, surprises: bool = False) -> None:
        self.surprises = surprises
        self._seen: dict[Tensor, list[Seen]] = {}
        layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
        self._handles: dict[nn.Module, RemovableHandle] = {}
        for layer in layers:
            self._handles[layer] = layer.register_forward_hook(self._hook())

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

    # A function, not a method: copying a model copies its hooks, and a method would bring a copy of all this along.
    def _hook(self) -> Callable[[nn.Module, tuple, Tensor], Tensor | None]:
        def hook(layer: nn.Module, given: tuple, output: Tensor) -> Tensor | None:
            if layer not in self._handles or not (torch.is_grad_enabled() and layer.weight.requires_grad):
                return None
            weight = layer.weight
            return _Tap.apply(output, given[0], lambda x, delta: self._note(weight, x, delta))

        return hook

    def _note(self, weight: Tensor, x: Tensor, delta: Tensor) -> None:
        if not self._handles:
            return
        x, delta = (part.detach().reshape(-1, part.shape[-1]) for part in (x, delta))
        self._seen.setdefault(weight, []).append(Seen(x, delta if self.surprises else None))


class LayerOptimizer(MemoryOptimizer):
    """An optimizer that needs its layers' inputs besides the gradients.

    `step` and `zero_grad` clear `inputs`, so no row is kept longer than the gradient it belongs to. Clear
    gradients with the optimizer's `zero_grad`, not the model's: after a step that a `GradScaler` skips,
    it alone forgets the inputs. One optimizer owns one `LayerInputs`; closing it is the caller's part.
    """

    def __init__(self, params: Iterable[Any], inputs: LayerInputs, defaults: dict[str, Any]) -> None:
        self.inputs = inputs
        super().__init__(params, defaults)

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
