"""From a plane's rows and columns to a model's (x, y) pixels, and back: the one place that knows both.

A plane is resized so that its longest side is the model's, and padded to a square with zeros to the right and
below, after normalising. Resizing is Pillow's bilinear one, antialiased and in whole grey levels, as for the
published models; small planes are enlarged in the same way.

Model pixels count from the centre of the first one: a pixel's centre is a whole number. (The prompt encoder
adds the half pixel that leads to its edge.) So the centre of a plane's voxel (row, col) lies at
``x = (col + 0.5) * scale - 0.5``, and the edges of a half-open box at ``x = col * scale - 0.5``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from napari_sam.errors import InvalidPrompt

__all__ = ["MASK_LOGIT", "Frame", "by_channel", "smoothly_resized"]

MASK_LOGIT = 6.0
"""A mask that a person gave becomes logits of this size, positive inside and negative outside."""


@dataclass(frozen=True)
class Frame:
    """How one size of plane lies in a model's square input.

    Parameters
    ----------
    plane_hw : tuple of int
        Height and width of the plane in voxels.
    side : int
        Side of the model's input in pixels.

    Raises
    ------
    InvalidPrompt
        A plane without voxels.
    """

    plane_hw: tuple[int, int]
    side: int

    def __post_init__(self) -> None:
        if min(self.plane_hw) < 1:
            raise InvalidPrompt(
                f"a plane of {self.plane_hw} voxels cannot be segmented; give at least one voxel"
            )

    @property
    def resized_hw(self) -> tuple[int, int]:
        """Height and width in model pixels of the plane itself, without the padding."""
        longest = max(self.plane_hw)
        height, width = (max(1, (2 * n * self.side + longest) // (2 * longest)) for n in self.plane_hw)
        return height, width

    @property
    def scale(self) -> tuple[float, float]:
        """Model pixels per voxel, along the rows (height) and along the columns (width).

        The two differ by the rounding to whole pixels only.
        """
        (height, width), (new_height, new_width) = self.plane_hw, self.resized_hw
        return new_height / height, new_width / width

    def to_model_xy(self, rc: Sequence[float]) -> tuple[float, float]:
        """Turn a position in the plane, whole numbers at voxel centres, into model pixels.

        Parameters
        ----------
        rc : sequence of float
            (row, col).

        Returns
        -------
        tuple of float
            (x, y), whole numbers at pixel centres.
        """
        down, across = self.scale
        return (rc[1] + 0.5) * across - 0.5, (rc[0] + 0.5) * down - 0.5

    def to_plane_rc(self, xy: Sequence[float]) -> tuple[float, float]:
        """Turn model pixels (x, y) back into the plane's (row, col); the inverse of `to_model_xy`."""
        down, across = self.scale
        return (xy[1] + 0.5) / down - 0.5, (xy[0] + 0.5) / across - 0.5

    def corners_xy(self, box_hw: Sequence[float]) -> tuple[tuple[float, float], tuple[float, float]]:
        """Turn a half-open voxel box (row0, col0, row1, col1) into its edges' two corners (x, y)."""
        row0, col0, row1, col1 = box_hw
        return self.to_model_xy((row0 - 0.5, col0 - 0.5)), self.to_model_xy((row1 - 0.5, col1 - 0.5))

    def pixels(
        self,
        plane: NDArray[np.uint8],
        mean: Sequence[float],
        std: Sequence[float],
        own_range: bool = False,
    ) -> Tensor:
        """Turn a plane into a model's input.

        Parameters
        ----------
        plane : NDArray[uint8], shape (H, W) or (H, W, 3)
            Grey or RGB, after the window.
        mean, std : sequence of 3 float
            Normalisation on the 0..255 scale.
        own_range : bool
            Whether the resized plane's smallest and largest level become 0 and 255 before that.

        Returns
        -------
        Tensor
            ``(3, S, S)`` float32: (value - mean) / std, and zero in the padding.

        Raises
        ------
        InvalidPrompt
            A plane of another size than the frame's.
        """
        if plane.shape[:2] != self.plane_hw:
            raise InvalidPrompt(
                f"a plane of {plane.shape[:2]} does not fit a frame of {self.plane_hw}; make one for it"
            )
        values = self.resized(plane)
        if own_range:
            low, high = values.min(), values.max()
            values = (values - low) / (high - low).clamp(min=1e-8) * 255
        return self._pad((values - _per_channel(mean)) / _per_channel(std))

    def resized(self, plane: NDArray[np.uint8]) -> Tensor:
        """Bring a plane to `resized_hw`; ``(1 or 3, h, w)`` float32 on the 0..255 scale."""
        height, width = self.resized_hw
        picture = Image.fromarray(np.ascontiguousarray(plane)).resize(
            (width, height), Image.Resampling.BILINEAR
        )
        return by_channel(np.array(picture))

    def plane_logits(self, low_logits: Tensor) -> Tensor:
        """Bring low-resolution logits back to the plane, as the published models do.

        Bilinear to the model's input, the padding cut off, bilinear to the plane.

        Parameters
        ----------
        low_logits : Tensor
            ``(M, h, w)`` float32.

        Returns
        -------
        Tensor
            ``(M, H, W)`` float32; above 0 is inside.
        """
        square = F.interpolate(
            low_logits[None], size=(self.side, self.side), mode="bilinear", align_corners=False
        )
        height, width = self.resized_hw
        cut = square[..., :height, :width]
        return F.interpolate(cut, size=self.plane_hw, mode="bilinear", align_corners=False)[0]

    def to_hint(self, low_logits: Tensor) -> Tensor:
        """Bring low-resolution logits ``(M, h, w)`` to the frame of all hints, which is padded: this one."""
        return low_logits

    def from_hint(self, hint: Tensor, low_hw: tuple[int, int]) -> Tensor:
        """Bring a hint, perhaps another model's, to this model's low-resolution logits.

        Parameters
        ----------
        hint : Tensor
            ``(h', w')`` logits of a square that is padded below and right.
        low_hw : tuple of int
            Size (h, w) of the model's low-resolution logits.
        """
        if tuple(hint.shape) == low_hw:
            return hint
        return F.interpolate(hint[None, None], size=low_hw, mode="bilinear", align_corners=False)[0, 0]

    def mask_logits(self, mask: NDArray[np.bool_], low_hw: tuple[int, int]) -> Tensor:
        """Turn a plane's mask into the logits of a mask prompt.

        Parameters
        ----------
        mask : NDArray[bool], shape (H, W)
            True inside.
        low_hw : tuple of int
            Size (h, w) of the model's low-resolution logits.

        Returns
        -------
        Tensor
            ``(h, w)`` float32 from -`MASK_LOGIT` to `MASK_LOGIT`, by how much of each cell is inside.
        """
        inside = torch.from_numpy(mask.astype(np.float32))[None, None]
        resized = smoothly_resized(inside, self.resized_hw)
        square = self._pad(resized[0])
        coverage = F.interpolate(square[None], size=low_hw, mode="area")[0, 0]
        return (2.0 * coverage - 1.0) * MASK_LOGIT

    def _pad(self, image: Tensor) -> Tensor:
        """Pad ``(C, H, W)`` with zeros to the square."""
        height, width = image.shape[-2:]
        return F.pad(image, (0, self.side - width, 0, self.side - height))


def smoothly_resized(images: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Resize bilinearly, averaging where it becomes smaller.

    Torch repeats one cell all along a column when the result is a single column; a row it does right, so such
    images are turned on their side first.

    Parameters
    ----------
    images : Tensor
        ``(N, C, h, w)`` float32.
    size_hw : tuple of int
        Height and width to bring them to.

    Returns
    -------
    Tensor
        ``(N, C, *size_hw)`` float32.
    """
    height, width = size_hw
    if width == 1:
        on_side = F.interpolate(
            images.mT, size=(1, height), mode="bilinear", align_corners=False, antialias=True
        )
        return on_side.mT
    return F.interpolate(images, size=size_hw, mode="bilinear", align_corners=False, antialias=True)


def by_channel(picture: NDArray[np.uint8]) -> Tensor:
    """Lay a picture ``(H, W)`` or ``(H, W, 3)`` out as ``(1 or 3, H, W)`` float32."""
    values = torch.from_numpy(picture.astype(np.float32))
    return values[None] if values.ndim == 2 else values.permute(2, 0, 1)


def _per_channel(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None, None]
