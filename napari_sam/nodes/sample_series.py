"""A sample as a DICOM series: a file a plane, of nobody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from volumes import UnwritableOutput, Volume

__all__ = ["write_series"]

_CLASSES = {"CT": CTImageStorage, "MR": MRImageStorage}
_DAY = "20260101"


def write_series(folder: Path, volume: Volume, title: str) -> None:
    """Write a CT or MR volume of 16-bit integers as a series, with the same identifiers every time.

    Parameters
    ----------
    folder : Path
        There already; files of the same names in it are replaced.
    volume : Volume
        Its provenance says which of the two it is. The plane axis must be rows × columns.
    title : str
        Stands as series description and as patient's name, for the patient is nobody.

    Raises
    ------
    UnwritableOutput
        A file cannot be written.
    """
    try:
        for index in range(volume.shape[0]):
            _plane(volume, index, title).save_as(folder / f"{index:03}.dcm", enforce_file_format=True)
    except OSError as error:
        raise UnwritableOutput(
            f"cannot write into {folder}: {error.strerror}; choose another folder with --output"
        ) from error


def _plane(volume: Volume, index: int, title: str) -> FileDataset:
    modality = volume.provenance.modality or "MR"
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = _CLASSES[modality]
    meta.MediaStorageSOPInstanceUID = _uid(title, f"plane {index}")
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.PatientName, dataset.PatientID, dataset.PatientSex = "Sample^Drawn", "drawn", "O"
    dataset.PatientBirthDate = dataset.ReferringPhysicianName = dataset.AccessionNumber = ""
    dataset.StudyDate = dataset.SeriesDate = _DAY
    dataset.StudyTime, dataset.StudyID, dataset.SeriesNumber = "000000", "1", 1
    dataset.Modality, dataset.Manufacturer = modality, "napari-sam-volumes"
    dataset.SeriesDescription, dataset.PatientPosition = title, "HFS"
    dataset.BodyPartExamined = "ABDOMEN" if modality == "CT" else "HEAD"
    dataset.InstanceNumber, dataset.AcquisitionNumber = index + 1, 1
    for keyword, what in (("Study", "study"), ("Series", "series")):
        setattr(dataset, f"{keyword}InstanceUID", _uid(title, what))
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = _uid(title, "frame"), ""
    _describe(dataset, modality)
    _place(dataset, volume, index)
    return dataset


def _describe(dataset: FileDataset, modality: str) -> None:
    """Say what the standard asks of each of the two kinds of image."""
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL" if modality == "CT" else "OTHER"]
    if modality == "CT":
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "HU"
        dataset.KVP = ""
        dataset.WindowCenter, dataset.WindowWidth = 40, 400
        return
    dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "SE", "NONE", ""
    dataset.MRAcquisitionType, dataset.RepetitionTime, dataset.EchoTime = "2D", 600, 10
    dataset.EchoTrainLength = 1


def _place(dataset: FileDataset, volume: Volume, index: int) -> None:
    """Put a plane's voxels in, and say where they lie."""
    geometry, voxels = volume.geometry, np.ascontiguousarray(volume.data[index])
    dataset.Rows, dataset.Columns = voxels.shape
    dataset.ImagePositionPatient = [f"{one:.8g}" for one in geometry.index_to_mm((index, 0, 0))]
    along, down = geometry.directions[:, 2], geometry.directions[:, 1]
    dataset.ImageOrientationPatient = [f"{one:.10g}" for one in (*along, *down)]
    dataset.PixelSpacing, dataset.SliceThickness = list(geometry.spacing_mm[1:]), geometry.spacing_mm[0]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, int(voxels.dtype.kind == "i")
    dataset.PixelData = voxels.astype(voxels.dtype.newbyteorder("<")).tobytes()


def _uid(title: str, what: str) -> UID:
    return UID(generate_uid(entropy_srcs=["napari-sam-volumes sample", title, what]))
