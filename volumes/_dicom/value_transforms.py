"""From stored values to what they mean: rescaling, dose scaling, tables; padding by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.functional_groups import FrameElements
from volumes._dicom.header_warnings import SenselessElement, tag_name
from volumes._dtypes import compact

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

_SAME_SCALE = 1e-4  # headers round
_MOST = float(np.finfo(np.float32).max) / 2**32  # so that 32 stored bits, rescaled, still are a float32
_SHALLOW = 8  # bits up to which a table's entries may lie two in a word


@dataclass(frozen=True)
class Scale:
    """Rescaling, ``stored * slope + intercept``; or a table, with the lowest and highest value it gives."""

    slope: float = 1.0
    intercept: float = 0.0
    table_range: tuple[float, float] | None = None

    def of_range(self, low: float, high: float) -> tuple[float, float]:
        """Return the rescaled ends of a range of stored values, the lower first."""
        if self.table_range is not None:
            return self.table_range
        ends = (low * self.slope + self.intercept, high * self.slope + self.intercept)
        return min(ends), max(ends)


def scale_of(frame: FrameElements) -> Scale:
    """Return how the values of one frame are rescaled.

    Raises
    ------
    SenselessElement
        If slope or intercept is no number, or beyond what any measurement gives.
    """
    file = frame.file
    if file.has("DoseGridScaling"):
        scaling = file.number("DoseGridScaling") or 0.0
        if not 0 < scaling <= _MOST:
            raise SenselessElement(f"{tag_name('DoseGridScaling')} is {scaling:g}")
        file.notes.add(f"values are stored ones times {tag_name('DoseGridScaling')}: {_dose_unit(frame)}")
        return Scale(scaling)
    table = file.item("ModalityLUTSequence")
    if table is not None and table.has("LUTData"):
        file.notes.add(f"values went through the table of {tag_name('ModalityLUTSequence')}")
        entries = table.table("LUTData")
        is_deep = len(entries) and float((*table.numbers("LUTDescriptor"), 0, 0, 0)[2]) > _SHALLOW
        return Scale(
            table_range=(float(entries.min()), float(entries.max())) if is_deep else (0.0, 2.0**_SHALLOW - 1)
        )
    slope, intercept = frame.number("RescaleSlope"), frame.number("RescaleIntercept")
    if slope == 0:
        file.notes.add(f"{tag_name('RescaleSlope')} is 0; 1 was assumed")
        slope = 1.0
    for name, number in (("RescaleSlope", slope), ("RescaleIntercept", intercept)):
        if abs(number or 0.0) > _MOST:
            raise SenselessElement(f"{tag_name(name)} is {number:g}")
    _note_real_world(frame)
    return Scale(1.0 if slope is None else slope, intercept or 0.0)


def note_padding(frame: FrameElements, scale: Scale, highest: int) -> None:
    """Note which values mark pixels outside the scan.

    Parameters
    ----------
    frame : FrameElements
        The frame's header.
    scale : Scale
        Its rescaling.
    highest : int
        Highest value that a pixel can have; what is above was a negative number.
    """
    file = frame.file
    ends = [file.spare_number(name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    stored = [end - (1 << 16) if end > highest and end >= 1 << 15 else end for end in ends if end is not None]
    found = sorted(scale.slope * end + scale.intercept for end in stored)
    if found:
        marks = " to ".join(f"{value:g}" for value in dict.fromkeys((found[0], found[-1])))
        file.notes.add(
            f"{tag_name('PixelPaddingValue')} marks pixels outside the scan by {marks}; they were kept"
        )


def _dose_unit(frame: FrameElements) -> str:
    """Return the unit of a dose."""
    return {"GY": "dose in Gy", "RELATIVE": "relative dose"}.get(frame.file.text("DoseUnits"), "dose")


def _note_real_world(frame: FrameElements) -> None:
    """Note a real-world value mapping that says something else than the rescaling does."""
    for holder in (*frame.groups, frame.file):
        mapping = holder.item("RealWorldValueMappingSequence")
        if mapping is None:
            continue
        slope = mapping.spare_number("RealWorldValueSlope")
        intercept = mapping.spare_number("RealWorldValueIntercept")
        own = (frame.spare_number("RescaleSlope") or 1.0, frame.spare_number("RescaleIntercept") or 0.0)
        if slope is None or np.allclose((slope, intercept or 0.0), own, rtol=_SAME_SCALE, atol=_SAME_SCALE):
            return
        frame.file.notes.add(
            f"{tag_name('RealWorldValueMappingSequence')} maps stored values times {slope:g} plus "
            f"{intercept or 0.0:g} to {_unit(mapping)}; it was not applied"
        )
        return


def _unit(mapping: Any) -> str:
    """Return the code of the unit of a real-world value, if it is one."""
    code = mapping.item("MeasurementUnitsCodeSequence")
    text = code.text("CodeValue") if code is not None else ""
    return text if text and len(text) <= 16 and text.isascii() and text.isprintable() else "another unit"


def rescaled(stored: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    """Return ``stored * slope + intercept``, whole where slope and intercept are, else float32."""
    if (slope, intercept) == (1.0, 0.0):
        return stored
    if stored.dtype.kind in "iu" and slope.is_integer() and intercept.is_integer():
        return compact(stored.astype(np.int64) * int(slope) + int(intercept), "the DICOM plane")
    return (stored * np.float64(slope) + intercept).astype(np.float32)


def through_table(stored: NDArray[Any], dataset: FileDataset) -> NDArray[Any]:
    """Return stored values (…) as the modality's table maps them.

    Raises
    ------
    SenselessElement
        If the table makes no sense.
    """
    from pydicom.pixels.processing import apply_modality_lut

    try:
        return np.asarray(apply_modality_lut(stored, dataset))
    except Exception:  # pydicom raises whatever it meets in the table
        raise SenselessElement(f"{tag_name('ModalityLUTSequence')} holds no table that can be read") from None
