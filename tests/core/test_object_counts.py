"""Counts kept from edit to edit are those of the labels."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.core.edits import Edit
from napari_sam.core.object_counts import ObjectCounts
from volumes import Box

SHAPE = (4, 6, 5)


def _is_right(counts: ObjectCounts, labels: np.ndarray) -> None:
    for object_id in range(1, 8):
        expected = np.count_nonzero(labels == object_id, axis=(1, 2))
        assert np.array_equal(counts.by_plane(object_id), expected)
        assert counts.voxels(object_id) == expected.sum()
        assert counts.planes(object_id) == np.count_nonzero(expected)


@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_counts_follow_every_edit(seed, n_edits):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 6, SHAPE).astype(np.uint16)
    counts = ObjectCounts(labels)
    _is_right(counts, labels)
    for _ in range(n_edits):
        start = [int(rng.integers(0, n)) for n in SHAPE]
        stop = [int(rng.integers(low, n + 1)) for low, n in zip(start, SHAPE, strict=True)]
        box = Box(tuple(start), tuple(stop))
        before = labels[box.slices()].copy()
        after = rng.integers(0, 7, box.shape).astype(np.uint16)
        labels[box.slices()] = after
        counts.update(Edit(box, before, after, "paint"))
        _is_right(counts, labels)


def test_only_the_boxes_are_counted():
    labels = np.zeros(SHAPE, np.uint16)
    labels[1, 2:4, 2:4], labels[3, 0, 0] = 1, 2
    counts = ObjectCounts(labels, [Box((1, 2, 2), (2, 4, 4)), Box((3, 0, 0), (4, 1, 1))])
    assert (counts.voxels(1), counts.voxels(2), counts.voxels(3)) == (4, 1, 0)
    assert ObjectCounts(labels, []).voxels(1) == 0
