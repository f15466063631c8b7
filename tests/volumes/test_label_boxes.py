from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from volumes._label_boxes import label_boxes

VALUES = st.sampled_from([0, 0, 0, 1, 2, 255, 70_000, 2**32 - 1])


@given(labels=hnp.arrays(np.uint32, hnp.array_shapes(min_dims=2, max_dims=3, max_side=5), elements=VALUES))
def test_each_label_has_its_smallest_box(labels: NDArray[np.uint32]) -> None:
    boxes = label_boxes(labels)
    assert list(boxes) == [value for value in np.unique(labels).tolist() if value]
    for value, box in boxes.items():
        places = np.argwhere(labels == value)
        assert [(side.start, side.stop) for side in box] == list(
            zip(places.min(axis=0), places.max(axis=0) + 1, strict=True)
        )
