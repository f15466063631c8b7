"""Low-rank adapters: a few trained numbers beside frozen linear layers (Hu et al., "LoRA", 2021).

An adapted layer gives ``W x + b + (alpha / rank) * up (down x)``. Only `down` and `up` are trained; at the
end their product is added to ``W``, and nothing of the adapters is left in the file of weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models.sam import Sam

__all__ = ["AdaptedLinear", "adapt", "adapter_names", "merged_state"]


class AdaptedLinear(nn.Linear):
    """A linear layer with an adapter beside it; it starts out equal to the layer it stands for.

    Parameters
    ----------
    layer : nn.Linear
        Its weight and bias are taken over, not copied.
    rank : int
        Width of the adapter.
    alpha : float
        The adapter's output is scaled by ``alpha / rank``.
    """

    def __init__(self, layer: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        self.scale = alpha / rank
        down = torch.randn(rank, layer.in_features) / math.sqrt(layer.in_features)
        self.down = nn.Parameter(down.to(layer.weight))
        self.up = nn.Parameter(layer.weight.new_zeros(layer.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (..., n_in)`` to ``(..., n_out)``."""
        return super().forward(x) + self.scale * F.linear(F.linear(x, self.down), self.up)

    @torch.no_grad()
    def merged_weight(self) -> Tensor:
        """Give the weight ``(n_out, n_in)`` of a plain layer that does the same."""
        product = self.up.double() @ self.down.double()
        return (self.weight.double() + self.scale * product).to(self.weight.dtype)


def adapt(model: Sam, rank: int, alpha: float) -> tuple[str, ...]:
    """Put an adapter beside every linear layer of the image encoder and of the mask decoder.

    Those are the queries, keys, values and projections of all attentions, and all perceptrons. Everything but
    the adapters is frozen.

    Parameters
    ----------
    model : Sam
        Changed in place.
    rank, alpha : int and float
        As in `AdaptedLinear`.

    Returns
    -------
    tuple of str
        Names of the adapted layers; empty for a model without linear layers.
    """
    model.requires_grad_(False)
    adapted: list[str] = []
    for part in ("image_encoder", "mask_decoder"):
        for name, layer in list(model.get_submodule(part).named_modules(prefix=part)):
            if type(layer) is nn.Linear:
                parent, _, child = name.rpartition(".")
                model.get_submodule(parent).add_module(child, AdaptedLinear(layer, rank, alpha))
                adapted.append(name)
    return tuple(adapted)


def adapter_names(model: nn.Module) -> frozenset[str]:
    """Name the adapters' entries in the model's state."""
    return frozenset(
        f"{name}.{part}"
        for name, layer in model.named_modules()
        if isinstance(layer, AdaptedLinear)
        for part in ("down", "up")
    )


@torch.no_grad()
def merged_state(model: nn.Module) -> dict[str, Tensor]:
    """Give the model's state with every adapter merged, under the names that it had before `adapt`.

    Returns
    -------
    dict of str to Tensor
        On the CPU; the model stays as it is. Without adapters it is the model's own state.
    """
    own = adapter_names(model)
    state = {name: value.detach().cpu() for name, value in model.state_dict().items() if name not in own}
    for name, layer in model.named_modules():
        if isinstance(layer, AdaptedLinear):
            state[f"{name}.weight"] = layer.merged_weight().cpu()
    return state
