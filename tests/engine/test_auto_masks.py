"""Everything in a plane: the masks of the reference implementation, and what it promises besides."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

import napari_sam
from napari_sam.core.auto_plan import AutoMaskSettings, Crop
from napari_sam.core.jobs import Cancel
from napari_sam.core.planes import PlaneRef
from napari_sam.core.run_lengths import RunLengths
from napari_sam.core.scores import mask_iou
from napari_sam.engine.auto_masks import AutoMasker
from napari_sam.engine.auto_planes import auto_masks
from napari_sam.engine.frame import Frame
from napari_sam.engine.mask_sieve import MaskSieve
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.engine.upscaling import Upscaler
from napari_sam.errors import Cancelled, InvalidPrompt, SettingsError, UnsupportedPrompt
from napari_sam.models.sam import Sam
from napari_sam.models.tiny_sam import TinySam
from napari_sam.store.cache import EmbeddingStore
from tests.fakes import FakeSegmenter
from tests.taught_model import taught_sam
from tests.tiny_models import DIM, SIDE, random_sam, spec_of
from volumes import Geometry, Provenance, Volume

GOLDEN = Path(__file__).parents[1] / "golden"
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
    return taught_sam()


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


@pytest.fixture
def segmenter(taught: Sam, tmp_path: Path) -> SamSegmenter:
    """The taught network as a segmenter that recommends settings of its own."""
    lax = AutoMaskSettings(8, 7, 0.3, 0.4, 1.0, 0.8, 0, 0.8)
    spec = spec_of(side=SIDE, auto_masks=lax)
    store = EmbeddingStore(tmp_path / "cache", 2**20, 0)
    return SamSegmenter(taught, spec, "0" * 64, store, torch.device("cpu"))


@pytest.fixture
def volume() -> Volume:
    """The picture of the plain grid, as plane 1 across axis 2 of a volume."""
    grey = golden("grid")["image"].mean(axis=2).round().astype(np.uint8)
    data = np.zeros((*grey.shape, 3), np.uint8)
    data[..., 1] = grey
    return Volume(data, Geometry.from_spacing(data.shape), Provenance("test"))


def test_any_plane_can_be_asked_about(segmenter: SamSegmenter, volume: Volume) -> None:
    plane = PlaneRef(2, 1)
    found = auto_masks(segmenter, volume, plane)
    upright = Volume(np.moveaxis(volume.data, 2, 0), Geometry.from_spacing((3, 90, 90)), volume.provenance)
    same = napari_sam.auto_masks(segmenter, upright, PlaneRef(0, 1))
    assert len(found) == len(same) > 5
    for one, other in zip(found, same, strict=True):
        assert one.plane == plane
        assert one.mask.box.shape[2] == 1
        assert one.box_hw == other.box_hw
        assert one.area_px == other.area_px
    scores = [one.predicted_iou for one in found]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("n_at_once", [1, 64])
def test_the_size_of_a_batch_changes_nothing(n_at_once: int, segmenter: SamSegmenter, volume: Volume) -> None:
    plane, recommended = PlaneRef(2, 1), segmenter.spec.auto_masks
    expected = auto_masks(segmenter, volume, plane)
    found = auto_masks(segmenter, volume, plane, replace(recommended, points_per_batch=n_at_once))
    assert [one.box_hw for one in found] == [one.box_hw for one in expected]


def test_thresholds_of_zero_keep_all_masks_that_are_there(segmenter: SamSegmenter, volume: Volume) -> None:
    everything = AutoMaskSettings(3, pred_iou_threshold=0, stability_score_threshold=0, box_nms_threshold=1.0)
    found = auto_masks(segmenter, volume, PlaneRef(2, 1), everything)
    fewer = auto_masks(segmenter, volume, PlaneRef(2, 1), replace(everything, stability_score_threshold=0.5))
    assert len(fewer) < len(found) <= 27
    assert all(one.area_px > 0 for one in found)
    assert {one.box_hw for one in fewer} <= {one.box_hw for one in found}


def test_points_of_ones_own(segmenter: SamSegmenter, volume: Volume) -> None:
    own = replace(segmenter.spec.auto_masks, point_grids=[[[0.5, 0.25]]])
    found = auto_masks(segmenter, volume, PlaneRef(2, 1), own)
    assert {one.point_rc for one in found} <= {(45.0, 22.5)}


def test_a_model_that_speaks_of_presence_may_be_believed(volume: Volume, tmp_path: Path) -> None:
    model = random_sam(2, lambda: TinySam(SIDE, DIM))
    device, store = torch.device("cpu"), EmbeddingStore(tmp_path / "cache", 2**20, 0)
    segmenter = SamSegmenter(model, spec_of(side=SIDE), "0" * 64, store, device)
    lax = AutoMaskSettings(4, pred_iou_threshold=-1, stability_score_threshold=-1, box_nms_threshold=1.0)
    everywhere = auto_masks(segmenter, volume, PlaneRef(2, 1), lax)
    nowhere = auto_masks(segmenter, volume, PlaneRef(2, 1), replace(lax, presence_threshold=1.0))
    assert len(everywhere) > 0
    assert len(nowhere) == 0


def test_work_can_be_followed_and_stopped(segmenter: SamSegmenter, volume: Volume) -> None:
    cancel, seen = Cancel(), []
    masker = AutoMasker.of(segmenter)
    picture = np.ascontiguousarray(PlaneRef(2, 1).take(volume.data))

    def told(n_done: int, n_all: int) -> None:
        seen.append((n_done, n_all))
        if n_done >= 14:
            cancel.cancel()

    with pytest.raises(Cancelled):
        masker.candidates(picture, cancel, told)
    assert seen == [(7, 64), (14, 64)]


def test_what_cannot_be_asked_says_so(segmenter: SamSegmenter, volume: Volume, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedPrompt, match=r"'fake\.test' cannot segment everything"):
        auto_masks(FakeSegmenter(), volume)
    boxes_only = spec_of(prompts=frozenset({"box"}))
    device, store = torch.device("cpu"), EmbeddingStore(tmp_path, 2**20, 0)
    with pytest.raises(UnsupportedPrompt, match="use a model that takes points"):
        auto_masks(SamSegmenter(segmenter.model, boxes_only, "0" * 64, store, device), volume)
    with pytest.raises(InvalidPrompt, match="plane 3 on axis 2"):
        auto_masks(segmenter, volume, PlaneRef(2, 3))
    with pytest.raises(SettingsError, match="90 x 3 pixels is too small for 2 crop layers"):
        auto_masks(segmenter, volume, PlaneRef(0, 3), AutoMaskSettings(crop_n_layers=6))


@pytest.mark.parametrize("resize", ["stretch", "stretch_cubic"])
def test_models_that_see_planes_stretched(resize: str, taught: Sam, volume: Volume) -> None:
    """A plane drawn twice as wide is the same to them, and its masks come out twice as wide."""
    lax = AutoMaskSettings(8, 64, 0.3, 0.4, 1.0, 0.8)
    spec = spec_of(side=SIDE, resize=resize)
    plain = volume.data[..., 1]
    drawn = []
    for picture in (plain, plain.repeat(2, axis=1)):
        shape = (1, *picture.shape)
        found = AutoMasker(taught, spec, torch.device("cpu"), lax).masks(picture, PlaneRef(0, 0), shape)
        drawn.append([one.mask.to_plane(one.plane, shape) for one in found])
    assert len(drawn[0]) > 5
    again = [max(mask_iou(mask.repeat(2, axis=1), wide) for wide in drawn[1]) > 0.9 for mask in drawn[0]]
    assert np.mean(again) > 0.8


class OtherFrame(Frame):
    """A frame of a kind that the shortcut does not know."""


def test_frames_of_other_kinds_resize_in_their_own_way() -> None:
    plane_hw, lax = (90, 80), AutoMaskSettings(stability_score_threshold=0.4)
    smooth = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(20, 16, 16)), (0, 2, 2))
    low = torch.from_numpy((20 * smooth).astype(np.float32))
    crop = Crop((0, 0, *plane_hw), 0)
    quick, own = (
        MaskSieve(kind(plane_hw, SIDE), crop, plane_hw, lax).sift(low) for kind in (Frame, OtherFrame)
    )
    assert len(quick[0]) > 0
    np.testing.assert_array_equal(quick[0], own[0])
    np.testing.assert_allclose(quick[1], own[1], atol=2e-3)
    assert [mask.corners for mask in quick[2]] == [mask.corners for mask in own[2]]


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.integers(0, 2**32 - 1),
    st.floats(-2, 2),
)
def test_resizing_a_part_gives_the_part_of_the_resized(
    plane_hw: tuple[int, int], seed: int, level: float
) -> None:
    """`Upscaler.above` against `Frame.plane_logits`: the same, and nothing above the level elsewhere."""
    frame = Frame(plane_hw, SIDE)
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(16, 16)), 2, mode="wrap")
    low = torch.from_numpy((smooth / smooth.std()).astype(np.float32))
    whole = frame.plane_logits(low[None])[0].numpy()
    part, row0, col0 = Upscaler(frame, (16, 16)).above(low, level)
    drawn = np.full(plane_hw, -np.inf, np.float32)
    drawn[row0 : row0 + part.shape[0], col0 : col0 + part.shape[1]] = part
    assert np.all(whole[np.isinf(drawn)] <= level + 1e-5)
    np.testing.assert_allclose(np.where(np.isinf(drawn), whole, drawn), whole, atol=1e-5)
