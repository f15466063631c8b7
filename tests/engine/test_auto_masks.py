"""Everything in a plane: the masks of the reference implementation, and what it promises besides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import napari_sam
from napari_sam.core.auto_plan import AutoMaskSettings
from napari_sam.core.jobs import Cancel
from napari_sam.core.planes import PlaneRef
from napari_sam.core.run_lengths import RunLengths
from napari_sam.engine.auto_masks import AutoMasker, auto_masks
from napari_sam.errors import Cancelled, InvalidPrompt, SettingsError, UnsupportedPrompt
from napari_sam.models.image_encoder import EncoderShape, ImageEncoder
from napari_sam.models.mask_decoder import MaskDecoder
from napari_sam.models.prompt_encoder import PromptEncoder
from napari_sam.models.sam import Sam
from napari_sam.models.two_way_transformer import TwoWayTransformer
from napari_sam.settings import Settings
from tests.fakes import FakeSegmenter
from tests.tiny_models import random_sam, spec_of
from volumes import Geometry, Volume

GOLDEN = Path(__file__).parents[1] / "golden"
SIDE, DIM = 64, 32
OUR_NAMES = {
    "pred_iou_thresh": "pred_iou_threshold",
    "stability_score_thresh": "stability_score_threshold",
    "box_nms_thresh": "box_nms_threshold",
    "crop_nms_thresh": "crop_nms_threshold",
}
CASES = ["grid", "oblong", "crops_1", "crops_2", "regions"]


@pytest.fixture(scope="module")
def taught() -> Sam:
    """The network of the goldens: what it finds depends on the point."""
    transformer = TwoWayTransformer(depth=2, dim=DIM, n_heads=2, mlp_dim=2 * DIM)
    encoder = ImageEncoder(EncoderShape(DIM, 2, 2, (1,), side=SIDE, window=3, out_dim=DIM))
    model = Sam(encoder, PromptEncoder(DIM, 8), MaskDecoder(DIM, transformer, iou_hidden_dim=DIM), SIDE)
    with np.load(GOLDEN / "auto_weights.npz") as stored:
        model.load_state_dict({name: torch.from_numpy(stored[name]).float() for name in stored.files})
    return model.eval().requires_grad_(False)


def golden(case: str) -> dict[str, NDArray[Any]]:
    with np.load(GOLDEN / f"auto_{case}.npz") as stored:
        return dict(stored)


def settings_of(stored: dict[str, NDArray[Any]]) -> AutoMaskSettings:
    given = json.loads(str(stored["settings"]))
    return AutoMaskSettings(**{OUR_NAMES.get(name, name): value for name, value in given.items()})


def masker_of(model: Sam, settings: AutoMaskSettings) -> AutoMasker:
    return AutoMasker(model, spec_of(side=SIDE), torch.device("cpu"), settings)


@pytest.mark.parametrize("case", CASES)
def test_the_masks_are_the_ones_of_the_reference(case: str, taught: Sam) -> None:
    """The same masks in the same order, from the same points and crops; see tests/golden."""
    stored = golden(case)
    image = stored["image"]
    shape = (1, *image.shape[:2])
    found = masker_of(taught, settings_of(stored)).masks(image, PlaneRef(0, 0), shape)

    assert len(found) == len(stored["area"])
    np.testing.assert_allclose([one.predicted_iou for one in found], stored["predicted_iou"], atol=1e-5)
    np.testing.assert_allclose([one.stability for one in found], stored["stability_score"], atol=2e-3)
    points_xy = [one.point_rc[::-1] for one in found]
    np.testing.assert_allclose(points_xy, stored["point_coords"][:, 0], atol=1e-9)
    x, y, width, height = stored["crop_box"].T
    np.testing.assert_array_equal(
        [one.crop.region for one in found], np.stack([y, x, y + height, x + width], 1)
    )
    counts = np.split(stored["counts"], np.cumsum(stored["n_counts"])[:-1])
    for one, expected in zip(found, counts, strict=True):
        mask = RunLengths((shape[1], shape[2]), tuple(expected.tolist())).to_mask()
        assert np.count_nonzero(one.mask.to_plane(one.plane, shape) != mask) <= 1  # a logit of 0 to rounding
