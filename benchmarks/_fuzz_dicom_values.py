"""Odd values for elements of a DICOM file."""

from __future__ import annotations

from random import Random
from typing import Any

_NUMBERS = (
    "nan",
    "inf",
    "-1",
    "0",
    "1e308",
    "99999999999",
    "x",
    "",
    "1\\2\\3\\4\\5\\6\\7",
    "-0",
    "0.000001",
    "1,5",
)
_SHORT = (0, 1, 2, 3, 7, 8, 9, 13, 16, 17, 31, 32, 33, 64, 255, 256, 32767, 32768, 65535)
_LONG = (*_SHORT, 65536, 2**31 - 1, 2**32 - 1)
_REAL = (0.0, -1.0, 1e-30, 1e30, float("nan"), float("inf"), float("-inf"))
_PHOTOMETRIC = (
    "MONOCHROME1",
    "MONOCHROME2",
    "RGB",
    "PALETTE COLOR",
    "YBR_FULL",
    "YBR_FULL_422",
    "YBR_ICT",
    "",
    "X",
)
_SYNTAXES = (
    "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.5", "1.2.3", "", "x",
)  # fmt: skip
_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.481.3", "1.2.840.10008.1.3.10", "1.2.840.10008.5.1.4.1.1.128", "1.2.3", "",
)  # fmt: skip
_CHOICES = {
    "PhotometricInterpretation": _PHOTOMETRIC,
    "TransferSyntaxUID": _SYNTAXES,
    "SOPClassUID": _CLASSES,
    "Modality": ("CT", "PT", "SEG", "", "SR", "X" * 40),
    "SpecificCharacterSet": ("ISO_IR 192", "ISO 2022 IR 87", "nonsense", ""),
}


def odd_value(owner: Any, element: Any, random: Random) -> str:
    """Delete an element of a data set or give it an odd value, and say so."""
    from pydicom.dataelem import DataElement
    from pydicom.sequence import Sequence

    name = element.keyword or str(element.tag)
    kind = random.choice(("deleted", "emptied", "odd", "odd", "odd", "odd", "odd"))
    if kind == "deleted":
        del owner[element.tag]
        return f"{name} deleted"
    if element.VR == "SQ":
        items = list(element.value or ())
        value: Any = random.choice(([], items[:-1], items * 2, items[::-1]))
        owner[element.tag] = DataElement(element.tag, "SQ", Sequence(value))
        return f"{name} with {len(value)} items"
    value = (
        _odd(element, random)
        if kind == "odd"
        else ("" if element.VR not in ("OB", "OW", "OF", "OD") else b"")
    )
    try:
        owner[element.tag] = DataElement(element.tag, element.VR, value, validation_mode=0)
    except Exception:  # pydicom turns texts to numbers at once; as bytes they go through
        owner[element.tag] = DataElement(element.tag, "UN", str(value).encode())
    return f"{name} became {str(value)[:40]!r}"


def _odd(element: Any, random: Random) -> Any:
    """Return a value that fits the element's VR or nearly so."""
    if element.keyword in _CHOICES:
        return random.choice(_CHOICES[element.keyword])
    if element.VR in ("DS", "IS"):
        whole = [str(number) for number in _LONG] if element.VR == "IS" else []
        return random.choice((*_NUMBERS, *whole))
    if element.VR in ("US", "SS", "UL", "SL", "US or SS", "AT"):
        n_values = max(1, element.VM)
        top = 2**15 - 1 if element.VR == "SS" else 2**31 - 1 if element.VR == "SL" else 2**32 - 1
        chosen = [number for number in (_LONG if element.VR in ("UL", "SL") else _SHORT) if number <= top]
        values = [random.choice(chosen) for _ in range(n_values)]
        return values if n_values > 1 else values[0]
    if element.VR in ("FD", "FL"):
        return [random.choice(_REAL) for _ in range(max(1, element.VM))]
    if element.VR in ("OB", "OW", "OF", "OD", "OB or OW", "UN"):
        old = element.value if isinstance(element.value, bytes) else b""
        return random.choice((b"", b"\0", old[: len(old) // 2], old * 2, random.randbytes(64)))
    return random.choice(("", "x", "1.2.3", "é", "a\\b\\c", "9" * 70, "../../x", "\x00", "nan"))
