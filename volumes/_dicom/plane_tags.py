"""What the headers say that tells repeats of a plane from each other: echo, time point, b-value and so on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from volumes._dicom.elements import Elements

__all__ = ["TAGS", "PlaneTags", "read_tags"]

TAGS = (
    "SOPInstanceUID", "SeriesNumber", "AcquisitionNumber", "InstanceNumber", "ImageType", "EchoNumbers",
    "EchoTime", "TemporalPositionIdentifier", "TriggerTime", "DiffusionBValue",
    "DiffusionGradientOrientation", "AcquisitionTime", "GantryDetectorTilt", "StackID",
)  # fmt: skip
"""Elements of the file itself; those of functional groups come with the sequences."""


@dataclass(frozen=True)
class PlaneTags:
    """Values of one plane by which planes at one position are told from each other; None where absent.

    ``echo_ms`` is the echo time, ``trigger_ms`` the time after the heart's beat, ``b_value`` the diffusion
    weighting in s/mm2 and ``gradient`` its direction, ``acquired_s`` the time of day, ``tilt_deg`` the tilt
    of the gantry, ``dimensions`` the frame's place in each dimension that a multi-frame file counts, and
    ``instance_uid`` the file's own identifier, shown to nobody.
    """

    instance_uid: str = ""
    series_number: int | None = None
    acquisition: int | None = None
    image_type: tuple[str, ...] = ()
    echo: int | None = None
    echo_ms: float | None = None
    temporal: int | None = None
    trigger_ms: float | None = None
    b_value: float | None = None
    gradient: tuple[float, ...] | None = None
    acquired_s: float | None = None
    stack: str | None = None
    dimensions: tuple[int, ...] = ()
    tilt_deg: float | None = None


def read_tags(dataset: Elements, own: Elements | None, shared: Elements | None) -> PlaneTags:
    """Read the tags of one plane; values that make no sense count as absent.

    Parameters
    ----------
    dataset : Elements
        The file.
    own, shared : Elements or None
        Functional groups of the frame and of all frames, for enhanced multi-frame files.
    """

    def value(macro: str, keyword: str, plain: str | None = None) -> Any:
        for group in (own, shared):
            items = group.get(macro) if group is not None else None
            if items and items[0].get(keyword) not in (None, ""):
                return items[0].get(keyword)
        return dataset.get(plain or keyword)

    return PlaneTags(
        instance_uid=str(dataset.get("SOPInstanceUID") or ""),
        series_number=_whole(dataset.get("SeriesNumber")),
        acquisition=_whole(value("FrameContentSequence", "FrameAcquisitionNumber", "AcquisitionNumber")),
        image_type=_image_type(dataset, own, shared),
        echo=_whole(dataset.get("EchoNumbers")),
        echo_ms=_real(value("MREchoSequence", "EffectiveEchoTime", "EchoTime")),
        temporal=_whole(value("FrameContentSequence", "TemporalPositionIndex", "TemporalPositionIdentifier")),
        trigger_ms=_real(
            value("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime", "TriggerTime")
        ),
        b_value=_real(value("MRDiffusionSequence", "DiffusionBValue")),
        gradient=_gradient(dataset, own, shared),
        acquired_s=_time_of_day(dataset.get("AcquisitionTime")),
        stack=_text(value("FrameContentSequence", "StackID")),
        dimensions=_wholes(value("FrameContentSequence", "DimensionIndexValues")),
        tilt_deg=_real(value("CTAcquisitionDetailsSequence", "GantryDetectorTilt")),
    )


def _image_type(dataset: Elements, own: Elements | None, shared: Elements | None) -> tuple[str, ...]:
    """Return the frame's type, or else the image's."""
    for group in (own, shared):
        for macro in ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence", "PETFrameTypeSequence"):
            items = group.get(macro) if group is not None else None
            if items and items[0].get("FrameType"):
                return _words(items[0].get("FrameType"))
    return _words(dataset.get("ImageType"))


def _gradient(dataset: Elements, own: Elements | None, shared: Elements | None) -> tuple[float, ...] | None:
    """Return the direction of the diffusion gradient, to three decimals."""
    found = dataset.get("DiffusionGradientOrientation")
    for group in (shared, own):
        items = group.get("MRDiffusionSequence") if group is not None else None
        inner = items[0].get("DiffusionGradientDirectionSequence") if items else None
        if inner:
            found = inner[0].get("DiffusionGradientOrientation")
    try:
        numbers = tuple(round(float(number), 3) for number in found)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == 3 and all(map(math.isfinite, numbers)) else None


def _words(value: Any) -> tuple[str, ...]:
    """Return one or several texts as a tuple."""
    if value in (None, ""):
        return ()
    return (str(value),) if isinstance(value, str) else tuple(str(word) for word in value)


def _text(value: Any) -> str | None:
    """Return a text that is not empty."""
    return None if value in (None, "") else str(value)


def _real(value: Any) -> float | None:
    """Return the first of one or several values as a finite number."""
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        value = value[0] if len(value) else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _whole(value: Any) -> int | None:
    """Return the first of one or several values as a whole number."""
    number = _real(value)
    return None if number is None else int(number)


def _wholes(value: Any) -> tuple[int, ...]:
    """Return one or several whole numbers."""
    if value is None or isinstance(value, (str, bytes)):
        return ()
    try:
        return tuple(int(number) for number in (value if isinstance(value, Sequence) else (value,)))
    except (TypeError, ValueError):
        return ()


def _time_of_day(value: Any) -> float | None:
    """Return seconds since midnight of a DICOM time (HHMMSS.FFFFFF)."""
    text = str(value or "").replace(":", "")
    try:
        return int(text[:2]) * 3600 + int(text[2:4]) * 60 + float(text[4:])
    except ValueError:
        return None
