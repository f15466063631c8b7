"""Single elements of a DICOM header, read from their raw bytes: tolerant where that is safe, with a note."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.header_warnings import HeaderNotes, SenselessElement, tag_name

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

# Value representations of binary numbers, as numpy types without their byte order.
_BINARY = {"US": "u2", "SS": "i2", "UL": "u4", "SL": "i4", "FL": "f4", "FD": "f8", "UV": "u8", "SV": "i8"}
_OPAQUE = (None, "UN", "OB", "OW")


@dataclass
class Elements:
    """The elements of one dataset or sequence item.

    Parameters
    ----------
    dataset : pydicom.dataset.Dataset
        As read, its elements not yet converted.
    notes : HeaderNotes
        Where oddities go.
    """

    dataset: Dataset
    notes: HeaderNotes
    _values: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    _items: dict[str, tuple[Elements, ...]] = field(default_factory=dict)

    def has(self, keyword: str) -> bool:
        """Whether the element is there and not empty."""
        return bool(self.items(keyword) if keyword.endswith("Sequence") else self._of(keyword))

    def get(self, keyword: str, default: Any = None) -> Any:
        """Return an element as pydicom does: a value, several as a tuple, or items; `default` if absent."""
        if keyword.endswith("Sequence"):
            return self.items(keyword) or default
        try:
            found = self._of(keyword)
        except SenselessElement as reason:
            self.notes.add(f"{reason}; it was left out")
            return default
        return (found if len(found) > 1 else found[0]) if found else default

    def table(self, keyword: str) -> NDArray[np.uint16]:
        """Return the entries of a table, words of 16 bits; none where it is absent or damaged."""
        tag, _ = _entry(keyword)
        try:
            element: Any = self.dataset.get_item(tag)
            value = element.value
            is_little = getattr(element, "is_little_endian", True)
        except Exception:  # absent, or of a value representation that pydicom does not know
            return np.empty(0, np.uint16)
        if isinstance(value, bytes):
            return np.frombuffer(value[: len(value) // 2 * 2], "<u2" if is_little else ">u2").astype(
                np.uint16
            )
        return np.asarray(_listed(value), dtype=np.int64).astype(np.uint16)

    def text(self, keyword: str) -> str:
        """Return the element's whole text without padding; empty where it is absent."""
        return "\\".join(str(value) for value in self._of(keyword)).strip()

    def texts(self, keyword: str) -> tuple[str, ...]:
        """Return the element's texts, split at backslashes."""
        return tuple(str(value) for value in self._of(keyword))

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """Return all numbers of the element; empty where it is absent.

        Raises
        ------
        SenselessElement
            If one of them is no finite number.
        """
        return tuple(self._number(value, keyword) for value in self._of(keyword))

    def vector(self, keyword: str, n_values: int) -> tuple[float, ...] | None:
        """Return so many numbers; None where the element is absent.

        Raises
        ------
        SenselessElement
            If there are more or fewer, or one is no finite number.
        """
        found = self.numbers(keyword)
        if not found:
            return None
        if len(found) != n_values:
            raise SenselessElement(f"{tag_name(keyword)} holds {len(found)} numbers in place of {n_values}")
        return found

    def number(self, keyword: str) -> float | None:
        """Return the element's first number; None where it is absent.

        Raises
        ------
        SenselessElement
            If it is no finite number.
        """
        found = self._of(keyword)
        return self._number(found[0], keyword) if found else None

    def spare_number(self, keyword: str) -> float | None:
        """Return the first number of an element that can be done without; None, and a note, if it is none."""
        try:
            return self.number(keyword)
        except SenselessElement:
            self.notes.add(f"{tag_name(keyword)} holds no number; it was left out")
            return None

    def whole(self, keyword: str) -> int | None:
        """Return the element's first number as a whole one; None where it is absent.

        Raises
        ------
        SenselessElement
            If it is none.
        """
        found = self.number(keyword)
        if found is not None and not found.is_integer():
            raise SenselessElement(f"{tag_name(keyword)} holds no whole number")
        return None if found is None else int(found)

    def items(self, keyword: str) -> tuple[Elements, ...]:
        """Return the items of a sequence; empty where it is absent or cannot be read."""
        if keyword not in self._items:
            try:
                sequence = self.dataset.get(keyword)
                found = tuple(Elements(item, self.notes) for item in sequence or ())
            except Exception:  # pydicom parses a sequence now, and raises whatever it meets
                self.notes.add(f"{tag_name(keyword)} is damaged; it was left out")
                found = ()
            self._items[keyword] = found
        return self._items[keyword]

    def item(self, keyword: str) -> Elements | None:
        """Return the first item of a sequence; None where there is none."""
        found = self.items(keyword)
        return found[0] if found else None

    def _of(self, keyword: str) -> tuple[Any, ...]:
        """Values of an element, texts or numbers; empty ones at the end left out."""
        if keyword not in self._values:
            self._values[keyword] = self._read(keyword)
        return self._values[keyword]

    def _read(self, keyword: str) -> tuple[Any, ...]:
        from pydicom.dataelem import RawDataElement

        tag, usual = _entry(keyword)
        if tag not in self.dataset:
            return ()
        try:
            element: Any = self.dataset.get_item(tag)
        except Exception:  # a value representation that pydicom does not know
            raise SenselessElement(f"{tag_name(keyword)} is damaged") from None
        if not isinstance(element, RawDataElement):
            return _trimmed(_listed(element.value))
        kind = usual if element.VR in _OPAQUE else str(element.VR)
        if kind not in usual:  # "US or SS" holds both
            self.notes.add(f"{tag_name(keyword)} has the value representation {_shown(kind)}, not {usual}")
        return _parsed(element.value or b"", kind, ">" if not element.is_little_endian else "<")

    def _number(self, value: Any, keyword: str) -> float:
        """Return one finite number, a decimal comma taken for a point."""
        if isinstance(value, str) and "," in value:
            value = value.replace(",", ".")
            self.notes.add(f"{tag_name(keyword)} is written with a decimal comma; it was read as a point")
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise SenselessElement(f"{tag_name(keyword)} holds no number") from None
        if not math.isfinite(number):
            raise SenselessElement(f"{tag_name(keyword)} holds no finite number")
        return number


@cache
def _entry(keyword: str) -> tuple[BaseTag, str]:
    """Tag of a keyword, and the value representation that it has by the dictionary."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword
    from pydicom.tag import Tag

    tag = Tag(tag_for_keyword(keyword) or 0)
    return tag, dictionary_VR(tag)


def _shown(kind: str) -> str:
    """Return a value representation, if it can be printed."""
    return kind if kind.isalpha() and kind.isascii() else "?"


def _listed(value: Any) -> tuple[Any, ...]:
    """Return a converted value as a tuple."""
    if value is None:
        return ()
    if isinstance(value, str | bytes | int | float) or not hasattr(value, "__iter__"):
        return (value,)
    return tuple(value)


def _parsed(raw: bytes, kind: str, order: str) -> tuple[Any, ...]:
    """Values of raw bytes of a value representation: numbers where it is binary, else texts."""
    binary = _BINARY.get(kind.split(" ", maxsplit=1)[0])
    if binary is None:
        texts = raw.decode("latin-1").split("\\")
        return _trimmed(tuple(text.strip(" \0\t\r\n") for text in texts))
    size = np.dtype(binary).itemsize
    return tuple(np.frombuffer(raw[: len(raw) // size * size], dtype=order + binary).tolist())


def _trimmed(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Leave out the empty texts at the end."""
    n_values = len(values)
    while n_values and values[n_values - 1] in ("", None, b""):
        n_values -= 1
    return values[:n_values]
