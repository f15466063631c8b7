"""COCO JSON: masks, names and boxes come back, also those that other programs write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.dicom_phantoms import SECRETS, SEGMENTS, phantom_geometry, phantom_labels, write_phantom
from volumes import (
    BrokenFile,
    ForeignLabels,
    Geometry,
    MixedSeries,
    Provenance,
    UnknownSeries,
    Volume,
    read_labels,
    write,
)
from volumes.run_lengths import RunLengths


def image_of(shape: tuple[int, int, int]) -> Volume:
    return Volume(np.zeros(shape, np.uint8), Geometry.from_spacing(shape, (3, 2, 1)), Provenance("made"))


def write_json(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def picture(number: int, name: str, hw: tuple[int, int]) -> dict[str, Any]:
    return {"id": number, "file_name": name, "height": hw[0], "width": hw[1]}


def test_labels_come_back_and_nothing_of_the_patient_goes(tmp_path: Path) -> None:
    image = write_phantom(tmp_path / "series", phantom_geometry(np.eye(3)[:, [2, 1, 0]] * (1, 1, 1)))
    labels = phantom_labels(image.shape)
    write(tmp_path / "a.json", labels, like=image, segments=SEGMENTS)
    back = read_labels(tmp_path / "a.json", like=image)
    assert np.array_equal(back.data, labels)
    assert back.geometry == image.geometry
    assert [(one.value, one.name, one.colour) for one in back.segments] == [
        (one.value, one.name, one.colour) for one in SEGMENTS
    ]
    assert np.array_equal(read_labels(tmp_path / "a.json").data, labels)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert not any(secret in text for secret in (*SECRETS, str(image.provenance.series_uid), str(tmp_path)))


def test_each_annotation_says_what_its_mask_is(tmp_path: Path) -> None:
    labels = phantom_labels((4, 6, 9))
    write(tmp_path / "a.json", labels, like=image_of(labels.shape), segments=SEGMENTS)
    content = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert [(one["id"], one["file_name"]) for one in content["images"]] == [
        (0, "plane_0000"),
        (2, "plane_0002"),
        (3, "plane_0003"),
    ]
    assert [(one["id"], one["name"]) for one in content["categories"]] == [(1, "Liver"), (3, "Läsion µ")]
    assert [one["id"] for one in content["annotations"]] == [1, 2, 3, 4]
    for one in content["annotations"]:
        mask = RunLengths.from_coco(one["segmentation"]).to_mask()
        assert np.array_equal(mask, labels[one["image_id"]] == one["category_id"])
        left, top, width, height = one["bbox"]
        assert mask[top : top + height, left : left + width].sum() == mask.sum() == one["area"]
        assert mask[top].any()
        assert mask[:, left].any()
        assert one["iscrowd"] == 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_planes_across_any_axis(axis: int, tmp_path: Path) -> None:
    """The form that `napari-sam auto --rle` writes: the image's id is the plane's index."""
    shape = (4, 6, 9)
    labels = np.zeros(shape, np.uint8)
    plane = np.moveaxis(labels, axis, 0)[2]
    plane[1:3, 2:4] = 5
    hw = plane.shape
    content = {
        "images": [{"id": 2, "height": hw[0], "width": hw[1], "axis": axis}],
        "categories": [{"id": 1, "name": "object"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 2,
                "category_id": 1,
                "label": 5,
                "segmentation": mask.to_coco(compressed=False),
            }
            for mask in [RunLengths.of_mask(plane == 5)]
        ],
    }
    path = write_json(tmp_path / "auto.json", content)
    assert np.array_equal(read_labels(path, like=image_of(shape)).data, labels)
    with pytest.raises(ForeignLabels, match="give the image"):
        read_labels(path, like=image_of((7, 7, 7)))
    with pytest.raises(UnknownSeries):
        read_labels(path, like=image_of(shape), series="1")


def pictures() -> dict[str, Any]:
    square = [[1.0, 1.0, 4.0, 1.0, 4.0, 3.0, 1.0, 3.0]]
    return {
        "images": [picture(7, "b10.png", (5, 6)), picture(9, "b2.png", (5, 6))],
        "categories": [{"id": 3, "name": "cell", "color": [1, 2, 3]}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "segmentation": square, "iscrowd": 0},
            {"id": 2, "image_id": 9, "category_id": 3, "segmentation": square, "iscrowd": 0},
            {"id": 3, "image_id": 9, "category_id": 8, "segmentation": [[3, 2, 6, 2, 6, 5, 3, 5]]},
        ],
    }


def test_a_data_set_of_pictures(tmp_path: Path) -> None:
    path = write_json(tmp_path / "set.json", pictures())
    with pytest.raises(MixedSeries, match=r"b2\.png"):
        read_labels(path)
    one = read_labels(path, series="b2.png")
    assert one.data.shape == (1, 5, 6)
    assert one.data[0].tolist() == [
        [0, 0, 0, 0, 0, 0],
        [0, 2, 2, 2, 0, 0],
        [0, 2, 2, 3, 3, 3],
        [0, 0, 0, 3, 3, 3],
        [0, 0, 0, 3, 3, 3],
    ]
    assert "masks overlap in 1 voxels, which were given to the later one" in one.notes
    assert [(two.value, two.name, two.colour) for two in one.segments] == [
        (2, "cell", (1, 2, 3)),
        (3, "", None),
    ]
    both = read_labels(path, like=image_of((2, 5, 6)))
    assert np.array_equal(both.data[0], one.data[0])  # b2 comes before b10
    assert both.data[1].max() == 1
    with pytest.raises(ForeignLabels, match="pictures of shape"):
        read_labels(path, like=image_of((1, 9, 9)), series="b2.png")


def changes() -> list[Any]:
    rle = RunLengths.of_mask(np.eye(5, 6, dtype=bool)).to_coco()
    base = pictures()

    def annotated(**entries: Any) -> dict[str, Any]:
        return {**base, "images": base["images"][:1], "annotations": [{**base["annotations"][0], **entries}]}

    return [
        {},
        [],
        {"images": [], "annotations": []},
        {**base, "images": [picture(1, "a", (0, 4))]},
        {**base, "images": [{"id": 1}]},
        {**base, "images": [picture(1, "a", (10**6, 10**7))]},
        annotated(segmentation={**rle, "size": [4, 4]}),
        annotated(segmentation={**rle, "counts": "zzzzz"}),
        annotated(segmentation={**rle, "counts": "o" * 5000}),
        annotated(segmentation=[[1, 2, 3]]),
        annotated(segmentation=[[1, float("nan"), 3, 4, 5, 6]]),
        annotated(segmentation=7),
        annotated(label=-1),
        annotated(label=10**12),
        {**base, "images": [{**picture(2, "a", (5, 6)), "axis": 4}]},
        {**base, "images": [{**picture(10**9, "a", (5, 6)), "axis": 0}]},
    ]


@pytest.mark.parametrize("content", changes())
def test_what_is_no_data_set_is_one_line(content: Any, tmp_path: Path) -> None:
    path = write_json(tmp_path / "bad.json", content)
    with pytest.raises((BrokenFile, ValueError)) as caught:
        read_labels(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["{", "{" * 100_000, '{"images": ' + "[" * 100_000, '{"a": 1}\x00', "{\xff"])
def test_what_is_no_json_is_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(BrokenFile, match="no data set"):
        read_labels(path)


def test_run_lengths_of_any_mask(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    labels: NDArray[np.int64] = rng.integers(0, 4, (2, 13, 11)) * rng.integers(0, 2, (2, 13, 11))
    write(tmp_path / "a.json", labels, like=image_of((2, 13, 11)))
    assert np.array_equal(read_labels(tmp_path / "a.json", like=image_of((2, 13, 11))).data, labels)
