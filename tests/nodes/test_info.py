from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_sam.core.window import Window
from napari_sam.nodes.info import describe_volume, find_orientation, info_record
from volumes import Geometry, Provenance, Volume


def test_an_axial_series_is_spl() -> None:
    orientation = find_orientation(Geometry.from_spacing((3, 4, 5), (2, 1, 1)))
    assert orientation.code == "SPL"
    assert orientation.oblique_deg == pytest.approx(0)
    assert orientation.words == "planes run to the head, rows to the back, columns to the left"


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", list(itertools.product((False, True), repeat=3)))
def test_all_48_orientations_are_named(axes: tuple[int, ...], flips: tuple[bool, ...]) -> None:
    geometry = Geometry.from_spacing((3, 4, 5), (2, 1, 0.7)).permute(axes)
    code = ["SPL"[axis] for axis in axes]
    for axis, is_flipped in enumerate(flips):
        if is_flipped:
            geometry = geometry.flip(axis)
            code[axis] = {"S": "I", "P": "A", "L": "R"}[code[axis]]
    assert find_orientation(geometry).code == "".join(code)


def test_an_oblique_series_tells_its_angle() -> None:
    angle = np.deg2rad(20)
    affine = np.eye(4)[[2, 1, 0, 3]]
    affine[:3, :3] = (
        np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        @ affine[:3, :3]
    )
    orientation = find_orientation(Geometry((3, 4, 5), affine))
    assert orientation.code == "SPL"
    assert orientation.oblique_deg == pytest.approx(20)


def test_a_volume_is_described_in_plain_values() -> None:
    data = np.array([[[-1000, 0], [60, 1200]]], dtype=np.int16)
    volume = Volume(
        data, Geometry.from_spacing((1, 2, 2), (5, 1, 0.5)), Provenance("DICOM", "CT", "1.2.3", ("note",))
    )
    info = describe_volume(volume)
    assert (info.lowest, info.highest) == (-1000, 1200)
    assert info.window == Window(-160, 240)
    record = info_record(info)
    assert record["spacing_mm"] == pytest.approx([5, 1, 0.5])
    assert record["modality"] == "CT"
    assert record["window"] == [-160, 240]
    assert record["orientation"] == "SPL"


def test_values_that_are_no_numbers_do_not_count() -> None:
    data = np.array([[[np.nan, 1.0], [np.inf, -2.0]]], dtype=np.float32)
    info = describe_volume(Volume(data, Geometry.from_spacing((1, 2, 2)), Provenance("test")))
    assert (info.lowest, info.highest) == (-2.0, 1.0)
