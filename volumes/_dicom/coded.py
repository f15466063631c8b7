"""Terms, colours and texts of labels as DICOM holds them, and back."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from volumes.segments import Code

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept

__all__ = ["LONG", "SHORT", "code_item", "code_of", "colour_of", "product", "short", "text_of"]

LONG, SHORT = 64, 16
"""Characters of a long and of a short string."""

_PRODUCT = "napari-sam-volumes"
_VALUES = ("CodeValue", "LongCodeValue", "URNCodeValue")


def product() -> tuple[str, str]:
    """Name and version of this package, as the equipment that made an object."""
    try:
        return _PRODUCT, version(_PRODUCT)
    except PackageNotFoundError:  # a copy that is not installed
        return _PRODUCT, "unknown"


def short(text: str, longest: int = LONG) -> str:
    """Text that fits a DICOM element: one line, without the backslash that separates values."""
    clean = "".join(" " if not one.isprintable() or one == "\\" else one for one in text)
    return " ".join(clean.split())[:longest].strip()


def text_of(value: Any) -> str:
    """Text of an element on one line; empty where it is absent."""
    return "" if value is None else short(str(value), 4 * LONG)


def code_item(code: Code) -> CodedConcept:
    """Code sequence item of a code."""
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, short(code.scheme, SHORT) or "99LOCAL", short(code.meaning) or "unknown")


def code_of(sequence: Any) -> Code | None:
    """Code of a code sequence; None where it is absent or says nothing."""
    if not sequence:
        return None
    item = sequence[0]
    value = next((text_of(item.get(keyword)) for keyword in _VALUES if item.get(keyword)), "")
    if not value:
        return None
    return Code(value, text_of(item.get("CodingSchemeDesignator")), text_of(item.get("CodeMeaning")))


def colour_of(value: Any) -> tuple[int, int, int] | None:
    """(red, green, blue) of a recommended CIELab value, the nearest there is; None where it is absent."""
    from highdicom.color import CIELabColor

    if value is None or len(value) != 3 or not all(0 <= int(one) <= 0xFFFF for one in value):
        return None
    red, green, blue = CIELabColor.from_dicom_value([int(one) for one in value]).to_rgb(clip=True)
    return int(red), int(green), int(blue)
