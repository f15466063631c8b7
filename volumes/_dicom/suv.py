"""Standardised uptake values of PET: activity per millilitre, by the dose at the scan and the body weight.

SUVbw = activity (Bq/ml) · weight (g) / dose decayed to the time that the activity refers to (Bq), as the
Quantitative Imaging Biomarkers Alliance describes it for FDG-PET. It is given only where every tag that it
takes is there and they agree; no time or date ever leaves this module.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from volumes._dicom.elements import Elements
from volumes._dicom.header_warnings import SenselessElement, tag_name

_GRAMS_PER_KG = 1000.0
_WEIGHT_KG = (0.01, 500.0)
_MOST_HALF_LIVES = 10.0  # beyond that, a clock or a day is wrong
_DAY = timedelta(days=1)

# Defined terms: nothing else that may stand in these elements is repeated.
_KINDS = ("BW", "LBM", "LBMJAMES128", "LBMJANMA", "BSA", "IBW")
_UNITS = (
    "CNTS", "NONE", "CM2", "CM2ML", "PCNT", "CPS", "BQML", "MGMINML", "UMOLMINML", "MLMING", "MLG", "1CM",
    "UMOLML", "PROPCNTS", "PROPCPS", "MLMINML", "MLML", "STDDEV",
)  # fmt: skip


class _CannotTell(ValueError):
    """Why there is no SUV."""


@dataclass(frozen=True)
class Uptake:
    """What turns rescaled PET values into SUVbw: ``factor``; None where the tags do not allow it."""

    factor: float | None
    note: str


def uptake_of(header: Elements) -> Uptake | None:
    """Return the SUV factor of a PET image, or why there is none; None for all other images.

    Parameters
    ----------
    header : Elements
        The file's header.
    """
    if header.text("Modality") != "PT":
        return None
    units = header.text("Units").upper()
    if units == "GML":
        kind = header.text("SUVType").upper() or "BW"
        kind = kind if kind in _KINDS else "of an unknown kind"
        return Uptake(None, f"values are SUV ({kind} in g/ml), as {tag_name('Units')} says")
    try:
        factor = _factor(header, units)
    except (_CannotTell, SenselessElement) as reason:
        shown = units if units in _UNITS else "of an unknown unit"
        return Uptake(None, f"values are no SUV but {shown}: {reason}")
    return Uptake(factor, f"values are SUVbw (g/ml): those of the file, in Bq/ml, times {factor:.6g}")


def _factor(header: Elements, units: str) -> float:
    """Return what a value in Bq/ml is to be multiplied by."""
    if units != "BQML":
        raise _CannotTell(f"{tag_name('Units')} is not BQML")
    if not {"ATTN", "DECY"} <= set(header.texts("CorrectedImage")):
        raise _CannotTell(f"{tag_name('CorrectedImage')} does not name attenuation and decay")
    weight_kg = _positive(header, "PatientWeight")
    if not _WEIGHT_KG[0] <= weight_kg <= _WEIGHT_KG[1]:
        raise _CannotTell(f"{tag_name('PatientWeight')} is no weight in kg")
    drug = header.item("RadiopharmaceuticalInformationSequence")
    if drug is None or len(header.items("RadiopharmaceuticalInformationSequence")) != 1:
        raise _CannotTell(f"{tag_name('RadiopharmaceuticalInformationSequence')} does not name one drug")
    dose_bq = _positive(drug, "RadionuclideTotalDose")
    half_life_s = _positive(drug, "RadionuclideHalfLife")
    correction = header.text("DecayCorrection").upper()
    if correction == "START":
        waited_s = (_scan_start(header) - _injection(header, drug)).total_seconds()
    elif correction == "ADMIN":
        waited_s = 0.0
    else:
        raise _CannotTell(f"{tag_name('DecayCorrection')} is neither START nor ADMIN")
    if not 0 <= waited_s < _MOST_HALF_LIVES * half_life_s:
        raise _CannotTell("the time from injection to scan cannot be so")
    return weight_kg * _GRAMS_PER_KG / (dose_bq * math.exp2(-waited_s / half_life_s))


def _positive(header: Elements, keyword: str) -> float:
    """Return a number above zero."""
    number = header.number(keyword)
    if number is None or number <= 0:
        raise _CannotTell(f"{tag_name(keyword)} is missing")
    return number


def _scan_start(header: Elements) -> datetime:
    """Return when the scan began: the series' time, if that is no later than the image's own."""
    series = _moment(header, "SeriesDate", "SeriesTime")
    image = _moment(header, "AcquisitionDate", "AcquisitionTime")
    if series > image:
        raise _CannotTell(f"{tag_name('SeriesTime')} is later than {tag_name('AcquisitionTime')}")
    return series


def _injection(header: Elements, drug: Elements) -> datetime:
    """Return when the drug was given: a full time, or a time of the scan's day or of the day before."""
    full = drug.text("RadiopharmaceuticalStartDateTime")
    if full:
        offset = [sign for sign in "+-" if sign in full]
        return _parsed(full.split(offset[0])[0] if offset else full, "RadiopharmaceuticalStartDateTime")
    time = drug.text("RadiopharmaceuticalStartTime").replace(":", "")
    date = header.text("SeriesDate").replace(".", "")
    if not time:
        raise _CannotTell(f"{tag_name('RadiopharmaceuticalStartTime')} is missing")
    given = _parsed(date + time, "RadiopharmaceuticalStartTime")
    return given if given <= _scan_start(header) else given - _DAY


def _moment(header: Elements, date_keyword: str, time_keyword: str) -> datetime:
    """Return a date and a time of the header as one."""
    date, time = header.text(date_keyword).replace(".", ""), header.text(time_keyword).replace(":", "")
    for text, keyword in ((date, date_keyword), (time, time_keyword)):
        if not text:
            raise _CannotTell(f"{tag_name(keyword)} is missing")
    return _parsed(date + time, time_keyword)


def _parsed(text: str, keyword: str) -> datetime:
    """Return a DICOM date with time (YYYYMMDDHHMMSS.FFFFFF)."""
    whole, _, part = text.partition(".")
    if len(whole) == len("YYYYMMDDHHMM"):
        whole += "00"
    try:
        if len(whole) != len("YYYYMMDDHHMMSS"):
            raise ValueError
        moment = datetime.strptime(whole, "%Y%m%d%H%M%S")
        return moment + timedelta(seconds=float(f"0.{part or 0}"))
    except ValueError:
        raise _CannotTell(f"{tag_name(keyword)} holds no time") from None
