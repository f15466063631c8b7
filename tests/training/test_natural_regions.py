"""Regions of photographs as objects: what stands out is found, texture is not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_sam.training.natural_regions import NaturalRegions, find_regions
from napari_sam.training.real_images import LabelledFrames


@pytest.fixture
def image() -> np.ndarray:
    image = np.full((120, 160, 3), (40, 90, 60), np.uint8)
    image[20:60, 30:80] = (200, 60, 50)
    image[80:110, 100:150] = (90, 90, 220)
    return image


def test_plain_things_are_found_whole(image):
    labels = find_regions(image, scale=500.0)
    for rows, columns in ((slice(20, 60), slice(30, 80)), (slice(80, 110), slice(100, 150))):
        inside = labels[rows, columns]
        number = np.bincount(inside[inside > 0]).argmax()
        assert number > 0
        truth = np.zeros(labels.shape, dtype=bool)
        truth[rows, columns] = True
        found = labels == number
        assert (found & truth).sum() / (found | truth).sum() > 0.9


def test_the_ground_around_things_is_no_object(image):
    assert find_regions(image, scale=500.0)[5, 5] == 0


def test_a_draw_is_one_frame_with_labels_and_comes_again(image):
    item = LabelledFrames(
        (image, image[::-1].copy()), (np.zeros(image.shape[:2], np.int32),) * 2, "video", "a"
    )
    regions = NaturalRegions()
    drawn = [regions.draw(item, torch.Generator().manual_seed(3)) for _ in range(2)]
    assert [len(d.images) for d in drawn] == [1, 1]
    assert drawn[0].labels[0] is drawn[1].labels[0]
    assert int(drawn[0].labels[0].max()) > 0
