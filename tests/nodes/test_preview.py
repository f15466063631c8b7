from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from napari_sam.core.window import Window
from napari_sam.nodes.object_prompts import ObjectPrompts, box_in_plane, group_prompts
from napari_sam.nodes.preview import PreviewScene, choose_planes, render_preview
from volumes import Geometry, Provenance, Volume

RED = (255, 99, 71)  # the first object's outline


def picture(scene: PreviewScene) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(render_preview(scene))).convert("RGB"))


def scene_of(labels: NDArray[np.uint16], geometry: Geometry, *objects: ObjectPrompts) -> PreviewScene:
    volume = Volume(np.zeros(labels.shape, np.int16), geometry, Provenance("test"))
    axis = objects[0].by_plane[0][0].axis
    return PreviewScene(volume, labels, Window(0, 100), axis, objects)


def extent_px(image: NDArray[np.uint8], colour: tuple[int, int, int], below: int = 30) -> tuple[int, int]:
    """Height and width of what is drawn in a colour, without the captions."""
    rows, cols = np.nonzero((image[below:] == colour).all(axis=2))
    return int(np.ptp(rows)) + 1, int(np.ptp(cols)) + 1


@pytest.mark.parametrize(
    ("filled", "anchors", "chosen"),
    [
        (range(5), [2], [0, 1, 2, 3, 4]),
        (range(100), [50], [0, 9, 18, 27, 36, 45, 50, 63, 72, 81, 90, 99]),
        (range(10, 100), [3], [3, 18, 26, 34, 42, 50, 59, 67, 75, 83, 91, 99]),
        ([], [3], [3]),
        (range(5), list(range(40)), [0, 4, 7, 11, 14, 18, 21, 25, 28, 32, 35, 39]),
    ],
)
def test_planes_are_spread_and_the_anchors_are_among_them(
    filled: range, anchors: list[int], chosen: list[int]
) -> None:
    assert choose_planes(list(filled), anchors) == chosen


def test_pixels_have_the_true_aspect() -> None:
    labels = np.zeros((1, 40, 40), np.uint16)
    labels[0, 10:30, 10:30] = 1  # 20 × 20 voxels of 3 × 1 mm: three times as high as wide
    scene = scene_of(
        labels,
        Geometry.from_spacing(labels.shape, (5, 3, 1)),
        group_prompts(1, "", [box_in_plane(0, 0, (10, 10, 30, 30))]),
    )
    height, width = extent_px(picture(scene), RED, below=54)  # captions of a narrow picture take two lines
    assert height / width == pytest.approx(3, rel=0.08)


def test_the_head_is_at_the_top() -> None:
    labels = np.zeros((30, 8, 30), np.uint16)
    labels[22:26, :, 10:20] = 1
    to_the_head = Geometry.from_spacing(labels.shape)
    objects = group_prompts(1, "", [box_in_plane(1, 4, (18, 8, 28, 22))], axis=1)

    def height(geometry: Geometry) -> float:
        rows = np.nonzero((picture(scene_of(labels, geometry, objects))[30:] == RED).all(axis=2))[0]
        return float(rows[rows < 300].mean())

    # The planes shown are 12 to 30; the object lies above their middle where planes run to the head.
    assert height(to_the_head) < height(to_the_head.flip(0))


def test_prompted_planes_are_framed() -> None:
    labels = np.zeros((3, 20, 20), np.uint16)
    labels[:, 5:15, 5:15] = 1
    image = picture(
        scene_of(
            labels,
            Geometry.from_spacing(labels.shape),
            group_prompts(1, "x", [box_in_plane(0, 1, (4, 4, 16, 16))]),
        )
    )
    yellow = (image == (255, 209, 71)).all(axis=2)
    cells = np.array_split(yellow[:, 6:], 3, axis=1)
    assert [bool(cell.sum() > 1000) for cell in cells] == [False, True, False]


def test_a_colour_image_and_an_empty_result_can_be_drawn() -> None:
    data = np.random.default_rng(0).integers(0, 255, (1, 10, 12, 3)).astype(np.uint8)
    volume = Volume(data, Geometry.from_spacing((1, 10, 12)), Provenance("test"))
    objects = (group_prompts(4, "cell", [box_in_plane(0, 0, (1, 1, 5, 5))]),)
    scene = PreviewScene(volume, np.zeros((1, 10, 12), np.uint16), Window(0, 255), 0, objects)
    assert picture(scene).shape[2] == 3
