"""Windows around small objects hold the object, in both planes, and nothing but the picture."""

from __future__ import annotations

import pytest
import torch

from napari_sam.training.closer import look_closer


def pair_of(rows: slice, columns: slice, hw: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.zeros(2, *hw, dtype=torch.int64)
    labels[:, rows, columns] = 3
    image = (labels.float() / 3).unsqueeze(1).expand(-1, 3, -1, -1)
    return image, labels


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("start", [0, 60, 185])
def test_the_window_holds_the_object_and_is_a_few_times_as_large(seed, start):
    image, labels = pair_of(slice(start, start + 15), slice(40, 50), (200, 160))
    seen, named = look_closer(image, labels, torch.Generator().manual_seed(seed))
    assert named.shape[1] == named.shape[2]
    assert 40 <= named.shape[1] <= 98
    assert int((named == 3).sum()) == 2 * 15 * 10
    assert torch.equal(seen[:, 0], named / 3)


def test_large_objects_and_empty_pictures_stay_as_they_are():
    rng = torch.Generator().manual_seed(0)
    for rows in (slice(0, 0), slice(20, 180)):
        image, labels = pair_of(rows, slice(10, 150), (200, 160))
        assert look_closer(image, labels, rng)[1] is labels
