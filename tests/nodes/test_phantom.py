from __future__ import annotations

import numpy as np
import pytest

from napari_sam.nodes.phantom import PHANTOM_NAMES, make_phantom


def test_it_is_the_same_every_time() -> None:
    (first, first_labels), (second, second_labels) = make_phantom(), make_phantom()
    assert first.digest() == second.digest()
    assert np.array_equal(first_labels, second_labels)


def test_it_lies_in_space_as_a_ct_does() -> None:
    volume, labels = make_phantom()
    assert volume.shape == labels.shape == (40, 160, 160)
    assert volume.geometry.spacing_mm == pytest.approx((3.0, 1.5, 1.5))
    # The grid is centred: its middle is the world's origin.
    middle_idx = (np.array(volume.shape) - 1) / 2
    assert volume.geometry.index_to_mm(middle_idx) == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)
    assert volume.provenance.modality == "CT"


@pytest.mark.parametrize(
    ("name", "side"),
    [("liver", "right"), ("right kidney", "right"), ("left kidney", "left"), ("spleen", "left")],
)
def test_organs_lie_on_their_side(name: str, side: str) -> None:
    volume, labels = make_phantom()
    label = next(value for value, known in PHANTOM_NAMES.items() if known == name)
    x_mm = volume.geometry.index_to_mm(np.argwhere(labels == label).mean(axis=0))[0]
    assert (x_mm > 0) == (side == "left")  # LPS: x grows to the patient's left


def test_tissues_have_their_hounsfield_units() -> None:
    volume, labels = make_phantom()
    means = {name: float(volume.data[labels == value].mean()) for value, name in PHANTOM_NAMES.items()}
    assert means["liver"] == pytest.approx(112, abs=8)
    assert means["left kidney"] == pytest.approx(170, abs=15)
    assert means["aorta"] == pytest.approx(200, abs=12)  # 225 less what the edge voxels share with fat
    assert volume.data[0, 0, 0] < -950
    assert volume.data.dtype == np.int16


def test_every_label_has_a_name_and_voxels() -> None:
    _, labels = make_phantom()
    values, counts = np.unique(labels[labels > 0], return_counts=True)
    assert list(values) == sorted(PHANTOM_NAMES)
    assert counts.min() > 1000
