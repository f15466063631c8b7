from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.core.window import HU_PRESETS, Window, parse_window, resolve_window
from napari_sam.errors import InvalidWindow
from volumes import Geometry, Provenance, Volume


def volume_of(
    data: np.ndarray, modality: str | None = None, suggested: tuple[float, float] | None = None
) -> Volume:
    return Volume(data, Geometry.from_spacing(data.shape[:3]), Provenance("test", modality), suggested)


def test_known_values() -> None:
    plane = np.array([[-1024, -160, 40, 240, 3000]], np.int16)
    assert HU_PRESETS["soft-tissue"].to_uint8(plane).tolist() == [[0, 0, 128, 255, 255]]


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4), st.lists(st.floats(-1e5, 1e5), min_size=2, max_size=20))
def test_mapping_keeps_the_order_and_the_ends(low: float, width: float, values: list[float]) -> None:
    window = Window(low, low + width)
    mapped = window.to_uint8(np.array([sorted(values)], np.float64))
    assert mapped.dtype == np.uint8
    assert (np.diff(mapped[0].astype(int)) >= 0).all()
    assert window.to_uint8(np.array([[low - 10 * width, low + 11 * width]])).tolist() == [[0, 255]]


def test_uint8_is_unchanged_by_its_own_window() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(Window(0, 255).to_uint8(grey), grey)


def test_not_a_number_is_black() -> None:
    plane = np.array([[np.nan, np.inf, -np.inf]])
    assert Window(0, 1).to_uint8(plane).tolist() == [[0, 255, 0]]


def test_rgb_pictures_pass_and_other_rgb_is_scaled() -> None:
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert np.array_equal(Window(10, 20).to_uint8(picture), picture)
    deep = np.full((2, 2, 3), 1000, np.uint16)
    assert (Window(0, 2000).to_uint8(deep) == 128).all()


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("auto", None),
        ("lung", Window(-1350, 150)),
        ("Soft Tissue", Window(-160, 240)),
        ("soft_tissue", Window(-160, 240)),
        ("-50,150", Window(-50, 150)),
        (" 0.5 , 1e3 ", Window(0.5, 1000)),
    ],
)
def test_text(text: str, window: Window | None) -> None:
    assert parse_window(text) == window


@pytest.mark.parametrize("text", ["liverr", "", "1", "1,2,3", "5,5", "7,3", "nan,3", "0,inf"])
def test_unusable_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidWindow):
        parse_window(text)


def test_unknown_name_lists_the_presets() -> None:
    with pytest.raises(InvalidWindow, match=r"'spine'.*soft-tissue.*lung"):
        parse_window("spine")


class TestResolving:
    ct = np.random.default_rng(0).integers(-1000, 1500, (3, 20, 20)).astype(np.int16)

    def test_explicit_comes_first(self) -> None:
        volume = volume_of(self.ct, "CT", (0.0, 10.0))
        assert resolve_window(volume, Window(1, 2)) == Window(1, 2)
        assert resolve_window(volume, "bone") == HU_PRESETS["bone"]
        assert resolve_window(volume, "auto") == HU_PRESETS["soft-tissue"]

    def test_what_the_file_suggests_only_on_request(self) -> None:
        suggesting = volume_of(self.ct, "CT", (-20.0, 80.0))
        assert resolve_window(suggesting, "file") == Window(-20, 80)
        assert resolve_window(suggesting) == resolve_window(volume_of(self.ct, None))
        with pytest.raises(InvalidWindow, match="suggests none"):
            resolve_window(volume_of(self.ct), "file")

    @pytest.mark.parametrize("modality", ["CT", None])
    def test_ct_is_soft_tissue(self, modality: str | None) -> None:
        assert resolve_window(volume_of(self.ct, modality)) == HU_PRESETS["soft-tissue"]
        assert resolve_window(volume_of(self.ct.astype(np.float32), modality)) == HU_PRESETS["soft-tissue"]

    def test_ct_already_in_grey_values_is_left(self) -> None:
        assert resolve_window(volume_of((self.ct % 256).astype(np.uint8), "CT")) == Window(0, 255)

    def test_signed_microscopy_is_no_ct(self) -> None:
        data = np.random.default_rng(0).integers(-32768, -20000, (3, 20, 20)).astype(np.int16)
        window = resolve_window(volume_of(data))
        assert window.low < -32000
        assert window.high > -21000

    def test_mr_uses_percentiles_of_the_whole_volume(self) -> None:
        data = np.random.default_rng(0).integers(0, 1000, (10, 40, 40)).astype(np.uint16)
        data[3, 5, 5] = 65535  # one hot voxel moves nothing
        window = resolve_window(volume_of(data, "MR"))
        assert window.low == pytest.approx(5, abs=3)
        assert window.high == pytest.approx(995, abs=3)

    def test_never_from_one_plane(self) -> None:
        data = np.zeros((4, 16, 16), np.float32)
        data[3] = np.linspace(0, 100, 256).reshape(16, 16)
        assert resolve_window(volume_of(data)).high > 90

    def test_constant_and_broken_volumes_have_a_window(self) -> None:
        assert resolve_window(volume_of(np.full((1, 4, 4), 7, np.int16))) == Window(7, 8)
        assert resolve_window(volume_of(np.full((1, 4, 4), np.nan, np.float32))) == Window(0, 1)

    def test_large_volumes_are_sampled_alike_each_time(self) -> None:
        data = np.random.default_rng(0).normal(size=(20, 600, 600)).astype(np.float32)
        assert resolve_window(volume_of(data)) == resolve_window(volume_of(data))

    def test_real_ct(self, shared_data) -> None:
        import volumes

        volume = volumes.read(shared_data / "eval" / "ct3d" / "ts_ct_abdomen.nii.gz")
        assert resolve_window(volume) == HU_PRESETS["soft-tissue"]
