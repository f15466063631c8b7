"""Small layers shared by the Segment Anything networks."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LayerNorm2d(nn.Module):
    """Layer normalisation over the channel axis of an image-shaped tensor.

    Parameters
    ----------
    n_channels : int
        Channels ``C`` of the ``(B, C, H, W)`` input.
    eps : float
        Added to the variance.
    """

    def __init__(self, n_channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_channels))
        self.bias = nn.Parameter(torch.zeros(n_channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x (B, C, H, W)`` at each pixel."""
        return self.last(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def last(self, x: Tensor) -> Tensor:
        """Normalise ``x (..., C)``, channels last, in its own precision."""
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return F.layer_norm(x, weight.shape, weight, bias, self.eps)


class MLP(nn.Module):
    """Fully connected layers with ReLU between them.

    Parameters
    ----------
    in_dim, hidden_dim, out_dim : int
        Widths of the input, of every hidden layer and of the output.
    n_layers : int
        Number of linear layers, at least one.
    """

    def __init__(self, in_dim: int, hidden_dim: int, out_dim: int, n_layers: int) -> None:
        super().__init__()
        widths = [in_dim, *[hidden_dim] * (n_layers - 1), out_dim]
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (..., in_dim)`` to ``(..., out_dim)``."""
        *hidden, last = self.layers
        for layer in hidden:
            x = F.relu(layer(x))
        out: Tensor = last(x)
        return out
