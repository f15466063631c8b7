"""Matrix products at the speed of the machine.

On processors torch hands float32 products to MKL, which on AMD's uses half of the vector unit (measured on
an EPYC with AVX-512: 200 GFLOP/s, where oneDNN reaches 400). Torch carries oneDNN as well, for products in
bfloat16 and for what `torch.compile` makes. Here it takes the large float32 products too, with the GELU that
follows in the same pass. Where that operator is missing, where gradients are wanted, and on other devices,
everything is torch's own `linear`.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WORTH_IT = 2**21
"""Multiply-adds from which on a product goes to oneDNN; below, its overhead outweighs it."""


def linear(x: Tensor, layer: nn.Linear, gelu: bool = False) -> Tensor:
    """Apply a linear layer in the precision of its weight.

    Parameters
    ----------
    x : Tensor
        ``(..., n_in)``; turned into the weight's dtype.
    layer : nn.Linear
        Its forward is called as it is where it is a subclass.
    gelu : bool
        Whether a GELU follows.

    Returns
    -------
    Tensor
        ``(..., n_out)`` in the weight's dtype.
    """
    x = x.to(layer.weight.dtype)
    if type(layer) is nn.Linear:
        return product(x, layer.weight, layer.bias, gelu)
    out: Tensor = layer(x)
    return F.gelu(out) if gelu else out


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None, gelu: bool = False) -> Tensor:
    """Multiply rows with rows: ``x @ weight.T + bias``.

    Parameters
    ----------
    x : Tensor
        ``(..., n_in)``.
    weight : Tensor
        ``(n_out, n_in)`` of the same dtype.
    bias : Tensor, optional
        ``(n_out,)``.
    gelu : bool
        Whether a GELU follows.

    Returns
    -------
    Tensor
        ``(..., n_out)``.
    """
    if x.numel() * len(weight) < WORTH_IT or not _is_for_onednn(x, weight):
        out = F.linear(x, weight, bias)
        return F.gelu(out) if gelu else out
    rows = x.reshape(-1, x.shape[-1]).contiguous()
    if not weight.T.is_contiguous():
        weight = weight.contiguous()  # of other strides oneDNN makes a product without any vector unit
    out = _onednn_linear()(rows, weight, bias, "gelu" if gelu else "none", [], "none" if gelu else "")
    return out.reshape(*x.shape[:-1], len(weight))


def is_on_processor(tensor: Tensor) -> bool:
    """Say whether a tensor is where work is best done in pieces that stay in a cache."""
    return tensor.device.type == "cpu"


def needs_gradient(*tensors: Tensor) -> bool:
    """Say whether what is computed of these will be differentiated."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


@functools.cache
def has_native_bfloat16() -> bool:
    """Say whether this processor multiplies bfloat16 in hardware, as oneDNN and torch see it.

    True for AVX-512 BF16 and AMX; processors that merely emulate it are slower in bfloat16 than in float32.
    """
    if not has_onednn():
        return False
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    asked = [getattr(torch.cpu, name, None) for name in names]
    return any(bool(ask()) for ask in asked if ask is not None)


def _is_for_onednn(x: Tensor, weight: Tensor) -> bool:
    if x.device.type != "cpu" or needs_gradient(x, weight) or torch.is_autocast_enabled("cpu"):
        return False
    if x.dtype != torch.float32 and not (x.dtype == torch.bfloat16 and has_native_bfloat16()):
        return False
    return _has_onednn_linear() and not torch.compiler.is_compiling()


@functools.cache
def _has_onednn_linear() -> bool:
    """Find out whether torch has oneDNN's product for x86, and whether it is right on a small one."""
    if not has_onednn() or platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    x, weight, bias = torch.eye(3), torch.arange(6.0).reshape(2, 3), torch.ones(2)
    try:
        found = _onednn_linear()(x, weight, bias, "none", [], "")
    except (AttributeError, RuntimeError, TypeError):
        return False
    return torch.equal(found, weight.T + 1)


def has_onednn() -> bool:
    """Say whether this torch has oneDNN, and may use it."""
    onednn: Any = torch.backends.mkldnn
    return bool(onednn.is_available())


def _onednn_linear() -> Callable[..., Tensor]:
    operators: Any = torch.ops
    return cast("Callable[..., Tensor]", operators.mkldnn._linear_pointwise)
