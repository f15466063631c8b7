"""Labels as a data set in COCO's form: JSON with run lengths."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from volumes._label_boxes import label_boxes
from volumes._replacing import replacing
from volumes.run_lengths import RunLengths
from volumes.segments import Segment
from volumes.volume import Volume

__all__ = ["CocoWriter"]


@dataclass(frozen=True)
class CocoWriter:
    """Labels as COCO JSON: each plane with labels is an image, each label in it an annotation."""

    suffixes: tuple[str, ...] = (".json",)

    def caveats(self, path: Path, like: Volume) -> tuple[str, ...]:
        """Say what the file will lack."""
        return ("COCO JSON holds neither the voxel size nor the place of the labels",)

    def write(self, path: Path, labels: NDArray[Any], like: Volume, segments: Sequence[Segment]) -> None:
        """Write labels (P, R, C). An image's id is its plane's index, a category's id its label.

        Position and voxel size have no place in COCO's form and are left out.
        """
        planes = [index for index, plane in enumerate(labels) if plane.any()]
        found = [one for index in planes for one in _annotations(labels[index], index)]
        shape = {"planes": labels.shape[0], "height": labels.shape[1], "width": labels.shape[2]}
        content = {
            "info": {"description": "labels, one image a plane", **shape},
            "images": [
                {
                    "id": index,
                    "file_name": f"plane_{index:04}",
                    "height": labels.shape[1],
                    "width": labels.shape[2],
                    "axis": 0,
                }
                for index in planes
            ],
            "categories": [_category(segment) for segment in segments],
            "annotations": [{"id": number, **one} for number, one in enumerate(found, start=1)],
        }
        with replacing(path, ".json") as temporary:
            temporary.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")


def _category(segment: Segment) -> dict[str, Any]:
    """Category of a segment."""
    known = {"id": segment.value, "name": segment.title, "supercategory": segment.category.meaning}
    return known if segment.colour is None else {**known, "color": list(segment.colour)}


def _annotations(plane: NDArray[Any], index: int) -> list[dict[str, Any]]:
    """One annotation for each label of a plane (R, C)."""
    found = []
    for value, (rows, columns) in label_boxes(plane).items():
        lengths = RunLengths.of_mask(plane == value)
        found.append(
            {
                "image_id": index,
                "category_id": value,
                "label": value,
                "segmentation": lengths.to_coco(),
                "area": lengths.area,
                "bbox": [
                    columns.start,
                    rows.start,
                    columns.stop - columns.start,
                    rows.stop - rows.start,
                ],
                "iscrowd": 0,
            }
        )
    return found
