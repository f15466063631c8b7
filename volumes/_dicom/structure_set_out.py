"""Labels as a DICOM structure set (RTSTRUCT): closed contours plane by plane, referring to the images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.coded import SHORT, code_item, product, short
from volumes._dicom.headers import quiet_pydicom
from volumes._dicom.references import ImageReference, ImageReferences, check_written, referenced_images
from volumes._dicom.segmentation_out import check_any_label
from volumes._dicom.structure_set_in import STRUCTURE_SET_CLASS, read_structure_set
from volumes._label_boxes import label_boxes
from volumes._outlines import trace_outlines
from volumes._replacing import replacing
from volumes.errors import UnsupportedImage
from volumes.segments import Segment
from volumes.volume import Volume

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

__all__ = ["StructureSetWriter"]

_WHAT = "a DICOM structure set"
_STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
_SERIES_NUMBER = 101
_NEAR_PX = 0.05
"""A plane's contours lie in its file's own plane where that is so near, else in the volume's."""
_PALETTE = ((230, 60, 60), (60, 180, 75), (60, 110, 230), (245, 180, 40), (150, 70, 190), (60, 200, 210))


@dataclass(frozen=True)
class StructureSetWriter:
    """Labels as RTSTRUCT, ``.rtstruct.dcm``.

    Contours run along the edges of the voxels, so that software which fills them by voxel centres gets the
    same voxels; holes are joined to the contour around them by a keyhole, as the standard asks for.
    """

    suffixes: tuple[str, ...] = (".rtstruct.dcm",)

    def write(self, path: Path, labels: NDArray[Any], like: Volume, segments: Sequence[Segment]) -> None:
        """Write labels (P, R, C) with references to the files that `like` was read from.

        Raises
        ------
        UnsupportedImage
            If the image was not read from DICOM files, or they do not say where they lie.
        InvalidLabels
            If there is no label, or an id above 65535.
        MissingFile, BrokenFile
            If an image file has gone or changed.
        UnwritableOutput
            If the file cannot be written, or does not read back as what was written.
        """
        check_any_label(path, segments, _WHAT)
        references = referenced_images(like, path, _WHAT)
        if not references.are_placed:
            raise UnsupportedImage(
                f"cannot write {path}: the image files do not say where they lie, which {_WHAT} needs; "
                "write to .seg.dcm (one plane) or .nii.gz"
            )
        with quiet_pydicom():
            made = _structure_set(labels, like, segments, references)
        with replacing(path, ".dcm") as temporary:
            with quiet_pydicom():
                made.save_as(temporary, enforce_file_format=True)
            check_written(path, labels, lambda: read_structure_set(temporary, like).labels.data)


def _structure_set(
    labels: NDArray[Any], like: Volume, segments: Sequence[Segment], references: ImageReferences
) -> FileDataset:
    """Make the object."""
    from pydicom.uid import generate_uid

    made = _equipped(references)
    now = datetime.now()
    frame_uid = references.frame_uid or str(generate_uid(prefix=None))
    made.StructureSetLabel = "SEGMENTATION"
    made.StructureSetDate, made.StructureSetTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    made.FrameOfReferenceUID, made.PositionReferenceIndicator = frame_uid, ""
    made.ReferencedFrameOfReferenceSequence = [_referenced_frame(references, frame_uid)]
    made.StructureSetROISequence = [_roi(segment, frame_uid) for segment in segments]
    contours: dict[int, list[Dataset]] = {segment.value: [] for segment in segments}
    for value, contour in _contours(labels, like, references):
        contours[value].append(contour)
    made.ROIContourSequence = []
    for at, segment in enumerate(segments):
        item = _empty()
        item.ROIDisplayColor = list(segment.colour or _PALETTE[at % len(_PALETTE)])
        item.ContourSequence, item.ReferencedROINumber = contours[segment.value], segment.value
        made.ROIContourSequence.append(item)
    made.RTROIObservationsSequence = [
        _observation(number, one) for number, one in enumerate(segments, start=1)
    ]
    made.ApprovalStatus = "UNAPPROVED"
    return made


def _empty() -> Dataset:
    from pydicom.dataset import Dataset

    return Dataset()


def _equipped(references: ImageReferences) -> FileDataset:
    """Start an object: patient, study, series and equipment.

    Implicit VR, since the contours of large outlines are longer than explicit VR can say.
    """
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ImplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = UID(STRUCTURE_SET_CLASS)
    meta.MediaStorageSOPInstanceUID = generate_uid(prefix=None)
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SpecificCharacterSet = "ISO_IR 192"
    made.update(references.study)
    for keyword in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if keyword in made:
            delattr(made, keyword)
    made.SOPClassUID, made.SOPInstanceUID = STRUCTURE_SET_CLASS, meta.MediaStorageSOPInstanceUID
    made.Modality, made.SeriesInstanceUID = "RTSTRUCT", generate_uid(prefix=None)
    made.SeriesNumber, made.InstanceNumber = _SERIES_NUMBER, 1
    made.SeriesDescription, made.OperatorsName = "Segmentation", ""
    name, number = product()
    made.Manufacturer = made.ManufacturerModelName = name
    made.SoftwareVersions = number
    return made


def _referenced_frame(references: ImageReferences, frame_uid: str) -> Dataset:
    """Name the frame of reference, the study, the series and its images."""
    series, study, frame = _empty(), _empty(), _empty()
    series.SeriesInstanceUID = references.series_uid
    series.ContourImageSequence = [_image_item(image, with_frame=False) for image in references.instances]
    study.ReferencedSOPClassUID = _STUDY_CLASS
    study.ReferencedSOPInstanceUID = references.study.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = frame_uid, [study]
    return frame


def _image_item(image: ImageReference, *, with_frame: bool) -> Dataset:
    """Refer to an image, or to a frame of it."""
    item = _empty()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.sop_class, image.sop_instance
    if with_frame and image.frame is not None:
        item.ReferencedFrameNumber = image.frame
    return item


def _roi(segment: Segment, frame_uid: str) -> Dataset:
    """Name a region; its number is its label."""
    item = _empty()
    item.ROINumber, item.ReferencedFrameOfReferenceUID = segment.value, frame_uid
    item.ROIName = short(segment.title) or f"object {segment.value}"
    item.ROIGenerationAlgorithm = "SEMIAUTOMATIC" if segment.algorithm else "MANUAL"
    if segment.algorithm:
        item.ROIGenerationDescription = short(segment.algorithm)
    return item


def _observation(number: int, segment: Segment) -> Dataset:
    """Say what a region is."""
    item = _empty()
    item.ObservationNumber, item.ReferencedROINumber = number, segment.value
    item.ROIObservationLabel = short(segment.title, SHORT) or f"object {segment.value}"
    item.RTROIIdentificationCodeSequence = [code_item(segment.kind)]
    item.RTROIInterpretedType, item.ROIInterpreter = "", ""
    return item


def _contours(
    labels: NDArray[Any], like: Volume, references: ImageReferences
) -> Iterator[tuple[int, Dataset]]:
    """Contours of all labels, plane by plane, with the label of each."""
    near_mm = _NEAR_PX * min(like.geometry.spacing_mm)
    positions = references.positions_mm(like.geometry, near_mm)
    in_plane = like.geometry.affine[:3, 1:3]
    number = 0
    for index, plane in enumerate(labels):
        image = references.planes[index]
        for value, box in label_boxes(plane).items():
            corner = np.array([side.start for side in box])
            for outline in trace_outlines(plane[box] == value):
                number += 1
                points = positions[index] + (outline + corner) @ in_plane.T
                contour = _empty()
                if image is not None:
                    contour.ContourImageSequence = [_image_item(image, with_frame=True)]
                contour.ContourGeometricType, contour.ContourNumber = "CLOSED_PLANAR", number
                contour.NumberOfContourPoints = len(points)
                contour.ContourData = [_decimal(one) for one in points.ravel().tolist()]
                yield value, contour


def _decimal(value: float) -> str:
    """Write a number in at most 16 characters."""
    return f"{value:.10g}"
