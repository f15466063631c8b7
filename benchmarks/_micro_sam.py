"""micro-sam's own propagation, where it is installed beside this package, asking the same model.

Its `segment_mask_in_volume` wants a predictor in the form of segment-anything's. `_Predictor` has that
form: its "embedding" of a plane is the plane's index, and its answers are those of our segmenter.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._shown import BoolVolume, Method, Shown, anchor_masks, planes_together
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.core.segmenter import Segmenter, SegmentRequest

if TYPE_CHECKING:
    import torch

THEIRS = "micro-sam"
"""How the names of its methods begin."""

_SIDE = 256


def is_installed() -> bool:
    """Return whether its code can be imported."""
    return find_spec("micro_sam") is not None and find_spec("torchvision") is not None


def micro_sam(threshold: float, extension: float, projection: str) -> Method:
    """Run its `segment_mask_in_volume` from the anchors' masks.

    Parameters
    ----------
    threshold, extension : float
        Its `iou_threshold` and `box_extension`.
    projection : str
        Its `projection`: which prompts it derives from the plane before.
    """

    def run(segmenter: Segmenter, shown: Shown) -> BoolVolume:
        import torch
        from micro_sam.multi_dimensional_segmentation import segment_mask_in_volume

        start = planes_together(anchor_masks(segmenter, shown), shown.volume)
        anchors = np.flatnonzero(start.any(axis=(1, 2)))
        if len(anchors) == 0:
            return start
        n_planes, height, width = shown.volume.shape
        embeddings = {
            "features": torch.arange(n_planes, dtype=torch.float32).reshape(-1, 1, 1, 1, 1),
            "original_size": (height, width),
            "input_size": (height, width),
        }
        found, _ = segment_mask_in_volume(
            start.astype(np.uint8), _Predictor(segmenter, shown), embeddings, anchors,
            stop_lower=False, stop_upper=False, iou_threshold=threshold, projection=projection,
            box_extension=extension,
        )  # fmt: skip
        return np.asarray(found == 1)

    return run


class _Predictor:
    """Our segmenter in the form of segment-anything's predictor, as far as micro-sam asks it."""

    device = "cpu"
    features: torch.Tensor
    original_size: tuple[int, int]
    input_size: tuple[int, int]
    is_image_set = False

    def __init__(self, segmenter: Segmenter, shown: Shown) -> None:
        self._segmenter, self._shown = segmenter, shown

    def predict(
        self,
        point_coords: NDArray[Any] | None = None,
        point_labels: NDArray[Any] | None = None,
        mask_input: NDArray[Any] | None = None,
        box: NDArray[Any] | None = None,
        **_: object,
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]:
        """Answer with one mask (1, H, W); coordinates come as x, y, and logits in the padded frame."""
        plane, shape = PlaneRef(0, int(self.features.ravel()[0])), self._shown.volume.shape
        prompts: list[Prompt] = []
        if box is not None:
            left, top, right, bottom = (int(side) for side in np.ravel(box))
            prompts.append(BoxPrompt(plane.box_of((top, left, max(bottom, top + 1), max(right, left + 1)))))
        for (x, y), label in zip(
            [] if point_coords is None else point_coords,
            [] if point_labels is None else point_labels,
            strict=True,
        ):
            prompts.append(PointPrompt(plane.at(float(y), float(x)), bool(label)))
        if mask_input is not None:
            mask = BoxedMask.of_plane(_unpadded(mask_input[0], shape[1:]), plane, shape)
            prompts += [] if mask.is_empty else [MaskPrompt(mask)]
        request = SegmentRequest(self._shown.volume, plane, self._shown.window, tuple(prompts))
        answer = self._segmenter.segment(request)
        best = answer.best
        whole = answer.masks[best].to_plane(plane, shape)[None]
        return whole, answer.scores[[best]], answer.hints[[best]].astype(np.float32)


def _unpadded(logits: NDArray[Any], shape_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask (H, W) of logits (256, 256), whose longer side is the plane's and the rest padding."""
    scale = max(shape_hw) / _SIDE
    rows, cols = (
        np.minimum((np.arange(n) + 0.5) / scale, round(n / scale) - 1).astype(int) for n in shape_hw
    )
    return np.asarray((logits > 0)[np.ix_(rows, cols)])
