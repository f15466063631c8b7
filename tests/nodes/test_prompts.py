from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.errors import InvalidPrompt
from napari_sam.nodes.object_prompts import box_in_plane, check_objects, group_prompts
from napari_sam.nodes.prompts_file import read_prompts
from volumes import Box

SHAPE = (10, 20, 30)
POINT = {"type": "point", "at": [4, 5, 6]}


def write(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "prompts.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_file_gives_objects_with_prompts_by_plane(tmp_path: Path) -> None:
    box = {"type": "box", "plane": 4, "box": [1, 2, 8, 9]}
    negative = {"type": "point", "at": [7, 1.5, 2], "positive": False}
    path = write(
        tmp_path,
        {
            "objects": [
                {"id": 3, "name": "liver", "prompts": [POINT, negative, box]},
                {"id": 1, "prompts": [POINT]},
            ]
        },
    )
    liver, other = read_prompts(path)
    assert (liver.id, liver.name, other.id, other.name) == (3, "liver", 1, "")
    assert liver.by_plane == (
        (PlaneRef(0, 4), (PointPrompt((4, 5, 6)), BoxPrompt(Box((4, 1, 2), (5, 8, 9))))),
        (PlaneRef(0, 7), (PointPrompt((7, 1.5, 2), False),)),
    )


@pytest.mark.parametrize(
    ("axis", "box"),
    [
        (0, Box((4, 1, 2), (5, 8, 9))),
        (1, Box((1, 4, 2), (8, 5, 9))),
        (2, Box((1, 2, 4), (8, 9, 5))),
    ],
)
def test_a_box_is_in_the_planes_own_rows_and_columns(axis: int, box: Box) -> None:
    assert box_in_plane(axis, 4, (1, 2, 8, 9)).box == box


def test_a_point_is_a_voxel_whatever_the_axis() -> None:
    for axis, index in ((0, 4), (1, 5), (2, 6)):
        (grouped,) = group_prompts(1, "", [PointPrompt((4, 5, 6))], axis).by_plane
        assert grouped[0] == PlaneRef(axis, index)


def test_a_candidate_is_of_the_object(tmp_path: Path) -> None:
    for candidate in (0, 1, 2, None):
        (one,) = read_prompts(write(tmp_path, objects(POINT, candidate=candidate)))
        assert one.candidate == candidate
    (one,) = read_prompts(write(tmp_path, objects(POINT)))
    assert one.candidate is None


def objects(*prompts: Any, **fields: Any) -> dict[str, Any]:
    return {"objects": [{"id": 1, "prompts": list(prompts), **fields}]}


@pytest.mark.parametrize(
    ("content", "entry", "value"),
    [
        ("{not json", "prompts.json", "JSON"),
        ([1], "prompts.json", "objects"),
        ({"objects": []}, "prompts.json", "objects"),
        ({"objects": [7]}, "objects[0]", "7"),
        ({"objects": [{"id": 1}]}, "objects[0]", "prompts"),
        (objects(POINT, id=0), "objects[0].id", "0"),
        (objects(POINT, id="one"), "objects[0].id", "'one'"),
        (objects(POINT, name=3), "objects[0].name", "3"),
        (objects(POINT, candidate=3), "objects[0].candidate", "3"),
        (objects(POINT, candidate=True), "objects[0].candidate", "True"),
        (objects(POINT, candidate="1"), "objects[0].candidate", "'1'"),
        (objects(POINT, colour="red"), "objects[0]", "'colour'"),
        (objects(), "objects[0].prompts", "[]"),
        (objects(POINT, {"type": "circle"}), "objects[0].prompts[1]", "circle"),
        (objects(POINT, {"type": "point", "at": [1, 2]}), "objects[0].prompts[1].at", "[1, 2]"),
        (objects({"type": "point", "at": [1, 2, "x"]}), "objects[0].prompts[0].at", '"x"'),
        (objects({"type": "point", "at": [1, 2, 3], "positive": 1}), "prompts[0].positive", "1"),
        (objects({"type": "point", "at": [-3, 2, 3]}), "objects[0]", "-3,2,3"),
        (objects({"type": "box", "plane": 1.5, "box": [0, 0, 1, 1]}), "prompts[0].plane", "1.5"),
        (objects({"type": "box", "plane": 1, "box": [0, 0, 1]}), "prompts[0].box", "[0, 0, 1]"),
        (objects({"type": "box", "plane": 1, "box": [5, 5, 2, 9]}), "prompts[0]", "5,5,2,9"),
        (objects({"type": "box", "plane": -1, "box": [0, 0, 1, 1]}), "prompts[0]", "plane -1"),
    ],
)
def test_a_broken_file_is_refused_by_entry_and_value(
    tmp_path: Path, content: Any, entry: str, value: str
) -> None:
    with pytest.raises(InvalidPrompt) as caught:
        read_prompts(write(tmp_path, content))
    message = str(caught.value)
    assert entry in message
    assert value in message
    assert "\n" not in message


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidPrompt, match="No such file"):
        read_prompts(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(InvalidPrompt, match="not JSON"):
        read_prompts(tmp_path / "binary.json")


@pytest.mark.parametrize(
    ("prompts", "planes", "message"),
    [
        ([PointPrompt((40, 5, 5))], None, "plane 40"),
        ([PointPrompt((4, 5, 99))], None, "outside the volume"),
        ([PointPrompt((4, 5, 5), False)], None, "only negative points in plane 4"),
        ([box_in_plane(0, 4, (0, 0, 21, 5))], None, "not inside the volume"),
        ([box_in_plane(0, 4, (0, 0, 5, 5)), box_in_plane(0, 4, (1, 1, 5, 5))], None, "2 boxes"),
        ([PointPrompt((4, 5, 5))], (5, 8), "outside the range 5:8"),
        ([PointPrompt((4, 5, 5))], (0, 11), "does not fit the 10 planes"),
    ],
)
def test_prompts_are_checked_against_the_volume(
    prompts: list[Any], planes: tuple[int, int] | None, message: str
) -> None:
    with pytest.raises(InvalidPrompt, match=message):
        check_objects([group_prompts(1, "", prompts)], SHAPE, planes)


def test_an_id_is_given_once() -> None:
    one = group_prompts(2, "", [PointPrompt((4, 5, 5))])
    with pytest.raises(InvalidPrompt, match="2 is given twice"):
        check_objects([one, one], SHAPE, None)
