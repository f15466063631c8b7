"""Convolutions of small pictures at the speed of the machine.

On processors oneDNN convolves pictures that are laid out with their channels last as they are; any other
layout it turns first, which for the decoder's small pictures takes as long as the convolution. And torch
hands small pictures on one thread to a slower kernel of its own. Here they go to the operator that torch uses
for what it compiles, with the GELU that follows in the same pass. Where that operator is missing, where
gradients are wanted, and on other devices, everything is torch's own convolution.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models.products import has_onednn, is_on_processor, needs_gradient

__all__ = ["added", "convolved", "laid_out"]


def laid_out(x: Tensor) -> Tensor:
    """Lay a picture ``(B, C, H, W)`` out for a processor, channels last; elsewhere it stays as it is."""
    if is_on_processor(x) and not needs_gradient(x):
        return x.contiguous(memory_format=torch.channels_last)
    return x


def added(fresh: Tensor, other: Tensor) -> Tensor:
    """Add a tensor to one that nothing else holds, in place where no gradients are wanted."""
    if fresh.dtype == other.dtype and not needs_gradient(fresh, other):
        return fresh.add_(other)
    return fresh + other


def convolved(x: Tensor, layer: nn.Conv2d, gelu: bool = False) -> Tensor:
    """Apply a convolution.

    Parameters
    ----------
    x : Tensor
        ``(B, C, H, W)``.
    layer : nn.Conv2d
        Its forward is called as it is where it is a subclass.
    gelu : bool
        Whether a GELU follows.

    Returns
    -------
    Tensor
        ``(B, C', H', W')``.
    """
    if _is_for_onednn(x, layer):
        how = layer.padding, layer.stride, layer.dilation, layer.groups
        kind, algorithm = ("gelu", "none") if gelu else ("none", "")
        return _onednn_convolution()(laid_out(x), layer.weight, layer.bias, *how, kind, [], algorithm)
    out: Tensor = layer(x)
    return F.gelu(out) if gelu else out


def _is_for_onednn(x: Tensor, layer: nn.Conv2d) -> bool:
    if type(layer) is not nn.Conv2d or layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        return False
    if x.device.type != "cpu" or x.dtype != torch.float32 or layer.weight.dtype != torch.float32:
        return False
    if needs_gradient(x, layer.weight) or torch.is_autocast_enabled("cpu"):
        return False
    return _has_onednn_convolution() and not torch.compiler.is_compiling()


@functools.cache
def _has_onednn_convolution() -> bool:
    """Find out whether torch has oneDNN's convolution, and whether it is right on a small one."""
    if not has_onednn():
        return False
    x, weight = torch.arange(9.0).reshape(1, 1, 3, 3) - 4, torch.ones(1, 1, 3, 3)
    how = (1, 1), (1, 1), (1, 1), 1
    try:
        plain = _onednn_convolution()(x, weight, None, *how, "none", [], "")
        bent = _onednn_convolution()(x, weight, None, *how, "gelu", [], "none")
    except (AttributeError, RuntimeError, TypeError):
        return False
    expected = F.conv2d(x, weight, padding=1)
    return torch.equal(plain, expected) and torch.allclose(bent, F.gelu(expected), atol=1e-5)


def _onednn_convolution() -> Callable[..., Tensor]:
    operators: Any = torch.ops
    return cast("Callable[..., Tensor]", operators.mkldnn._convolution_pointwise)
