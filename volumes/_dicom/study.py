"""What an object made from DICOM images shares with them: the patient and the study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["SHARED", "study_of"]

SHARED = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex",
    "PatientIdentityRemoved", "DeidentificationMethod", "StudyInstanceUID", "StudyDate", "StudyTime",
    "ReferringPhysicianName", "StudyID", "AccessionNumber", "StudyDescription", "PatientAge", "PatientSize",
    "PatientWeight",
)  # fmt: skip
_NEEDED_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "ReferringPhysicianName", "StudyID", "AccessionNumber",
)  # fmt: skip
_SEXES = ("M", "F", "O")


def study_of(header: Dataset) -> Dataset:
    """Take patient and study from an image, without values that break the standard's rules.

    Text is decoded, for objects in UTF-8. Of lossy images it says so, as objects made from them have to.
    """
    from pydicom.dataset import Dataset as Empty
    from pydicom.uid import generate_uid

    study = Empty()
    for keyword in SHARED:
        value = _conforming(header, keyword)
        if value is not None:
            setattr(study, keyword, value)
        elif keyword in _NEEDED_EMPTY:
            setattr(study, keyword, "")
    if "StudyInstanceUID" not in study:
        study.StudyInstanceUID = generate_uid(prefix=None)
    if study.PatientSex not in _SEXES:
        study.PatientSex = ""
    if "DeidentificationMethod" not in study and "PatientIdentityRemoved" in study:
        del study.PatientIdentityRemoved
    if str(header.get("LossyImageCompression") or "") == "01":
        study.LossyImageCompression = "01"
        for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            value = _conforming(header, keyword)
            if value is not None:
                setattr(study, keyword, value)
    return study


def _conforming(header: Dataset, keyword: str) -> Any:
    """Value of an element; None where it is absent, empty or breaks the rules of its type."""
    from pydicom import config
    from pydicom.valuerep import PersonName, validate_value

    try:
        element = header[keyword]
        value = str(element.value) if isinstance(element.value, PersonName) else element.value
        if value is None or value == "":
            return None
        for one in value if element.VM > 1 else (value,):
            validate_value(element.VR, str(one), config.RAISE)
    except Exception:  # no element, or a value that cannot even be converted
        return None
    if element.VM > 1:
        return value
    return value if element.VR in ("DS", "IS") else str(value)
