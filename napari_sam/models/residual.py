"""Convolutions with normalisation, and residual blocks of them (He et al., 2016), for small networks."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Residual", "convolution"]


class Residual(nn.Module):
    """Two convolutions beside the way past them."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.conv1 = convolution(n_channels, n_channels)
        self.conv2 = convolution(n_channels, n_channels)[:2]

    def forward(self, x: Tensor) -> Tensor:
        """Return a picture ``(N, C, h, w)`` of the same shape."""
        return F.relu(x + self.conv2(self.conv1(x)))


def convolution(n_in: int, n_out: int, *, side: int = 3, stride: int = 1) -> nn.Sequential:
    """Make a convolution with batch normalisation and a rectifier; without stride it keeps the grid."""
    plain = nn.Conv2d(n_in, n_out, side, stride, side // 2, bias=False)
    return nn.Sequential(plain, nn.BatchNorm2d(n_out), nn.ReLU(inplace=True))
