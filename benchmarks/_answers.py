"""The same prompts put to a network of the package and to a reference implementation, stage by stage.

An answer is a mapping of tensors: ``embedding`` of the picture, ``sparse`` and ``dense`` embeddings of the
prompts (EfficientSAM has no dense ones), ``low``-resolution logits (N, 4, h, w) and ``scores`` (N, 4), the
single mask first, and ``full``, the logits (N, 4, H, W) on the picture, where above 0 is inside.

Positions are given to the references in their own terms: what they call x = 3 lies at 3 · scale + 0.5 from
the edge of the model's input, in model pixels; the middle of the package's column 3 lies at 3.5 · scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_sam.engine.frame import Frame
from napari_sam.engine.stretched import frame_of, pixels_for
from napari_sam.models.sam import IMAGE_EMBEDDING, Sam
from napari_sam.zoo.spec import ModelSpec


@dataclass(frozen=True)
class Asked:
    """Prompts on one picture, in voxels as the package counts them.

    Attributes
    ----------
    points
        Each row is a prompt of its own, decoded together with the others: ``(row, column, positive)``.
    boxes
        One for each prompt, half-open ``(row0, col0, row1, col1)``; empty for none.
    with_mask
        Whether there are the logits of a mask prompt too; what they are is said where it is asked.
    """

    points: tuple[tuple[tuple[float, float, bool], ...], ...] = ()
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    with_mask: bool = False

    @property
    def n_prompts(self) -> int:
        """Number of prompts that are decoded together."""
        return max(len(self.points), len(self.boxes), 1)


Answer = dict[str, Tensor]
Ask = Callable[[Asked, "Tensor | None"], Answer]
"""Puts prompts to a network that has seen a picture, and ``(1, 1, 4h, 4w)`` logits of a mask prompt."""


def ours(model: Sam, spec: ModelSpec, picture: NDArray[np.uint8]) -> Ask:
    """Show a picture to a network of the package, through its frame.

    Parameters
    ----------
    model, spec
        The network and how it is fed.
    picture : NDArray[uint8], shape (H, W) or (H, W, 3)
        What it sees.
    """
    frame = frame_of(spec, (picture.shape[0], picture.shape[1]))
    with torch.inference_mode():
        features = model.encode(pixels_for(spec, picture)[None])
    grid_hw = (features[IMAGE_EMBEDDING].shape[2], features[IMAGE_EMBEDDING].shape[3])

    def ask(asked: Asked, mask_input: Tensor | None) -> Answer:
        points_xy, labels = _our_terms(asked, frame)
        with torch.inference_mode():
            logits, scores, _ = model.decode_all(features, points_xy, labels, mask_input)
            answer = {
                "embedding": features[IMAGE_EMBEDDING],
                "sparse": model.prompt_encoder.sparse(points_xy, labels, (spec.side, spec.side)),
                "low": logits,
                "scores": scores,
                "full": torch.stack([frame.plane_logits(each) for each in logits]),
            }
            if "mask" in spec.prompts:
                answer["dense"] = model.prompt_encoder.dense(mask_input, asked.n_prompts, grid_hw)
        return answer

    return ask


def of_sam(predictor: Any, picture: NDArray[np.uint8]) -> Ask:
    """Show a picture to the predictor of segment-anything, or of MobileSAM, which has the same."""
    predictor.set_image(_rgb(picture))
    size, new = predictor.original_size, predictor.input_size

    def ask(asked: Asked, mask_input: Tensor | None) -> Answer:
        points, labels, boxes = _their_terms(asked, (new[0] / size[0], new[1] / size[1]))
        coords = _tensor(predictor.transform.apply_coords(points, size)) if len(points) else None
        kinds = torch.from_numpy(labels) if len(points) else None
        corners = _tensor(predictor.transform.apply_boxes(boxes, size)) if len(boxes) else None
        with torch.no_grad():
            sparse, dense = predictor.model.prompt_encoder(
                None if coords is None else (coords, kinds), corners, mask_input
            )
            both = [
                predictor.predict_torch(coords, kinds, corners, mask_input, three, return_logits=True)
                for three in (False, True)
            ]
        full, scores, low = (torch.cat(parts, dim=1) for parts in zip(*both, strict=True))
        prompts = {"embedding": predictor.features, "sparse": sparse, "dense": dense}
        return prompts | {"low": low, "scores": scores, "full": full}

    return ask


def of_efficient_sam(model: Any, picture: NDArray[np.uint8]) -> Ask:
    """Show a picture to the reference's EfficientSAM; it is asked without mask prompts."""
    height, width = picture.shape[:2]
    side, n_points = model.image_encoder.img_size, model.decoder_max_num_input_points
    with torch.no_grad():
        embedding = model.get_image_embeddings(torch.from_numpy(_rgb(picture)).permute(2, 0, 1)[None] / 255)

    def ask(asked: Asked, _: Tensor | None) -> Answer:
        points, labels = _with_corners(*_their_terms(asked, (side / height, side / width)))
        given, kinds = _tensor(points)[None], torch.from_numpy(labels)[None]
        n_missing = n_points - points.shape[1]
        with torch.no_grad():
            low, full = (
                [
                    model.predict_masks(embedding, given, kinds, three, height, width, *size)
                    for three in (False, True)
                ]
                for size in ((-1, -1), (height, width))
            )
            placed = model.get_rescaled_pts(given, height, width)[0]
            sparse = model.prompt_encoder(
                F.pad(placed, (0, 0, 0, n_missing), value=-1.0), F.pad(kinds[0], (0, n_missing), value=-1)
            )
        logits, scores = (torch.cat(parts, dim=2)[0] for parts in zip(*low, strict=True))
        on_picture = torch.cat([logits for logits, _ in full], dim=2)[0]
        return {"embedding": embedding, "sparse": sparse, "low": logits, "scores": scores, "full": on_picture}

    return ask


def _our_terms(asked: Asked, frame: Frame) -> tuple[Tensor, Tensor]:
    """Give points, then corners of boxes, in model pixels ``(N, K, 2)``, and their labels ``(N, K)``."""
    xy: list[list[tuple[float, float]]] = [[] for _ in range(asked.n_prompts)]
    labels: list[list[int]] = [[] for _ in range(asked.n_prompts)]
    for i, points in enumerate(asked.points):
        xy[i] += [frame.to_model_xy((row, column)) for row, column, _ in points]
        labels[i] += [int(positive) for *_, positive in points]
    for i, box in enumerate(asked.boxes):
        xy[i] += frame.corners_xy(box)
        labels[i] += [2, 3]
    return torch.tensor(xy).reshape(asked.n_prompts, -1, 2), torch.tensor(labels, dtype=torch.long)


def _their_terms(asked: Asked, scale_hw: tuple[float, float]) -> tuple[NDArray[Any], ...]:
    """Give points ``(N, K, 2)``, labels ``(N, K)`` and boxes ``(N, 4)`` as the references count pixels."""
    down, across = scale_hw

    def xy(row: float, column: float) -> tuple[float, float]:
        return column + 0.5 - 0.5 / across, row + 0.5 - 0.5 / down

    points = [[xy(row, column) for row, column, _ in prompt] for prompt in asked.points]
    labels = [[int(positive) for *_, positive in prompt] for prompt in asked.points]
    boxes = [(*xy(r0 - 0.5, c0 - 0.5), *xy(r1 - 0.5, c1 - 0.5)) for r0, c0, r1, c1 in asked.boxes]
    return np.array(points, float), np.array(labels, int), np.array(boxes, float)


def _with_corners(
    points: NDArray[Any], labels: NDArray[Any], boxes: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Put the corners of boxes behind the points, as points with labels 2 and 3."""
    if not len(boxes):
        return points, labels
    corners, ends = boxes.reshape(-1, 2, 2), np.tile([2, 3], (len(boxes), 1))
    if not len(points):
        return corners, ends
    return np.concatenate([points, corners], axis=1), np.concatenate([labels, ends], axis=1)


def _rgb(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return picture if picture.ndim == 3 else np.stack([picture] * 3, axis=-1)


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float)
