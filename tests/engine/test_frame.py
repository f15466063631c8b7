from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_sam.engine.frame import MASK_LOGIT, Frame, smoothly_resized
from napari_sam.errors import InvalidPrompt
from tests.tiny_models import MEAN, STD

SIZES = st.tuples(st.integers(1, 900), st.integers(1, 900))


def _grey(pixels: torch.Tensor) -> torch.Tensor:
    """Undo the normalisation."""
    return pixels * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]


@pytest.mark.parametrize(
    ("plane_hw", "side", "resized_hw"),
    [((512, 512), 1024, (1024, 1024)), ((600, 400), 1024, (1024, 683)), ((41, 39), 512, (512, 487)),
     ((1, 300), 512, (2, 512)), ((3000, 2), 64, (64, 1)), ((1, 1), 64, (64, 64))],
)  # fmt: skip
def test_longest_side_becomes_the_models(
    plane_hw: tuple[int, int], side: int, resized_hw: tuple[int, int]
) -> None:
    assert Frame(plane_hw, side).resized_hw == resized_hw


@given(SIZES, st.sampled_from([64, 512, 1024]))
def test_resized_plane_fits_the_square(plane_hw: tuple[int, int], side: int) -> None:
    resized = Frame(plane_hw, side).resized_hw
    assert max(resized) == side
    assert min(resized) >= 1
    for n, new in zip(plane_hw, resized, strict=True):
        assert abs(new - n * side / max(plane_hw)) <= 0.5 or new == 1


@given(SIZES, st.floats(-0.5, 900), st.floats(-0.5, 900))
def test_points_go_there_and_back(plane_hw: tuple[int, int], row: float, col: float) -> None:
    frame = Frame(plane_hw, 512)
    assert frame.to_plane_rc(frame.to_model_xy((row, col))) == pytest.approx((row, col), abs=1e-6)


def test_x_is_the_column_and_y_the_row() -> None:
    frame = Frame((100, 200), 400)
    assert frame.to_model_xy((0, 0)) == (0.5, 0.5)
    assert frame.to_model_xy((10, 30)) == (60.5, 20.5)
    assert frame.corners_xy((0, 0, 100, 200)) == ((-0.5, -0.5), (399.5, 199.5))
    assert frame.corners_xy((10, 30, 20, 60)) == ((59.5, 19.5), (119.5, 39.5))


def test_where_sizes_agree_model_pixels_are_voxels() -> None:
    assert Frame((512, 512), 512).to_model_xy((17, 301)) == (301, 17)


@pytest.mark.parametrize("plane_hw", [(41, 39), (64, 64), (200, 37), (90, 500)])
def test_voxel_lies_where_its_grey_went(plane_hw: tuple[int, int]) -> None:
    """A smooth blob drawn around a voxel has its centre of mass at that voxel's model pixel."""
    frame = Frame(plane_hw, 128)
    row, col = plane_hw[0] * 0.4, plane_hw[1] * 0.55
    rows, cols = np.ogrid[: plane_hw[0], : plane_hw[1]]
    width = (min(plane_hw) / 10) ** 2
    blob = 255 * np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / (2 * width))
    grey = _grey(frame.pixels(blob.astype(np.uint8), MEAN, STD))[0][
        : frame.resized_hw[0], : frame.resized_hw[1]
    ]
    ys, xs = torch.meshgrid(*(torch.arange(n) for n in grey.shape), indexing="ij")
    found = (float((grey * xs).sum() / grey.sum()), float((grey * ys).sum() / grey.sum()))
    assert found == pytest.approx(frame.to_model_xy((row, col)), abs=0.5)


@pytest.mark.parametrize("plane_hw", [(41, 39), (300, 200), (777, 1500)])
@pytest.mark.parametrize("n_channels", [None, 3])
def test_pixels_are_those_of_pillow(plane_hw: tuple[int, int], n_channels: int | None) -> None:
    shape = plane_hw if n_channels is None else (*plane_hw, n_channels)
    plane = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    frame = Frame(plane_hw, 256)
    pixels = frame.pixels(plane, MEAN, STD)
    height, width = frame.resized_hw
    assert pixels.shape == (3, 256, 256)
    assert pixels.dtype == torch.float32
    assert not pixels[:, height:].any()
    assert not pixels[:, :, width:].any()
    expected = np.asarray(
        Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR), np.float32
    )
    expected = expected[None] if n_channels is None else expected.transpose(2, 0, 1)
    normalised = (expected - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    assert np.abs(pixels[:, :height, :width].numpy() - normalised).max() < 1e-5


def test_plane_of_another_size_is_refused() -> None:
    with pytest.raises(InvalidPrompt, match=r"\(3, 4\).*\(4, 3\)"):
        Frame((4, 3), 64).pixels(np.zeros((3, 4), np.uint8), MEAN, STD)
    with pytest.raises(InvalidPrompt, match="at least one voxel"):
        Frame((0, 3), 64)


@pytest.mark.parametrize("plane_hw", [(41, 39), (64, 64), (500, 180), (33, 400)])
def test_mask_goes_to_the_model_and_back(plane_hw: tuple[int, int]) -> None:
    frame = Frame(plane_hw, 512)
    rows, cols = np.ogrid[: plane_hw[0], : plane_hw[1]]
    mask = ((rows / plane_hw[0] - 0.45) / 0.3) ** 2 + ((cols / plane_hw[1] - 0.6) / 0.25) ** 2 <= 1
    logits = frame.mask_logits(mask, (128, 128))
    assert logits.shape == (128, 128)
    assert float(logits.max()) == MASK_LOGIT
    assert float(logits.min()) == -MASK_LOGIT
    back = (frame.plane_logits(logits[None])[0] > 0).numpy()
    assert back.shape == plane_hw
    overlap = (mask & back).sum() / (mask | back).sum()
    assert overlap > 0.9


@pytest.mark.parametrize("plane_hw", [(600, 1), (1, 600), (900, 2), (2, 900), (40, 1), (3, 1)])
def test_mask_of_a_plane_a_voxel_wide_stays_where_it_is(plane_hw: tuple[int, int]) -> None:
    mask = np.indices(plane_hw).sum(axis=0) < max(plane_hw) // 2
    frame = Frame(plane_hw, 256)
    back = frame.plane_logits(frame.mask_logits(mask, (256, 256))[None])[0].numpy()
    assert np.count_nonzero((back > 0) ^ mask) <= max(plane_hw) // 128


@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(0, 9),
)
def test_smooth_resizing_is_pillows(from_hw: tuple[int, int], to_hw: tuple[int, int], seed: int) -> None:
    picture = np.random.default_rng(seed).random(from_hw, np.float32)
    found = smoothly_resized(torch.from_numpy(picture)[None, None], to_hw)[0, 0].numpy()
    expected = np.asarray(Image.fromarray(picture).resize(to_hw[::-1], Image.Resampling.BILINEAR))
    assert found.shape == to_hw
    assert np.abs(found - expected).max() < 1e-4


def test_padding_of_the_logits_is_cut_off() -> None:
    frame = Frame((50, 100), 64)
    low = torch.full((2, 16, 16), -5.0)
    low[:, :8] = 3.0  # the plane's half of the square
    found = frame.plane_logits(low)
    assert found.shape == (2, 50, 100)
    assert torch.allclose(found[:, :46], torch.tensor(3.0), atol=0.2)


def test_logits_come_back_in_two_steps_as_published() -> None:
    low = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(0))
    square = torch.nn.functional.interpolate(low[None], (64, 64), mode="bilinear", align_corners=False)
    expected = torch.nn.functional.interpolate(
        square[..., :32, :], (50, 100), mode="bilinear", align_corners=False
    )
    assert torch.equal(Frame((50, 100), 64).plane_logits(low), expected[0])
