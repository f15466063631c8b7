from __future__ import annotations

import numpy as np
import pytest

from napari_sam.core.labels import fit_labels, object_extents, with_mask
from napari_sam.core.masks import BoxedMask
from napari_sam.errors import InvalidEdit
from volumes import Box

SHAPE = (2, 4, 5)


def test_new_labels_are_zeros_of_uint16() -> None:
    labels = fit_labels(None, SHAPE)
    assert labels.dtype == np.uint16
    assert labels.shape == SHAPE
    assert not labels.any()


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_fitting_labels_are_used_themselves(dtype: type) -> None:
    given = np.zeros(SHAPE, dtype)
    assert fit_labels(given, SHAPE) is given
    given.flags.writeable = False
    copied = fit_labels(given, SHAPE)
    assert copied.flags.writeable
    assert copied.dtype == dtype


@pytest.mark.parametrize(
    ("dtype", "highest", "fitted"),
    [
        (bool, 1, np.uint16),
        (np.uint8, 200, np.uint16),
        (np.int64, 65535, np.uint16),
        (np.int32, 65536, np.uint32),
    ],
)
def test_other_labels_are_copied_without_loss(dtype: type, highest: int, fitted: type) -> None:
    given = np.zeros(SHAPE, dtype)
    given[1, 2, 3] = highest
    labels = fit_labels(given, SHAPE)
    assert labels.dtype == fitted
    assert np.array_equal(labels, given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((2, 4, 4), np.uint16), r"\(2, 4, 4\).*\(2, 4, 5\)"),
        (np.zeros(SHAPE, np.float32), "float32"),
        (np.full(SHAPE, -1), "from -1"),
        (np.full(SHAPE, 2**40), "1099511627776"),
    ],
)
def test_unfit_labels_are_refused(given: np.ndarray, said: str) -> None:
    with pytest.raises(InvalidEdit, match=said):
        fit_labels(given, SHAPE)


@pytest.mark.parametrize("ids", [(1, 7), (5, 4_000_000_000)])
def test_extents_are_tight(ids: tuple[int, int]) -> None:
    labels = np.zeros(SHAPE, np.uint32)
    labels[0, 1:3, 2] = ids[0]
    labels[1, 3, 4] = labels[0, 0, 0] = ids[1]
    assert object_extents(labels) == {
        ids[0]: Box((0, 1, 2), (1, 3, 3)),
        ids[1]: Box((0, 0, 0), (2, 4, 5)),
    }
    assert object_extents(np.zeros(SHAPE, np.uint16)) == {}


def test_a_mask_replaces_its_own_voxels_and_takes_only_background() -> None:
    before = np.array([[[1, 1, 0, 2, 0]]], np.uint16)
    mask = BoxedMask(Box((0, 0, 1), (1, 1, 4)), np.ones((1, 1, 3), bool))
    after = with_mask(before, Box((0, 0, 0), (1, 1, 5)), mask, 1)
    assert after.tolist() == [[[0, 1, 1, 2, 0]]]
    assert before.tolist() == [[[1, 1, 0, 2, 0]]]
