"""Frames of models that see a plane stretched to their square, whatever its shape.

Each resizes as the model that it is named for was published with: a checkpoint's answers are those of its
makers only if the way to the model and back is theirs too.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.transform import resize
from torch import Tensor
from torch.nn import functional as F

from napari_sam.engine.frame import MASK_LOGIT, Frame, by_channel, smoothly_resized
from napari_sam.zoo.spec import ModelSpec

__all__ = ["CubicStretchedFrame", "StretchedFrame", "frame_of", "pixels_for"]


class StretchedFrame(Frame):
    """Both sides of a plane become the model's, as EfficientSAM was published.

    Bilinear to the model, in fractions of grey levels and without smoothing before reducing; cubic back to
    the plane, in one step.
    """

    @property
    def resized_hw(self) -> tuple[int, int]:
        """Height and width in model pixels: the whole square."""
        return self.side, self.side

    def resized(self, plane: NDArray[np.uint8]) -> Tensor:
        """Bring a plane to the square; ``(1 or 3, S, S)`` float32 on the 0..255 scale."""
        values = by_channel(plane)
        if self.plane_hw == self.resized_hw:
            return values
        return F.interpolate(values[None], size=self.resized_hw, mode="bilinear", align_corners=False)[0]

    def plane_logits(self, low_logits: Tensor) -> Tensor:
        """Bring low-resolution logits ``(M, h, w)`` back to the plane ``(M, H, W)``; above 0 is inside."""
        return F.interpolate(low_logits[None], size=self.plane_hw, mode="bicubic", align_corners=False)[0]

    def to_hint(self, low_logits: Tensor) -> Tensor:
        """Bring low-resolution logits ``(M, s, s)`` to the frame of all hints: unstretched, and padded."""
        side = low_logits.shape[-1]
        height, width = Frame(self.plane_hw, side).resized_hw
        resized = smoothly_resized(low_logits[None], (height, width))[0]
        return F.pad(resized, (0, side - width, 0, side - height), value=-MASK_LOGIT)

    def from_hint(self, hint: Tensor, low_hw: tuple[int, int]) -> Tensor:
        """Cut the padding off a hint ``(h', w')``, and stretch the rest to ``low_hw``."""
        height, width = Frame(self.plane_hw, max(hint.shape)).resized_hw
        cut = hint[None, None, :height, :width]
        return F.interpolate(cut, size=low_hw, mode="bilinear", align_corners=False)[0, 0]


class CubicStretchedFrame(StretchedFrame):
    """Both sides of a plane become the model's, as MedSAM was published.

    Cubic splines to the model, smoothed before reducing and cut to whole grey levels; bilinear back to the
    plane, on probabilities.
    """

    def resized(self, plane: NDArray[np.uint8]) -> Tensor:
        """Bring a plane to the square; ``(3, S, S)`` float32, whole numbers from 0 to 255."""
        rgb = plane if plane.ndim == 3 else np.repeat(plane[..., None], 3, axis=2)
        splined = resize(rgb, self.resized_hw, order=3, preserve_range=True, anti_aliasing=True)
        return by_channel(splined.astype(np.uint8))

    def plane_logits(self, low_logits: Tensor) -> Tensor:
        """Bring low-resolution logits ``(M, h, w)`` back to the plane ``(M, H, W)``; above 0 is inside."""
        likely = F.interpolate(
            low_logits[None].sigmoid(), size=self.plane_hw, mode="bilinear", align_corners=False
        )
        return torch.logit(likely[0], eps=1e-6)


_KINDS = {"pad": Frame, "stretch": StretchedFrame, "stretch_cubic": CubicStretchedFrame}


def frame_of(spec: ModelSpec, plane_hw: tuple[int, int]) -> Frame:
    """Make the frame in which a model sees planes of one size.

    Raises
    ------
    InvalidPrompt
        A plane without voxels.
    """
    return _KINDS[spec.resize](plane_hw, spec.side)


def pixels_for(spec: ModelSpec, plane: NDArray[np.uint8]) -> Tensor:
    """Turn a plane into a model's input.

    Parameters
    ----------
    spec : ModelSpec
        How the model is fed.
    plane : NDArray[uint8], shape (H, W) or (H, W, 3)
        Grey or RGB, after the window.

    Returns
    -------
    Tensor
        ``(3, S, S)`` float32; see `Frame.pixels`.
    """
    frame = frame_of(spec, (plane.shape[0], plane.shape[1]))
    return frame.pixels(plane, spec.mean, spec.std, own_range=spec.scaling == "picture")
