from __future__ import annotations

from pathlib import Path

import pytest

from napari_sam.core.classes import ObjectClass, class_named
from napari_sam.errors import InvalidClass
from napari_sam.nodes.classes_file import read_classes, write_classes
from volumes import Code

CLASSES = (
    ObjectClass("Milz – spleen", (199, 125, 255), kind=Code("78961009", "SCT", "Spleen")),
    ObjectClass("tumour", None, Code("49755003", "SCT", "Morphologically Altered Structure")),
    ObjectClass("cell"),
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_classes(tmp_path / "classes.json", CLASSES)
    assert read_classes(tmp_path / "classes.json") == CLASSES
    assert class_named(CLASSES, "cell") is CLASSES[2]
    with pytest.raises(InvalidClass, match="no class 'nerve'; known are"):
        class_named(CLASSES, "nerve")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"),
        ('{"a": 1}', "no list"),
        ('["liver", {"colour": "#ffffff"}]', "class 2 has no name"),
        ('["liver", "liver"]', "more than once"),
        ('[{"name": "x", "color": "red"}]', "colour 'red'"),
        ('[{"name": "x", "code": 1}]', "holds 'code'"),
        ('[" "]', "no name"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "c.json").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidClass, match=said) as caught:
        read_classes(tmp_path / "c.json")
    assert "\n" not in str(caught.value)
    with pytest.raises(InvalidClass, match="cannot read"):
        read_classes(tmp_path / "none.json")
