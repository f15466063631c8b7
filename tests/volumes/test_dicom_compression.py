"""Compressed DICOM: every decoder, how frames lie in fragments, and headers that lie."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.sequence import Sequence
from pydicom.uid import (
    JPEG2000,
    MPEG4HP41,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

import volumes
from tests.volumes.dicom_made import AXIAL, group, image, saved
from tests.volumes.dicom_streams import SMOOTH, TEXTURE, compressed, jpeg, streams_of
from volumes import read

LOSSLESS = [RLELossless, JPEGLSLossless, JPEG2000Lossless]


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_lossless_frames_come_back(syntax: str, dtype: Any, tmp_path: Path) -> None:
    pixels = TEXTURE if dtype == np.int16 else np.abs(TEXTURE).astype(dtype)
    dataset = image(pixels, RescaleSlope=2, RescaleIntercept=-10)
    dataset.compress(syntax, generate_instance_uid=False)
    assert np.array_equal(read(saved(dataset, tmp_path)).data, pixels.astype(int) * 2 - 10)


@pytest.mark.parametrize("syntax", [*LOSSLESS, JPEG2000, JPEGLSNearLossless])
def test_colours_come_back(syntax: str, tmp_path: Path) -> None:
    pixels = np.stack([SMOOTH, SMOOTH.T.reshape(64, 80), SMOOTH[::-1]], axis=-1)
    dataset = image(pixels)
    options: dict[str, Any] = {JPEG2000: {"j2k_cr": [1]}, JPEGLSNearLossless: {"jls_error": 2}}.get(
        syntax, {}
    )
    if syntax in (JPEG2000, JPEG2000Lossless):
        dataset.PhotometricInterpretation = "RGB"
    dataset.compress(syntax, generate_instance_uid=False, **options)
    found = read(saved(dataset, tmp_path)).data[0]
    assert np.abs(found.astype(int) - pixels).max() <= (3 if options else 0)


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_luminance_and_chrominance_become_rgb(syntax: str, tmp_path: Path) -> None:
    ybr = np.stack([SMOOTH, np.full_like(SMOOTH, 128), np.full_like(SMOOTH, 128)], axis=-1)
    dataset = image(ybr, PhotometricInterpretation="YBR_FULL")
    if syntax == JPEG2000Lossless:
        dataset.PhotometricInterpretation = "RGB"
    dataset.compress(syntax, generate_instance_uid=False)
    dataset.PhotometricInterpretation = "YBR_FULL"
    assert np.array_equal(read(saved(dataset, tmp_path)).data[0], np.stack([SMOOTH] * 3, axis=-1))


def test_jpeg_colours_are_what_the_stream_says_and_else_the_header(tmp_path: Path) -> None:
    rgb = np.stack([SMOOTH, 255 - SMOOTH, np.full_like(SMOOTH, 90)], axis=-1)
    with_jfif = jpeg(rgb, quality=100, subsampling=0)
    kept_rgb = jpeg(rgb, quality=100, subsampling=0, keep_rgb=True)
    bare = with_jfif[:2] + with_jfif[20:]  # without its JFIF segment
    as_ybr = io.BytesIO()
    Image.fromarray(rgb).convert("YCbCr").save(as_ybr, "JPEG", quality=100, subsampling=0)
    for stream, photometric in (
        (with_jfif, "YBR_FULL_422"),
        (with_jfif, "RGB"),
        (kept_rgb, "RGB"),
        (bare, "YBR_FULL"),
    ):
        dataset = compressed(rgb, JPEGBaseline8Bit, [stream], PhotometricInterpretation=photometric)
        found = read(saved(dataset, tmp_path)).data[0]
        assert np.abs(found.astype(int) - rgb).max() < 6, photometric
    dataset = compressed(rgb, JPEGBaseline8Bit, [bare], PhotometricInterpretation="RGB")
    ybr = np.asarray(Image.fromarray(rgb).convert("YCbCr"))
    assert np.abs(read(saved(dataset, tmp_path)).data[0].astype(int) - ybr).max() < 6


@pytest.mark.parametrize("n_fragments", [1, 3])
@pytest.mark.parametrize("table", ["basic", "extended", "none", "wrong"])
def test_frames_in_fragments(table: str, n_fragments: int, tmp_path: Path) -> None:
    pixels = TEXTURE
    streams = streams_of(pixels, JPEG2000Lossless)
    dataset = compressed(pixels, JPEG2000Lossless, streams)
    even = [stream + b"\0" * (len(stream) % 2) for stream in streams]
    if table == "extended":
        if n_fragments > 1:
            pytest.skip("the standard has one fragment a frame beside this table")
        data, offsets, lengths = encapsulate_extended(even)
        dataset.PixelData, dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = (
            data,
            offsets,
            lengths,
        )
    else:
        data = encapsulate(even, fragments_per_frame=n_fragments, has_bot=table != "none")
        if table == "wrong":
            data = data[:8] + struct.pack("<3I", 0, 6, 8) + data[20:]
        dataset.PixelData = data
    dataset["PixelData"].is_undefined_length = True
    assert np.array_equal(read(saved(dataset, tmp_path)).data, pixels)


def test_fragments_that_nothing_tells_apart_are_refused(tmp_path: Path) -> None:
    dataset = image(TEXTURE)
    dataset.compress(RLELossless, generate_instance_uid=False)
    streams = list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=3))
    dataset.PixelData = encapsulate(streams, fragments_per_frame=2, has_bot=False)
    dataset["PixelData"].is_undefined_length = True
    with pytest.raises(volumes.BrokenFile, match="has 6 fragments for 3 frames and no table of them"):
        read(saved(dataset, tmp_path))


def test_a_file_that_ends_within_a_frame_is_refused(tmp_path: Path) -> None:
    path = saved(compressed(TEXTURE, JPEG2000Lossless, streams_of(TEXTURE, JPEG2000Lossless)), tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(volumes.BrokenFile, match="PixelData .7FE0,0010. is cut off; get"):
        read(path)


def test_a_missing_delimiter_does_not_matter(tmp_path: Path) -> None:
    path = saved(compressed(TEXTURE, JPEG2000Lossless, streams_of(TEXTURE, JPEG2000Lossless)), tmp_path)
    path.write_bytes(path.read_bytes()[:-8])
    assert np.array_equal(read(path).data, TEXTURE)


@pytest.mark.parametrize("missing", [True, False], ids=["missing", "wrong"])
def test_the_stream_tells_the_compression(missing: bool, tmp_path: Path) -> None:
    dataset = compressed(TEXTURE, JPEG2000Lossless, streams_of(TEXTURE, JPEG2000Lossless))
    dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
    path = saved(dataset, tmp_path)
    if missing:  # an explicit little endian file without its meta header
        data = path.read_bytes()
        path.write_bytes(data[data.index(b"\x08\x00\x16\x00UI") :])
    volume = read(path)
    assert np.array_equal(volume.data, TEXTURE)
    assert any(
        "TransferSyntaxUID (0002,0010) does not say that the frames are JPEG 2000" in note
        for note in volume.provenance.notes
    )


def test_a_sign_that_the_stream_lacks(tmp_path: Path) -> None:
    unsigned = TEXTURE.view(np.uint16)
    path = saved(compressed(TEXTURE, JPEG2000Lossless, streams_of(unsigned, JPEG2000Lossless)), tmp_path)
    volume = read(path)
    assert np.array_equal(volume.data, TEXTURE)
    assert any("PixelRepresentation (0028,0103) says signed" in note for note in volume.provenance.notes)
    path = saved(compressed(unsigned, JPEG2000Lossless, streams_of(TEXTURE, JPEG2000Lossless)), tmp_path)
    assert np.array_equal(read(path).data, unsigned)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless, JPEGBaseline8Bit])
def test_a_stream_of_another_size_is_refused_before_decoding(syntax: str, tmp_path: Path) -> None:
    stream = jpeg(SMOOTH) if syntax == JPEGBaseline8Bit else streams_of(SMOOTH[None], syntax)[0]
    path = saved(compressed(SMOOTH[:12], syntax, [stream]), tmp_path)
    with pytest.raises(
        volumes.BrokenFile, match=r"frame of JPEG.* is 64x80x1, the file's header says 12x80x1; mend"
    ):
        read(path)


def test_more_frames_than_a_file_can_hold(tmp_path: Path) -> None:
    path = saved(compressed(SMOOTH, JPEGBaseline8Bit, [jpeg(SMOOTH)], NumberOfFrames=100_000), tmp_path)
    with pytest.raises(
        volumes.BrokenFile, match=r"NumberOfFrames \(0028,0008\) is 100000, more than the file"
    ):
        read(path)


def test_run_lengths_cannot_hold_so_much(tmp_path: Path) -> None:
    dataset = image(SMOOTH)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.Rows = dataset.Columns = 60_000
    with pytest.raises(volumes.BrokenFile, match="says it holds 1x60000x60000x1 values"):
        read(saved(dataset, tmp_path))


def test_frames_deflated_one_by_one(tmp_path: Path) -> None:
    streams = []
    for frame in TEXTURE:
        deflater = zlib.compressobj(wbits=-15)
        streams.append(deflater.compress(frame.tobytes()) + deflater.flush())
    path = saved(compressed(TEXTURE, JPEG2000Lossless, streams), tmp_path)
    deflated = b"1.2.840.10008.1.2.8.1\0"  # which pydicom does not write yet
    path.write_bytes(path.read_bytes().replace(JPEG2000Lossless.encode(), deflated))
    assert np.array_equal(read(path).data, TEXTURE)


def test_frames_of_12_bits_and_lossless_ones_keep_their_signs(shared_data: Path, tmp_path: Path) -> None:
    """GDCM decodes these; it must not rescale, mask or turn round what the file's header is to tell."""
    singles = shared_data / "dicom_zoo" / "singles"
    reference = read(singles / "nema_wg04" / "CT2_RLE").data
    assert np.array_equal(read(singles / "nema_wg04" / "CT2_JPLL").data, reference)
    dataset = pydicom.dcmread(singles / "nema_wg04" / "CT2_JPLL")
    dataset.PixelRepresentation, dataset.RescaleIntercept, dataset.RescaleSlope = 0, 0, 1
    dataset.PhotometricInterpretation = "MONOCHROME1"
    unsigned = read(saved(dataset, tmp_path)).data
    assert unsigned.max() > 2**15


def film(n_frames: int, container_name: str = "mpeg2video") -> bytes:
    av = pytest.importorskip("av")
    stream = io.BytesIO()
    with av.open(stream, "w", format=container_name) as container:
        codec = "mpeg4" if container_name == "mp4" else "mpeg2video"
        video = container.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(n_frames):
            grey = np.full((48, 64, 3), 40 * number, np.uint8)
            for packet in video.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")):
                container.mux(packet)
        for packet in video.encode():
            container.mux(packet)
    return stream.getvalue()


@pytest.mark.parametrize("container_name", ["mpeg2video", "mp4"])
def test_films_are_planes_of_time(
    container_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.zeros((4, 48, 64, 3), np.uint8)
    dataset = compressed(
        pixels, MPEG4HP41, [film(4, container_name)], PhotometricInterpretation="YBR_PARTIAL_420"
    )
    path = saved(dataset, tmp_path)
    data = read(path).data
    assert data.shape == (4, 48, 64, 3)
    assert np.abs(data[:, 20, 20, 1].astype(int) - 40 * np.arange(4)).max() < 4
    dataset.NumberOfFrames = 9
    with pytest.raises(volumes.BrokenFile, match="the film has fewer frames than 9"):
        read(saved(dataset, tmp_path))
    dataset.NumberOfFrames, dataset.Rows = 4, 32
    with pytest.raises(volumes.BrokenFile, match="the film is of another size than the header says"):
        read(saved(dataset, tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(volumes.UnsupportedImage, match=r"PyAV; pip install 'napari-sam-volumes\[film\]'$"):
        read(path)


def test_frames_of_an_enhanced_image_are_decoded_one_by_one(tmp_path: Path) -> None:
    frames = [group(PlanePositionSequence={"ImagePositionPatient": [0, 0, place]}) for place in (4, 0, 2)]
    dataset = image(
        TEXTURE,
        PerFrameFunctionalGroupsSequence=Sequence(frames),
        SharedFunctionalGroupsSequence=Sequence(
            [
                group(
                    PlaneOrientationSequence={"ImageOrientationPatient": AXIAL},
                    PixelMeasuresSequence={"PixelSpacing": [1, 1]},
                )
            ]
        ),
    )
    dataset.compress(JPEGLSLossless, generate_instance_uid=False)
    assert np.array_equal(read(saved(dataset, tmp_path)).data, TEXTURE[[1, 2, 0]])
