"""Small DICOM files to be damaged: syntaxes, kinds of images, and objects that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from benchmarks._fuzz_dicom_planes import (
    AXIAL,
    SECRETS,
    SHAPE_HW,
    colour,
    jpeg,
    jpeg_lossless,
    plane,
    saved,
    uid,
)

_CT, _ENHANCED_CT, _FILM = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.3.1",
)
_HIGHDICOM = "1.2.826.0.1.3680043.10.511."
_PET = "1.2.840.10008.5.1.4.1.1.128"
_RTSTRUCT, _REPORT = "1.2.840.10008.5.1.4.1.1.481.3", "1.2.840.10008.5.1.4.1.1.88.33"


def palette() -> FileDataset:
    """Make a plane whose values are numbers of colours."""
    table = np.arange(256, dtype=np.uint16)[::-1] * 256
    tables = {
        f"{name}PaletteColorLookupTable{part}": table.tobytes() if part == "Data" else [256, 0, 16]
        for name in ("Red", "Green", "Blue")
        for part in ("Data", "Descriptor")
    }
    pixels = np.random.default_rng(6).integers(0, 256, SHAPE_HW).astype(np.uint8)
    return plane(
        1,
        pixels,
        PhotometricInterpretation="PALETTE COLOR",
        RescaleSlope=None,
        RescaleIntercept=None,
        **tables,
    )


def with_table() -> FileDataset:
    """Make a plane with a modality LUT."""
    table = _dataset(
        LUTDescriptor=[2000, 0, 16],
        ModalityLUTType="OD",
        LUTData=(np.arange(2000, dtype=np.uint16) * 3).tobytes(),
    )
    return plane(1, RescaleSlope=None, RescaleIntercept=None, ModalityLUTSequence=Sequence([table]))


def pet() -> FileDataset:
    """Make a PET plane that says what SUV needs."""
    dose = _dataset(
        RadionuclideTotalDose=3.7e8, RadionuclideHalfLife=6586.2, RadiopharmaceuticalStartTime="090000.00",
        RadiopharmaceuticalStartDateTime=SECRETS[3] + "090000",
    )  # fmt: skip
    return plane(
        1, SOPClassUID=_PET, Modality="PT", Units="BQML", DecayCorrection="START", PatientWeight=70.0,
        CorrectedImage=["ATTN", "DECY"], AcquisitionDate=SECRETS[3], AcquisitionTime="100000.00",
        SeriesDate=SECRETS[3], SeriesTime="100000.00", RescaleSlope=1.7,
        RadiopharmaceuticalInformationSequence=Sequence([dose]),
    )  # fmt: skip


def structure_set() -> FileDataset:
    """Make an RTSTRUCT with one structure on the planes of `plane`."""
    left_out = dict.fromkeys(
        ("Rows", "Columns", "PixelData", "PixelSpacing", "BitsAllocated", "BitsStored", "HighBit",
         "PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation")
    )  # fmt: skip
    structure = _dataset(ROINumber=1, ROIName="organ", ReferencedFrameOfReferenceUID=uid(4))
    contours = Sequence([_contour(number) for number in (2, 3)])
    drawn = _dataset(ReferencedROINumber=1, ROIDisplayColor=[255, 0, 0], ContourSequence=contours)
    seen = _dataset(ObservationNumber=1, ReferencedROINumber=1, RTROIInterpretedType="ORGAN")
    return plane(
        90, SOPClassUID=_RTSTRUCT, Modality="RTSTRUCT", SeriesInstanceUID=uid(9), StructureSetLabel="seed",
        ReferencedFrameOfReferenceSequence=Sequence([_references()]),
        StructureSetROISequence=Sequence([structure]), ROIContourSequence=Sequence([drawn]),
        RTROIObservationsSequence=Sequence([seen]), **left_out,
    )  # fmt: skip


def _contour(number: int) -> Dataset:
    """Make a rectangle on a plane."""
    z = 2.5 * number
    return _dataset(
        ContourGeometricType="CLOSED_PLANAR",
        NumberOfContourPoints=4,
        ContourData=[6, -6, z, 15, -6, z, 15, 3, z, 6, 3, z],
        ContourImageSequence=Sequence([_reference(number)]),
    )


def _references() -> Dataset:
    """Refer to the frame of reference, the study, the series and its planes."""
    images = Sequence([_reference(number) for number in range(1, 5)])
    study = _dataset(
        ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
        ReferencedSOPInstanceUID=uid(1),
        RTReferencedSeriesSequence=Sequence(
            [_dataset(SeriesInstanceUID=uid(2), ContourImageSequence=images)]
        ),
    )
    return _dataset(FrameOfReferenceUID=uid(4), RTReferencedStudySequence=Sequence([study]))


def _reference(number: int) -> Dataset:
    return _dataset(ReferencedSOPClassUID=_CT, ReferencedSOPInstanceUID=uid(3, number))


def segmentation(images: list[FileDataset], kind: str) -> FileDataset:
    """Make a SEG of two segments on planes, by highdicom: "BINARY" or "LABELMAP"."""
    import highdicom

    mask = np.zeros((len(images), *SHAPE_HW, 2), np.uint8)
    mask[1:3, 4:12, 5:15, 0] = 1
    mask[:2, 14:18, 2:9, 1] = 1
    tissue = highdicom.sr.CodedConcept("85756007", "SCT", "Tissue")
    described = [
        highdicom.seg.SegmentDescription(
            number, name, tissue, tissue, highdicom.seg.SegmentAlgorithmTypeValues.MANUAL
        )
        for number, name in ((1, "one"), (2, "two"))
    ]
    made = highdicom.seg.Segmentation(
        images, mask, highdicom.seg.SegmentationTypeValues[kind], described, uid(8), 8, uid(3, 80), 1,
        "seeds", "seeds", "1", "1",
    )  # fmt: skip
    _settle(made)
    return made


def _settle(dataset: FileDataset) -> None:
    """Give times and UIDs that were made up just now values that are always the same."""
    own: dict[str, str] = {}
    for element in dataset.iterall():
        if element.VR == "TM":
            element.value = "120000"
        elif element.VR == "DA" and element.value:
            element.value = SECRETS[3]
        elif element.VR == "DT":
            element.value = SECRETS[3] + "120000"
        elif element.VR == "UI" and str(element.value).startswith(_HIGHDICOM):
            element.value = own.setdefault(str(element.value), uid(8, 1, len(own)))


def enhanced() -> FileDataset:
    """Make an enhanced CT of four frames with functional groups, and a concatenated, odd number of groups."""
    n_frames = 4
    pixels = np.random.default_rng(5).integers(0, 2000, (n_frames, *SHAPE_HW)).astype(np.uint16)
    left_out = dict.fromkeys(
        ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "RescaleSlope",
         "RescaleIntercept", "WindowCenter", "WindowWidth")
    )  # fmt: skip
    dataset = plane(1, pixels, SOPClassUID=_ENHANCED_CT, NumberOfFrames=n_frames, **left_out)
    shared = _nested(
        PlaneOrientationSequence={"ImageOrientationPatient": list(AXIAL)},
        PixelMeasuresSequence={"PixelSpacing": [0.7, 0.8], "SliceThickness": 2.5},
        PixelValueTransformationSequence={"RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"},
    )
    frames = [
        _nested(
            PlanePositionSequence={"ImagePositionPatient": [0.0, 0.0, 2.5 * frame]},
            FrameContentSequence={
                "DimensionIndexValues": [1, frame + 1],
                "StackID": "1",
                "InStackPositionNumber": frame + 1,
            },
        )
        for frame in range(n_frames)
    ]
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    return dataset


def _nested(**sequences: dict[str, Any]) -> Dataset:
    """Make a data set of sequences of one item each."""
    return _dataset(**{name: Sequence([_dataset(**tags)]) for name, tags in sequences.items()})


def _dataset(**tags: Any) -> Dataset:
    made = Dataset()
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    return made


def dicom_seeds(scratch: Path) -> dict[str, dict[str, bytes]]:
    """Return by format, then by name: the bytes of one file each."""
    planes = [plane(number) for number in range(1, 5)]
    plain = saved(plane(RescaleSlope=None, RescaleIntercept=None))
    return {
        "DICOM": _images(),
        "DICOM compressed": {
            "jpeg": jpeg(colour()),
            "jpeg-lossless": jpeg_lossless(plain, scratch),
            "jpeg-ls": saved(plane(), JPEGLSLossless),
            "jpeg-2000": saved(plane(), JPEG2000Lossless),
            "rle": saved(plane(), RLELossless),
            "rle-colour": saved(colour(), RLELossless),
        },
        "DICOM multi-frame": {
            "film": saved(film()),
            "enhanced": saved(enhanced()),
            "enhanced-2000": saved(enhanced(), JPEG2000Lossless),
            "enhanced-rle": saved(enhanced(), RLELossless),
        },
        "DICOM SEG": {
            "binary": saved(segmentation(planes, "BINARY")),
            "labelmap": saved(segmentation(planes, "LABELMAP")),
        },
        "DICOM RTSTRUCT": {"rtstruct": saved(structure_set())},
    }


def _images() -> dict[str, bytes]:
    """Make uncompressed files of one plane, and a report."""
    no_image = {"Rows": None, "Columns": None, "PixelData": None}
    return {
        "explicit": saved(plane()),
        "implicit": saved(plane(), ImplicitVRLittleEndian),
        "big-endian": saved(plane(), ExplicitVRBigEndian),
        "deflated": saved(plane(), DeflatedExplicitVRLittleEndian),
        "no-preamble": saved(plane())[132:],
        "colour": saved(colour()),
        "palette": saved(palette()),
        "table": saved(with_table()),
        "pet": saved(pet()),
        "monochrome1": saved(plane(PhotometricInterpretation="MONOCHROME1", Modality="CR")),
        "report": saved(plane(SOPClassUID=_REPORT, Modality="SR", **no_image)),
    }


def film() -> FileDataset:
    """Make an ultrasound film of three colour frames."""
    frames = np.random.default_rng(7).integers(0, 256, (3, *SHAPE_HW, 3)).astype(np.uint8)
    return colour(
        SOPClassUID=_FILM, Modality="US", NumberOfFrames=3, FrameTime=40, PixelSpacing=None,
        PixelData=frames.tobytes(),
    )  # fmt: skip
