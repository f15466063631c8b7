"""Everything in a plane: a model asked at each point of a grid, and its answers sifted.

The method and its settings are those of Segment Anything (Kirillov et al., 2023). Candidates are sifted from
the cheap to the dear: by predicted IoU while they are low-resolution logits, by stability once they are
brought to the plane (only where they can lie), and by their boxes once they are cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_sam.core.auto_candidates import Candidates
from napari_sam.core.auto_masks import AutoMask
from napari_sam.core.auto_plan import AutoMaskSettings, Crop, plan_crops, points_of_layer
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.segmenter import Segmenter
from napari_sam.engine.auto_seeds import middles_of_groups
from napari_sam.engine.frame import Frame
from napari_sam.engine.mask_sieve import MaskSieve
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.engine.square_pixels import SquarePixelSegmenter
from napari_sam.engine.stretched import frame_of, pixels_for
from napari_sam.errors import UnsupportedPrompt
from napari_sam.models.grouping import GROUPING
from napari_sam.models.prompt_encoder import POSITIVE
from napari_sam.models.sam import PlaneFeatures, Sam
from napari_sam.zoo.spec import ModelSpec

__all__ = ["AutoMasker", "Told"]

Told = Callable[[int, int], None]
"""Called with how many points are answered, and how many there are in all crops of the plane."""


@dataclass(frozen=True, eq=False)
class AutoMasker:
    """A model that is asked at grids of points.

    Features are used as the encoder gives them, in full precision, and are not kept.

    Parameters
    ----------
    model : Sam
        In evaluation mode, on `device`.
    spec : ModelSpec
        How it is fed.
    device : torch.device
        Where it is.
    settings : AutoMaskSettings
        How densely to ask, and what to keep.
    squares : bool
        Whether planes of oblong pixels are drawn with square ones; see `napari_sam.engine.square_pixels`.
    """

    model: Sam
    spec: ModelSpec
    device: torch.device
    settings: AutoMaskSettings
    squares: bool = False

    @classmethod
    def of(cls, segmenter: Segmenter, settings: AutoMaskSettings | None = None) -> AutoMasker:
        """Use the model of a segmenter, with the settings that it recommends where None are given.

        Raises
        ------
        UnsupportedPrompt
            A segmenter that is no such model, or a model that takes no points.
        """
        if not isinstance(segmenter, SamSegmenter) or "point" not in segmenter.prompts:
            raise UnsupportedPrompt(
                f"{segmenter.name!r} cannot segment everything; use a model that takes points"
            )
        spec = segmenter.spec
        squares = isinstance(segmenter, SquarePixelSegmenter)
        return cls(segmenter.model, spec, segmenter.device, settings or spec.auto_masks, squares)

    def masks(
        self,
        picture: NDArray[np.uint8],
        plane: PlaneRef,
        volume_shape: tuple[int, int, int],
        cancel: Cancel | None = None,
        told: Told | None = None,
    ) -> tuple[AutoMask, ...]:
        """Find masks in a picture, as it is.

        Parameters
        ----------
        picture : NDArray[uint8], shape (H, W) or (H, W, 3)
            The plane after the window.
        plane : PlaneRef
            Where it lies.
        volume_shape : tuple of int
            (P, R, C).
        cancel : Cancel, optional
            Looked at before each batch of points.
        told : callable, optional
            See `Told`.

        Returns
        -------
        tuple of AutoMask
        """
        crops = self._crops(plane.shape_hw(volume_shape))
        found = self.candidates(picture, cancel, told)
        masks = []
        for number, mask in enumerate(found.masks):
            row0, col0, row1, col1 = mask.corners
            box = plane.box_of((row0, col0, row1 + 1, col1 + 1))
            masks.append(
                AutoMask(
                    plane,
                    BoxedMask(box, np.expand_dims(mask.unpacked(), plane.axis)),
                    float(found.predicted_iou[number]),
                    float(found.stability[number]),
                    (float(found.points_rc[number, 0]), float(found.points_rc[number, 1])),
                    crops[found.crops[number]],
                )
            )
        return tuple(masks)

    def candidates(
        self, picture: NDArray[np.uint8], cancel: Cancel | None = None, told: Told | None = None
    ) -> Candidates:
        """Find masks in a picture (H, W) or (H, W, 3) of uint8; as `masks`, but packed."""
        settings, plane_hw = self.settings, (picture.shape[0], picture.shape[1])
        crops = self._crops(plane_hw)
        n_points = [len(points_of_layer(crop.layer, settings)) for crop in crops]
        found, n_done = [], 0
        with torch.inference_mode():
            for number, crop in enumerate(crops):
                some = []
                for n_asked, answer in self._crop_batches(picture, crop, number, cancel or Cancel()):
                    some.append(answer)
                    n_done += n_asked
                    if told is not None:
                        told(n_done, sum(n_points))
                all_of_crop = Candidates.joined(some)
                found.append(
                    all_of_crop.without_duplicates(all_of_crop.predicted_iou, settings.box_nms_threshold)
                )
        return self._across_crops(Candidates.joined(found), crops, plane_hw)

    def _crops(self, plane_hw: tuple[int, int]) -> tuple[Crop, ...]:
        return plan_crops(plane_hw, self.settings.for_plane(plane_hw, self.spec.side))

    def _across_crops(
        self, found: Candidates, crops: tuple[Crop, ...], plane_hw: tuple[int, int]
    ) -> Candidates:
        """Remove duplicates between crops, where smaller crops are better; then small regions."""
        settings = self.settings
        if len(crops) > 1:
            areas = np.array([crop.area for crop in crops], dtype=np.float32)
            found = found.without_duplicates(np.float32(1) / areas[found.crops], settings.crop_nms_threshold)
        if settings.min_mask_region_area > 0:
            threshold = max(settings.box_nms_threshold, settings.crop_nms_threshold)
            found = found.without_small_regions(settings.min_mask_region_area, plane_hw, threshold)
        return found

    def _crop_batches(
        self, picture: NDArray[np.uint8], crop: Crop, number: int, cancel: Cancel
    ) -> Iterator[tuple[int, Candidates]]:
        """Encode a crop once and ask at its points; gives how many of its grid were asked, and answers."""
        cancel.check()
        row0, col0, row1, col1 = crop.region
        frame, features = self._encode(picture[row0:row1, col0:col1])
        sieve = MaskSieve(frame, crop, (picture.shape[0], picture.shape[1]), self.settings)
        seeds_rc = self._seeds(features, frame)
        grid_rc = points_of_layer(crop.layer, self.settings) * crop.size_hw
        points_rc = np.concatenate([seeds_rc, grid_rc])
        n_at_once = self.settings.points_per_batch
        for start in range(0, len(points_rc), n_at_once):
            cancel.check()
            batch_rc = points_rc[start : start + n_at_once]
            logits, scores, owners = self._ask(features, frame, batch_rc)
            kept, stability, masks = sieve.sift(logits)
            yield (
                max(0, start + len(batch_rc) - max(start, len(seeds_rc))),
                Candidates(
                    tuple(masks),
                    scores[kept],
                    stability,
                    batch_rc[owners[kept]] + (row0, col0),
                    np.full(len(kept), number, dtype=np.intp),
                ),
            )

    def _encode(self, part: NDArray[np.uint8]) -> tuple[Frame, dict[str, Tensor]]:
        """Encode a crop; gives how it lies in the model's input, and its features."""
        features = PlaneFeatures(self.model.encode(pixels_for(self.spec, part)[None].to(self.device)))
        return frame_of(self.spec, (part.shape[0], part.shape[1])), features

    def _seeds(self, features: Mapping[str, Tensor], frame: Frame) -> NDArray[np.float64]:
        """Give the middles of objects in a crop ``(N, 2)``, (row, column) in its pixels."""
        if not self.settings.seeds or GROUPING not in features:
            return np.empty((0, 2))
        grouping = features[GROUPING][0].float().cpu().numpy()
        cell = self.spec.side / grouping.shape[-1]
        cells_hw = (math.ceil(frame.resized_hw[0] / cell), math.ceil(frame.resized_hw[1] / cell))
        seeds_rc: NDArray[np.float64] = (
            (middles_of_groups(grouping, cells_hw) + 0.5) * cell / np.asarray(frame.scale)
        )
        return np.minimum(seeds_rc, np.asarray(frame.plane_hw) - 0.5)

    def _ask(
        self, features: dict[str, Tensor], frame: Frame, points_rc: NDArray[np.float64]
    ) -> tuple[Tensor, NDArray[np.float32], NDArray[np.intp]]:
        """Ask at points of a crop, and keep the candidates that the model itself thinks well of.

        Returns
        -------
        logits : Tensor
            ``(K, 4h, 4w)`` float32, on the CPU.
        scores : NDArray[float32], shape (K,)
            Predicted IoU.
        owners : NDArray[intp], shape (K,)
            Numbers of the points.
        """
        down, across = frame.scale
        points_xy = torch.from_numpy(points_rc[:, ::-1] * (across, down))[:, None].float()
        labels = torch.full((len(points_rc), 1), POSITIVE, device=self.device)
        decoded = self.model.decode_all(features, points_xy.to(self.device), labels)
        scores = decoded.iou_scores[:, 1:].float()
        is_good = torch.ones_like(scores, dtype=torch.bool)
        if self.settings.pred_iou_threshold > 0:
            is_good = scores > self.settings.pred_iou_threshold
        if decoded.presence is not None and self.settings.presence_threshold > 0:
            is_there = decoded.presence.float().sigmoid() >= self.settings.presence_threshold
            is_good &= is_there[:, None]
        logits = decoded.mask_logits[:, 1:][is_good].float().cpu()
        owners: NDArray[np.intp] = is_good.nonzero()[:, 0].cpu().numpy()
        return logits, scores[is_good].cpu().numpy(), owners
