"""From low-resolution logits to masks in the plane: only the stable ones, and only those that are whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_sam.core.auto_candidates import PackedMask
from napari_sam.core.auto_masks import is_near_inner_edge
from napari_sam.core.auto_plan import AutoMaskSettings, Crop
from napari_sam.engine.frame import Frame
from napari_sam.engine.upscaling import above_in_plane

__all__ = ["MaskSieve"]


class MaskSieve:
    """Sifts the candidates of one crop.

    Parameters
    ----------
    frame : Frame
        How the crop lies in the model's input.
    crop : Crop
        Where it lies in the plane.
    plane_hw : tuple of int
        Height and width of the plane.
    settings : AutoMaskSettings
        What to keep.
    """

    def __init__(
        self, frame: Frame, crop: Crop, plane_hw: tuple[int, int], settings: AutoMaskSettings
    ) -> None:
        self._frame = frame
        self._crop = crop
        self._plane_hw = plane_hw
        self._settings = settings

    def sift(self, logits: Tensor) -> tuple[NDArray[np.intp], NDArray[np.float32], list[PackedMask]]:
        """Sift some candidates.

        Parameters
        ----------
        logits : Tensor
            ``(K, 4h, 4w)`` float32, on the CPU.

        Returns
        -------
        kept : NDArray[intp], shape (N,)
            Which of them are kept.
        stability : NDArray[float32], shape (N,)
            IoU of each mask at the higher and at the lower threshold.
        masks : list of PackedMask
            In the plane.
        """
        kept, stabilities, masks = [], [], []
        for number, low in enumerate(logits):
            stability, mask = self._cut(low)
            if mask is not None:
                kept.append(number)
                stabilities.append(stability)
                masks.append(mask)
        return np.array(kept, dtype=np.intp), np.array(stabilities, dtype=np.float32), masks

    def _cut(self, low: Tensor) -> tuple[np.float32, PackedMask | None]:
        """Give a mask's stability, and the mask; None where it is unstable, empty, or at an inner edge."""
        offset, threshold = self._settings.stability_score_offset, self._settings.stability_score_threshold
        part, row0, col0 = above_in_plane(self._frame, low, -offset)
        n_sure, n_unsure = int(np.count_nonzero(part > offset)), int(np.count_nonzero(part > -offset))
        stability = np.float32(n_sure) / np.float32(max(n_unsure, 1))
        if threshold > 0 and stability < np.float32(threshold):
            return stability, None
        start_rc = (row0 + self._crop.region[0], col0 + self._crop.region[1])
        mask = PackedMask.of(part > 0, start_rc)
        if mask is None or is_near_inner_edge(np.array([mask.corners]), self._crop, self._plane_hw)[0]:
            return stability, None
        return stability, mask
