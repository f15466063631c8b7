"""What DICOM objects without a picture are, in words."""

from __future__ import annotations

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_STANDARD = "1.2.840.10008."

# Objects that are no images, by SOP class; some of them hold pixels all the same.
_BY_CLASS = {
    "1.2.840.10008.1.3.10": "a DICOMDIR, the index of a disc",
    f"{_STORAGE}66": "raw data",
    f"{_STORAGE}66.1": "a spatial registration",
    f"{_STORAGE}66.2": "a set of spatial fiducials",
    f"{_STORAGE}66.3": "a deformable spatial registration",
    f"{_STORAGE}66.4": "a segmentation (DICOM SEG)",
    f"{_STORAGE}66.5": "a surface segmentation",
    f"{_STORAGE}66.6": "a set of fibre tracts",
    f"{_STORAGE}66.7": "a label map (DICOM SEG)",
    f"{_STORAGE}66.8": "a height map segmentation",
    f"{_STORAGE}67": "a real-world value map",
    f"{_STORAGE}68.1": "a surface scan mesh",
    f"{_STORAGE}68.2": "a surface scan point cloud",
    f"{_STORAGE}4.2": "MR spectroscopy",
    f"{_STORAGE}88.59": "a key object selection",
    f"{_STORAGE}90.1": "a content assessment",
    f"{_STORAGE}91.1": "microscopy annotations",
    f"{_STORAGE}104.1": "a PDF document",
    f"{_STORAGE}104.2": "a CDA document",
    f"{_STORAGE}104.3": "a surface model (STL)",
    f"{_STORAGE}104.4": "a surface model (OBJ)",
    f"{_STORAGE}104.5": "a surface model's material (MTL)",
    f"{_STORAGE}77.1.5.3": "a stereometric relationship",
    f"{_STORAGE}481.3": "a radiotherapy structure set (RTSTRUCT)",
    f"{_STORAGE}481.4": "a radiotherapy treatment record of beams",
    f"{_STORAGE}481.5": "a radiotherapy plan (RTPLAN)",
    f"{_STORAGE}481.6": "a brachytherapy treatment record",
    f"{_STORAGE}481.7": "a radiotherapy treatment summary",
    f"{_STORAGE}481.8": "a radiotherapy ion plan (RTPLAN)",
    f"{_STORAGE}481.9": "an ion beam treatment record",
    "1.2.840.10008.5.1.4.34.7": "a radiotherapy beams delivery instruction",
}
# Families, by the beginning of their SOP class.
_BY_FAMILY = {
    f"{_STORAGE}9.": "a waveform (ECG, sound …)",
    f"{_STORAGE}11.": "a presentation state",
    f"{_STORAGE}88.": "a structured report (SR)",
    f"{_STORAGE}78.": "a measurement of the eye",
    f"{_STORAGE}79.": "a measurement of the eye",
    f"{_STORAGE}80.": "a measurement of the eye",
    f"{_STORAGE}200.": "a protocol",
    f"{_STORAGE}481.": "a radiotherapy object",
    "1.2.840.10008.5.1.4.38.": "a hanging protocol",
    "1.2.840.10008.5.1.4.39.": "a colour palette",
    "1.2.840.10008.5.1.4.43.": "an implant template",
    "1.2.840.10008.5.1.4.44.": "an implant template",
    "1.2.840.10008.5.1.4.45.": "an implant template",
}
# Of the families above, these are images.
_IMAGES = (f"{_STORAGE}481.1", f"{_STORAGE}481.2")
_WITHOUT_PIXELS = "not an image"


def name_of_class(sop_class: str) -> str:
    """Say in words what an object of a SOP class is that is no image; empty where it may be one.

    Parameters
    ----------
    sop_class : str
        SOPClassUID; empty where the file names none.
    """
    if sop_class in _BY_CLASS:
        return _BY_CLASS[sop_class]
    if sop_class in _IMAGES or any(sop_class.startswith(f"{image}.") for image in _IMAGES):
        return ""
    return next((name for start, name in _BY_FAMILY.items() if sop_class.startswith(start)), "")


def name_without_pixels(sop_class: str, missing: str) -> str:
    """Say in words what an object is that has no pixels.

    Parameters
    ----------
    sop_class : str
        SOPClassUID; empty where the file names none.
    missing : str
        What it lacks to be an image.
    """
    from pydicom.uid import UID

    if name := name_of_class(sop_class):
        return name
    if not sop_class:
        return f"{_WITHOUT_PIXELS} (no SOP class, no {missing})"
    if not sop_class.startswith(_STANDARD):
        return f"a private object, not an image (no {missing})"
    name = UID(sop_class).name
    known = name.removesuffix(" Storage") if name != sop_class else "an unknown kind"
    return f"{_WITHOUT_PIXELS} ({known}, no {missing})"
