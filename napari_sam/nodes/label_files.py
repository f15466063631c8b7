"""Files that hold labels: which these are by content, and reading them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import volumes
from napari_sam.nodes.image_input import ImageInput, Place, is_url
from napari_sam.nodes.outputs import is_in_zarr
from volumes import LabelVolume, Volume

__all__ = ["is_label_output", "label_kind", "read_labels", "roi_names"]

_HEAD_BYTES = 4096
# Media storage or SOP class: tag, four bytes of type and length, the UID in text.
_SOP_CLASS = re.compile(rb"(?:\x02\x00\x02\x00|\x08\x00\x16\x00).{4}([0-9.]{1,64})", re.DOTALL)
_KINDS = {
    b"1.2.840.10008.5.1.4.1.1.66.4": "DICOM SEG",
    b"1.2.840.10008.5.1.4.1.1.66.7": "DICOM SEG",
    b"1.2.840.10008.5.1.4.1.1.481.3": "DICOM RTSTRUCT",
}


def label_kind(place: Place) -> str:
    """Name the format of a file that holds labels whatever is asked of it, by its first bytes.

    Returns
    -------
    str
        ``"DICOM SEG"``, ``"DICOM RTSTRUCT"`` or ``"COCO JSON"``; empty for images, for formats that hold
        both, and for what is not there or cannot be read.
    """
    path = Path(place)
    if is_url(place) or not path.is_file():
        return ""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError:
        return ""
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        return "COCO JSON"
    found = _SOP_CLASS.search(head)
    return "" if found is None else _KINDS.get(found[1].rstrip(b"."), "")


def is_label_output(path: Path) -> bool:
    """Return whether a file of that name can hold labels and no image."""
    name = path.name.lower()
    takes_labels = is_in_zarr(path) or name.endswith(volumes.label_suffixes())
    return takes_labels and not name.endswith(volumes.image_suffixes())


def read_labels(source: ImageInput, like: Volume | None = None) -> LabelVolume:
    """Read a file of labels, onto the grid of the image that they belong to where it is given.

    Raises
    ------
    VolumeError
        As `volumes.read_labels`.
    """
    return volumes.read_labels(source.place, like=like, series=source.series)


def roi_names(path: Path) -> tuple[str, ...]:
    """Return the names of the regions of an RTSTRUCT, in its order; none where they cannot be read."""
    import pydicom

    try:
        dataset: Any = pydicom.dcmread(path, specific_tags=["StructureSetROISequence"], force=True)
        return tuple(str(one.get("ROIName", "")) for one in dataset.get("StructureSetROISequence") or ())
    except Exception:  # pydicom raises whatever its parser met
        return ()
