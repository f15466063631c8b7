from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.transform import resize
from torch.nn import functional as F

from napari_sam.engine.frame import MASK_LOGIT, Frame
from napari_sam.engine.stretched import CubicStretchedFrame, StretchedFrame, frame_of
from napari_sam.errors import InvalidPrompt
from tests.golden.recipe import picture
from tests.tiny_models import MEAN, STD, spec_of

SIDE = 64
SIZES = [(40, 90, None), (150, 70, 3), (64, 64, None), (1, 30, 3), (5, 7, None)]


@pytest.mark.parametrize(
    ("way", "kind"), [("pad", Frame), ("stretch", StretchedFrame), ("stretch_cubic", CubicStretchedFrame)]
)
def test_each_way_to_resize_has_its_frame(way: str, kind: type[Frame]) -> None:
    frame = frame_of(spec_of(resize=way, side=SIDE), (40, 90))
    assert type(frame) is kind
    assert (frame.plane_hw, frame.side) == ((40, 90), SIDE)
    with pytest.raises(InvalidPrompt, match="at least one voxel"):
        frame_of(spec_of(resize=way), (0, 90))


@given(st.tuples(st.integers(1, 900), st.integers(1, 900)), st.floats(-0.5, 900), st.floats(-0.5, 900))
def test_points_go_there_and_back(plane_hw: tuple[int, int], row: float, col: float) -> None:
    frame = StretchedFrame(plane_hw, 512)
    assert frame.to_plane_rc(frame.to_model_xy((row, col))) == pytest.approx((row, col), abs=1e-6)


def test_edges_of_the_plane_are_those_of_the_square() -> None:
    assert StretchedFrame((40, 90), SIDE).corners_xy((0, 0, 40, 90)) == ((-0.5, -0.5), (63.5, 63.5))
    assert StretchedFrame((32, 128), SIDE).to_model_xy((15.5, 63.5)) == (31.5, 31.5)


@pytest.mark.parametrize("size", SIZES)
def test_stretched_pixels_are_bilinear_in_fractions_of_levels(size: tuple[int, int, int | None]) -> None:
    plane = picture("stretched", *size)
    found = StretchedFrame(plane.shape[:2], SIDE).pixels(plane, MEAN, STD)
    values = torch.from_numpy(plane.reshape(*size[:2], -1)).permute(2, 0, 1)[None] / 255
    square = F.interpolate(values, size=(SIDE, SIDE), mode="bilinear", align_corners=False)[0]
    expected = (square - torch.tensor(MEAN)[:, None, None] / 255) / (torch.tensor(STD)[:, None, None] / 255)
    assert found.shape == (3, SIDE, SIDE)
    assert float((found - expected).abs().max()) < 1e-5


@pytest.mark.parametrize("size", SIZES)
def test_cubic_pixels_fill_the_range_from_0_to_1(size: tuple[int, int, int | None]) -> None:
    """The steps that MedSAM describes: splines, whole levels, and the picture's own range to 0..1."""
    plane = picture("cubic", *size)
    frame = CubicStretchedFrame(plane.shape[:2], SIDE)
    found = frame.pixels(plane, (0, 0, 0), (255, 255, 255), own_range=True)
    rgb = plane if plane.ndim == 3 else np.repeat(plane[..., None], 3, axis=2)
    whole = resize(rgb, (SIDE, SIDE), order=3, preserve_range=True, anti_aliasing=True).astype(np.uint8)
    expected = (whole - whole.min()) / (whole.max() - whole.min())
    assert (float(found.min()), float(found.max())) == pytest.approx((0, 1))
    assert np.abs(found.permute(1, 2, 0).numpy() - expected).max() < 1e-6


@pytest.mark.parametrize("kind", [Frame, StretchedFrame, CubicStretchedFrame])
def test_a_plane_of_one_level_is_no_division_by_zero(kind: type[Frame]) -> None:
    plane = np.full((9, 12), 77, np.uint8)
    found = kind((9, 12), SIDE).pixels(plane, (0, 0, 0), (255, 255, 255), own_range=True)
    assert not found.any()


def _logits() -> torch.Tensor:
    return 4 * torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_stretched_logits_come_back_cubic_in_one_step() -> None:
    expected = F.interpolate(_logits()[None], (40, 90), mode="bicubic")[0]
    assert torch.equal(StretchedFrame((40, 90), SIDE).plane_logits(_logits()), expected)


def test_cubic_logits_come_back_on_probabilities() -> None:
    likely = F.interpolate(_logits()[None].sigmoid(), (40, 90), mode="bilinear", align_corners=False)[0]
    found = CubicStretchedFrame((40, 90), SIDE).plane_logits(_logits())
    assert torch.equal(found > 0, likely > 0.5)
    assert torch.isfinite(found).all()
    assert float((found.sigmoid() - likely).abs().max()) < 1e-5


@pytest.mark.parametrize("plane_hw", [(40, 90), (200, 60), (64, 64)])
def test_hints_are_in_one_frame_for_all_models(plane_hw: tuple[int, int]) -> None:
    """What a stretching model hints at is the same place to a padding one, and comes back to itself."""
    stretched, padded = StretchedFrame(plane_hw, 4 * SIDE), Frame(plane_hw, 4 * SIDE)
    rows, cols = torch.meshgrid(torch.linspace(-1, 1, SIDE), torch.linspace(-1, 1, SIDE), indexing="ij")
    low = 5 * (0.5 - (rows - 0.2) ** 2 - (cols + 0.3) ** 2)[None]
    hint = stretched.to_hint(low)
    assert hint.shape == low.shape
    theirs, own = padded.plane_logits(hint) > 0, stretched.plane_logits(low) > 0
    assert float((theirs & own).sum() / (theirs | own).sum()) > 0.93
    again = stretched.from_hint(hint[0], (SIDE, SIDE)) > 0
    assert float((again & (low[0] > 0)).sum() / (again | (low[0] > 0)).sum()) > 0.9
    height, width = Frame(plane_hw, SIDE).resized_hw
    assert (hint[:, height:] == -MASK_LOGIT).all()
    assert (hint[:, :, width:] == -MASK_LOGIT).all()


def test_a_padding_model_takes_hints_as_they_are() -> None:
    frame, logits = Frame((40, 90), SIDE), _logits()
    assert frame.to_hint(logits) is logits
    assert torch.equal(frame.from_hint(logits[0], (16, 16)), logits[0])
