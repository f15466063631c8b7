"""Who was imaged, for those who ask: read from the file's header at that moment, and kept nowhere."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from volumes import PlaneSource, Volume

__all__ = ["PATIENT_FIELDS", "patient_record", "source_file"]

PATIENT_FIELDS = {
    "PatientName": "patient's name",
    "PatientID": "patient's id",
    "PatientBirthDate": "birth date",
    "PatientSex": "sex",
    "StudyDate": "study date",
    "StudyInstanceUID": "study UID",
    "SeriesInstanceUID": "series UID",
}
"""What is read, by DICOM keyword, and what it is called."""


def source_file(volume: Volume) -> Path | None:
    """Return a file that a volume's planes came from; None for formats that name no patient."""
    sources: Iterable[PlaneSource | None] = volume.provenance.sources
    return next((source.path for source in sources if source is not None), None)


def patient_record(path: Path | None) -> dict[str, str]:
    """Read who was imaged, and when, from a DICOM file.

    Returns
    -------
    dict of str to str
        Of the keywords in `PATIENT_FIELDS`, those that the file has; empty where it cannot be read.
    """
    import pydicom

    if path is None or not path.is_file():
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tags: list[Any] = list(PATIENT_FIELDS)
            header = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=tags)
            found = {name: str(header.get(name, "")).strip() for name in PATIENT_FIELDS}
    except Exception:  # pydicom raises whatever its parser met, and its texts may hold values
        return {}
    return {name: value for name, value in found.items() if value}
