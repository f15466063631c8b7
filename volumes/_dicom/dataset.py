"""Open DICOM files with pydicom: quietly, and without what its own messages may tell of a patient."""

from __future__ import annotations

import logging
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from volumes._dicom.functional_groups import VECTORS
from volumes._dicom.plane_tags import TAGS
from volumes._limits import DEFLATE, check_memory
from volumes.errors import BrokenFile, UnsupportedImage

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

_KEYWORDS = (
    *TAGS, *VECTORS, "SOPClassUID", "Modality", "SeriesInstanceUID", "SeriesDescription",
    "FrameOfReferenceUID",
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "NumberOfFrames",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
    "ImagerPixelSpacing", "NominalScannedPixelSpacing", "EstimatedRadiographicMagnificationFactor",
    "SequenceOfUltrasoundRegions", "SliceThickness", "SpacingBetweenSlices", "SliceVector",
    "DetectorInformationSequence", "GridFrameOffsetVector", "DoseGridScaling", "DoseUnits", "RescaleSlope",
    "RescaleIntercept", "ModalityLUTSequence", "RealWorldValueMappingSequence", "WindowCenter", "WindowWidth",
    "VOILUTSequence", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "DimensionOrganizationType", "TotalPixelMatrixRows", "TotalPixelMatrixColumns",
    "Units", "SUVType", "CorrectedImage", "DecayCorrection", "PatientWeight", "SeriesDate", "SeriesTime",
    "AcquisitionDate", "AcquisitionTime", "RadiopharmaceuticalInformationSequence",
)  # fmt: skip
_TABLES = (
    "ExtendedOffsetTable", "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData", "ModalityLUTSequence", "PixelRepresentation",
    "BitsAllocated", "BitsStored", "PhotometricInterpretation",
)  # fmt: skip
_DEFLATED = "1.2.840.10008.1.2.1.99"
_META_END = 4096
_CHUNK = 1 << 22


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom's warnings and log about odd values off stderr: they may quote the values."""
    logger = logging.getLogger("pydicom")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = was_disabled


def read_header(path: Path, stream: BinaryIO) -> tuple[FileDataset, bool]:
    """Read the elements that a plane's header takes, and leave the stream standing at the pixels.

    Returns
    -------
    FileDataset, bool
        With a transfer syntax, and whether the file itself names it.

    Raises
    ------
    BrokenFile
        If pydicom cannot read it.
    """
    dataset = _parsed(path, stream, specific_tags=_tags(_KEYWORDS), stop_before_pixels=True)
    return dataset, _name_syntax(path, dataset)


def read_tables(path: Path) -> FileDataset:
    """Read the tables of a file: palettes, the modality's table, offsets of frames.

    Raises
    ------
    BrokenFile
        If pydicom cannot read it.
    """
    return _read(path, path, specific_tags=_tags(_TABLES), stop_before_pixels=True)


def read_dataset(path: Path, *, with_pixels: bool) -> FileDataset:
    """Read a whole DICOM file, with or without its pixels; give it a transfer syntax where it lacks one.

    Raises
    ------
    BrokenFile
        If pydicom cannot read it.
    UnsupportedImage
        If it is deflated, and too large for this machine.
    """
    return _read(path, path, stop_before_pixels=not with_pixels)


def _read(path: Path, source: Path | BinaryIO, **how: Any) -> FileDataset:
    """Read a dataset and give it a transfer syntax."""
    dataset = _parsed(path, source, **how)
    _name_syntax(path, dataset)
    return dataset


def _parsed(path: Path, source: Path | BinaryIO, **how: Any) -> FileDataset:
    """Call pydicom, and say of its errors only that there was one."""
    import pydicom

    _check_deflated(path)
    try:
        with quiet_pydicom():
            return pydicom.dcmread(source, force=True, **how)
    except Exception:  # pydicom raises what its parser met, and its texts may quote the file
        raise _unreadable(path) from None


def _name_syntax(path: Path, dataset: FileDataset) -> bool:
    """Give a dataset the transfer syntax by which it was read, where it names none; whether it named one."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    try:
        with quiet_pydicom():
            if dataset.file_meta.get("TransferSyntaxUID"):
                return True
            is_implicit, is_little = dataset.original_encoding
            explicit = ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else explicit
    except Exception:  # the file's meta header is damaged
        raise _unreadable(path) from None
    return False


def _unreadable(path: Path) -> BrokenFile:
    """Return the error for a file that pydicom cannot read."""
    return BrokenFile(f"{path} cannot be read as DICOM; get an undamaged copy")


@lru_cache
def _tags(keywords: tuple[str, ...]) -> list[Any]:
    """Tags of keywords, as pydicom takes them."""
    from pydicom.datadict import tag_for_keyword

    return [tag for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None]


def _check_deflated(path: Path) -> None:
    """Refuse a file that is deflated as a whole and swells beyond this machine's memory."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_META_END)
            if _DEFLATED.encode() not in head:
                return
            try:
                check_memory(path, int(path.stat().st_size * DEFLATE))
                return
            except UnsupportedImage:
                pass
            start = _end_of_meta(head)
            stream.seek(start)
            _count_inflated(path, stream)
    except OSError as error:
        raise BrokenFile(f"{path} cannot be read: {error.strerror}; get an undamaged copy") from None


def _end_of_meta(head: bytes) -> int:
    """Where the elements of group 2, which are never deflated, end: their length stands first."""
    return 144 + int.from_bytes(head[140:144], "little")


def _count_inflated(path: Path, stream: BinaryIO) -> None:
    """Inflate without keeping anything, and raise UnsupportedImage when it gets too much."""
    inflater, n_bytes = zlib.decompressobj(-zlib.MAX_WBITS), 0
    data = stream.read(_CHUNK)
    try:
        while data:
            n_bytes += len(inflater.decompress(data, _CHUNK))
            check_memory(path, n_bytes)
            data = inflater.unconsumed_tail or stream.read(_CHUNK)
    except zlib.error:
        raise BrokenFile(f"{path} is deflated and damaged; get an undamaged copy") from None
