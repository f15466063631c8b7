"""How long a CT series of 1,000 planes takes to read, beside SimpleITK's own time in the same run.

Run ``python -m benchmarks.dicom_series``. It writes the series (512 x 512, 16 bits, uncompressed, with
headers as long as a scanner's) to a temporary folder, and reads it by turns with SimpleITK
(``GetGDCMSeriesFileNames`` and ``ReadImage``) and with `volumes.read`. It compares the voxels once, and
prints the times and their ratio beside the limit.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

import volumes
from benchmarks._machine import load_average, machine

LIMIT = 1.5
_SIDE = 512
_N_PRIVATE = 40


def write_series(folder: Path, n_planes: int) -> None:
    """Write a CT series: noise of 12 bits, half a millimetre between planes."""
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    noise = np.random.default_rng(0).integers(0, 3000, (_SIDE, _SIDE), np.uint16)
    for index in range(n_planes):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        plane = FileDataset("", _header(), file_meta=meta, preamble=b"\0" * 128)
        plane.SOPClassUID, plane.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        plane.StudyInstanceUID, plane.SeriesInstanceUID, plane.FrameOfReferenceUID = study, series, frame
        plane.InstanceNumber = n_planes - index
        plane.ImagePositionPatient = [-200.5, -180.25, round(-700 + 0.5 * index, 4)]
        plane.SliceLocation = plane.ImagePositionPatient[2]
        plane.PixelData = (noise + np.uint16(index % 1000)).tobytes()
        plane.save_as(folder / f"IM{index:05d}")


def _header() -> Dataset:
    """Return what all planes share, about as much as a scanner writes."""
    header = Dataset()
    header.Modality, header.SeriesNumber, header.AcquisitionNumber = "CT", 3, 1
    header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    header.Rows = header.Columns = _SIDE
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 0
    header.PixelSpacing, header.SliceThickness = [0.78125, 0.78125], 0.5
    header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    header.RescaleSlope, header.RescaleIntercept = 1, -1024
    header.WindowCenter, header.WindowWidth = [40, 500], [400, 2000]
    for keyword in ("Manufacturer", "StationName", "StudyDescription", "SeriesDescription", "ProtocolName"):
        setattr(header, keyword, "benchmark")
    for keyword in ("KVP", "DataCollectionDiameter", "ReconstructionDiameter", "TableHeight", "ExposureTime"):
        setattr(header, keyword, 120)
    header.AcquisitionTime = header.ContentTime = "101112.000000"
    header.GantryDetectorTilt = 0
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CTImageStorage, generate_uid()
    header.ReferencedImageSequence = header.SourceImageSequence = Sequence([reference])
    block = header.private_block(0x0019, "BENCHMARK", create=True)
    for number in range(_N_PRIVATE):
        block.add_new(number, "LO", f"private {number}")
    return header


def by_simpleitk(folder: Path) -> sitk.Image:
    """Read a series with SimpleITK."""
    return sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


def main(argv: list[str] | None = None) -> int:
    """Print the table; return 1 if the limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planes", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_series(folder, arguments.planes)
        is_same = np.array_equal(volumes.read(folder).data, sitk.GetArrayFromImage(by_simpleitk(folder)))
        pairs = [
            (seconds(lambda: by_simpleitk(folder)), seconds(lambda: volumes.read(folder)))
            for _ in range(arguments.repeats)
        ]
    theirs_s, ours_s = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(ours / theirs for theirs, ours in pairs)
    print(f"{machine()}; load {load_average()}")
    print(f"{arguments.planes} planes of {_SIDE} x {_SIDE}, medians of {arguments.repeats} turns")
    print(f"{'reader':<12} {'seconds':>8}")
    print(f"{'SimpleITK':<12} {theirs_s:8.3f}")
    print(f"{'volumes':<12} {ours_s:8.3f}")
    same = "the same voxels" if is_same else "OTHER VOXELS"
    print(f"ratio {ratio:.2f} (median of the turns), limit {LIMIT}; {same}")
    return int(ratio > LIMIT or not is_same)


if __name__ == "__main__":
    raise SystemExit(main())
