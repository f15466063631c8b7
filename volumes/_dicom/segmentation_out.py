"""Labels as a DICOM segmentation (SEG) that refers to the images they were drawn on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.coded import code_item, product, short
from volumes._dicom.headers import quiet_pydicom
from volumes._dicom.references import ImageReference, ImageReferences, check_written, referenced_images
from volumes._dicom.segmentation_in import MAX_NUMBER, TRACKING, read_segmentation
from volumes._replacing import replacing
from volumes.errors import InvalidLabels, UnsupportedImage
from volumes.segments import Segment
from volumes.volume import Volume

if TYPE_CHECKING:
    from highdicom.seg import Segmentation, SegmentDescription
    from pydicom.dataset import Dataset

__all__ = ["SegmentationWriter", "check_any_label"]

_WHAT = "a DICOM SEG"
_SERIES_NUMBER = 100
_NEAR_PX = 0.5
"""A plane of a volume whose distances were averaged may lie so many pixels from its file's own place."""
_STAND_IN_CLASS = "1.2.840.10008.5.1.4.1.1.7"  # secondary capture: the fewest demands
_UTF8 = "ISO_IR 192"


@dataclass(frozen=True)
class SegmentationWriter:
    """Labels as DICOM SEG: ``.dcm`` one segment a label (binary), ``.labelmap.dcm`` as a label map.

    Binary is what viewers read; a label map (the newer Label Map Segmentation Storage) is smaller where there
    are many objects. Frames without a label are left out.
    """

    suffixes: tuple[str, ...] = (".labelmap.dcm", ".seg.dcm", ".dcm")

    def write(self, path: Path, labels: NDArray[Any], like: Volume, segments: Sequence[Segment]) -> None:
        """Write labels (P, R, C) with references to the files that `like` was read from.

        Raises
        ------
        UnsupportedImage
            If the image was not read from DICOM files, or they do not say where several planes lie.
        InvalidLabels
            If there is no label, or an id above 65535.
        MissingFile, BrokenFile
            If an image file has gone or changed.
        UnwritableOutput
            If the file cannot be written, or does not read back as what was written.
        """
        check_any_label(path, segments, _WHAT)
        references = referenced_images(like, path, _WHAT)
        if not references.are_placed and like.shape[0] > 1:
            raise UnsupportedImage(
                f"cannot write {path}: the image files do not say where their {like.shape[0]} planes lie, "
                "which a DICOM SEG of several planes needs; write to .nii.gz"
            )
        is_map = path.name.lower().endswith(".labelmap.dcm")
        with quiet_pydicom():
            made = _segmentation(labels, like, segments, references, is_map=is_map)
            _refer(made, like, references)
        with replacing(path, ".dcm") as temporary:
            with quiet_pydicom():
                made.save_as(temporary, enforce_file_format=True)
            check_written(path, labels, lambda: read_segmentation(temporary, like).labels.data)


def check_any_label(path: Path, segments: Sequence[Segment], what: str) -> None:
    """Raise InvalidLabels where there is nothing to write, or more than can be numbered."""
    if not segments:
        raise InvalidLabels(f"cannot write {path}: the labels are empty, and {what} needs an object or more")
    if segments[-1].value > MAX_NUMBER:
        raise InvalidLabels(
            f"cannot write {path}: {what} numbers objects up to {MAX_NUMBER}, the labels hold "
            f"{segments[-1].value}; renumber them, or write to .nii.gz"
        )


def _segmentation(
    labels: NDArray[Any],
    like: Volume,
    segments: Sequence[Segment],
    references: ImageReferences,
    *,
    is_map: bool,
) -> Segmentation:
    """Let highdicom make the object, of one image that stands for all of them."""
    from highdicom.seg import Segmentation
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    numbers = [one.value for one in segments] if is_map else list(range(1, len(segments) + 1))
    name, number = product()
    place: dict[str, Any] = {}
    if references.are_placed:
        place = _place(like, references)
    return Segmentation(
        source_images=[_stand_in(like, references)],
        pixel_array=labels if is_map else _renumbered(labels, segments),
        segmentation_type="LABELMAP" if is_map else "BINARY",
        segment_descriptions=[
            _description(one, at, n_free=is_map) for one, at in zip(segments, numbers, strict=True)
        ],
        series_instance_uid=generate_uid(prefix=None),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=generate_uid(prefix=None),
        instance_number=1,
        manufacturer=name,
        manufacturer_model_name=name,
        software_versions=number,
        device_serial_number="0",
        content_label="SEGMENTATION",
        content_description="Segmentation",
        series_description="Segmentation",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=True,
        specific_character_set=_UTF8,
        **place,
    )


def _stand_in(like: Volume, references: ImageReferences) -> Dataset:
    """One single-frame image with what the segmentation shares with all of them.

    Its references are replaced by `_refer`, which knows of frames, and of planes that were filled in.
    """
    from pydicom.dataset import Dataset as Empty
    from pydicom.uid import generate_uid

    image = Empty()
    image.update(references.study)
    image.SOPClassUID, image.SOPInstanceUID = _STAND_IN_CLASS, references.instances[0].sop_instance
    image.SeriesInstanceUID = references.series_uid
    image.Modality = like.provenance.modality or "OT"
    image.Rows, image.Columns = like.shape[1:]
    if references.are_placed:
        image.FrameOfReferenceUID = references.frame_uid or generate_uid(prefix=None)
        image.ImagePositionPatient = [0.0, 0.0, 0.0]
        image.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
        image.PixelSpacing, image.SliceThickness = [1.0, 1.0], 1.0
    return image


def _place(like: Volume, references: ImageReferences) -> dict[str, Any]:
    """Where the planes lie, as highdicom wants it."""
    from highdicom import (
        CoordinateSystemNames,
        PixelMeasuresSequence,
        PlaneOrientationSequence,
        PlanePositionSequence,
    )

    geometry = like.geometry
    _, row_mm, column_mm = geometry.spacing_mm
    normal = np.cross(geometry.directions[:, 2], geometry.directions[:, 1])
    gap_mm = abs(float(normal @ geometry.affine[:3, 0]))
    positions = references.positions_mm(geometry, _near_mm(like))
    along, down = geometry.directions[:, 2].tolist(), geometry.directions[:, 1].tolist()
    system = CoordinateSystemNames.PATIENT
    return {
        "pixel_measures": PixelMeasuresSequence((row_mm, column_mm), gap_mm, gap_mm),
        "plane_orientation": PlaneOrientationSequence(system, (*along, *down)),
        "plane_positions": [PlanePositionSequence(system, position.tolist()) for position in positions],
    }


def _near_mm(like: Volume) -> float:
    return _NEAR_PX * min(like.geometry.spacing_mm)


def _renumbered(labels: NDArray[Any], segments: Sequence[Segment]) -> NDArray[Any]:
    """Labels with the values 1, 2, 3 … in order of the segments."""
    table = np.zeros(segments[-1].value + 1, dtype=np.uint8 if len(segments) < 256 else np.uint16)
    for number, segment in enumerate(segments, start=1):
        table[segment.value] = number
    return np.asarray(table[labels])


def _description(segment: Segment, number: int, *, n_free: bool) -> SegmentDescription:
    """Describe one segment; a label that cannot be its number goes into its tracking identifier."""
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes
    from pydicom.uid import generate_uid

    algorithm = None
    if segment.algorithm:
        family = codes.cid7162.ArtificialIntelligence
        algorithm = AlgorithmIdentificationSequence(short(segment.algorithm), family, product()[1])
    is_tracked = not n_free and segment.value != number
    return SegmentDescription(
        number,
        short(segment.title) or f"object {segment.value}",
        code_item(segment.category),
        code_item(segment.kind),
        "SEMIAUTOMATIC" if segment.algorithm else "MANUAL",
        algorithm,
        tracking_uid=generate_uid(prefix=None) if is_tracked else None,
        tracking_id=f"{TRACKING}{segment.value}" if is_tracked else None,
        display_color=None if segment.colour is None else CIELabColor.from_rgb(*segment.colour),
    )


def _refer(made: Segmentation, like: Volume, references: ImageReferences) -> None:
    """Name the images: all files for the whole, and for each frame the image of its own plane."""
    from pydicom.dataset import Dataset as Empty

    instances = [_reference_item(one) for one in references.instances]
    series = Empty()
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = references.series_uid, instances
    made.ReferencedSeriesSequence = [series]
    if not references.are_placed:
        made.PatientOrientation = ""
    made.SourceImageSequence = [_reference_item(one) for one in references.instances]
    groups = made.PerFrameFunctionalGroupsSequence
    for group, index in zip(groups, _planes_of_frames(made, like), strict=True):
        source = references.planes[index]
        if source is None:
            group.DerivationImageSequence = []
        else:
            is_same = not references.are_placed or source.is_at(like.geometry, index, _near_mm(like))
            group.DerivationImageSequence = [_derivation(source, is_same=is_same)]


def _planes_of_frames(made: Segmentation, like: Volume) -> list[int]:
    """Plane of each frame, from its position."""
    if like.shape[0] == 1:
        return [0] * len(made.PerFrameFunctionalGroupsSequence)
    groups = made.PerFrameFunctionalGroupsSequence
    positions = [group.PlanePositionSequence[0].ImagePositionPatient for group in groups]
    indices = like.geometry.mm_to_index(np.array(positions, dtype=np.float64))
    return [int(index) for index in np.round(indices[:, 0])]


def _reference_item(image: ImageReference) -> Dataset:
    """Refer to an instance."""
    from pydicom.dataset import Dataset as Empty

    item = Empty()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.sop_class, image.sop_instance
    return item


def _derivation(source: ImageReference, *, is_same: bool) -> Dataset:
    """Say that a frame was drawn on an image."""
    from highdicom.sr import CodedConcept
    from pydicom.dataset import Dataset as Empty

    image, item = _reference_item(source), Empty()
    if source.frame is not None:
        image.ReferencedFrameNumber = source.frame
    purpose = CodedConcept("121322", "DCM", "Source image for image processing operation")
    image.PurposeOfReferenceCodeSequence = [purpose]
    image.SpatialLocationsPreserved = "YES" if is_same else "NO"
    item.SourceImageSequence = [image]
    item.DerivationCodeSequence = [CodedConcept("113076", "DCM", "Segmentation")]
    return item
