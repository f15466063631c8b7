"""Compressed DICOM: every decoder, how frames lie in fragments, and streams that lie or are damaged."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset
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
from tests.volumes.dicom_made import AXIAL, group, image, ramp, saved
from volumes import read
from volumes._dicom.codestreams import DamagedStream, StreamHeader, read_stream_header
from volumes._dicom.compression import Undecodable, check_fit, decode_frame
from volumes._dicom.encapsulated import DamagedFragments, find_fragments, split_frames
from volumes._dicom.pixel_layout import PixelElement, PixelLayout

LOSSLESS = [RLELossless, JPEGLSLossless, JPEG2000Lossless]
SMOOTH = (np.hypot(*np.mgrid[0:64, 0:80]) * 2).astype(np.uint8)
TEXTURE = np.random.default_rng(2).integers(-2000, 2000, (3, 64, 80)).astype(np.int16)


def jpeg(pixels: NDArray[np.uint8], **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", **options)
    return stream.getvalue()


def compressed(pixels: NDArray[Any], syntax: str, streams: list[bytes], **tags: Any) -> FileDataset:
    dataset = image(pixels, **tags)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([stream + b"\0" * (len(stream) % 2) for stream in streams])
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
    return dataset


def streams_of(pixels: NDArray[Any], syntax: str) -> list[bytes]:
    """Encode by pydicom; the frames' streams."""
    dataset = image(pixels)
    dataset.compress(syntax, generate_instance_uid=False)
    return list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=len(pixels)))


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


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe0\x00\x10JFIF",
        b"\xff\xd8\x00\x00\x00\x00",
        b"\xff\xd8\xff\xda\x00\x08" + bytes(20),
        b"\xff\xd8\xff\xc9\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00",  # arithmetic coding
        b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x00\x00\x10\x01\x01\x11\x00",  # no rows
        b"\xff\xd8\xff\xc3\x00\x0b\x20\x00\x10\x00\x10\x01\x01\x11\x00",  # 32 bits
        b"\xff\xd8\xff\xf7\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00" + bytes(20),  # no end
        b"\x00\x00\x00\x0cjP  \r\n\x87\n",
        b"\xff\x4f\xff\x51",
    ],
)
def test_streams_that_cannot_be(data: bytes) -> None:
    with pytest.raises(DamagedStream):
        read_stream_header(data)


def j2k(
    width: int = 40, height: int = 24, tile: tuple[int, int] = (40, 24), parts: bytes = b"\7\1\1"
) -> bytes:
    size = struct.pack(">HIIIIIIIIH", 0, width, height, 0, 0, *tile, 0, 0, len(parts) // 3) + parts
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size


def test_jpeg_2000_headers() -> None:
    assert read_stream_header(j2k()) == StreamHeader("JPEG 2000", 24, 40, 1, 8, False, False)
    assert read_stream_header(j2k(parts=b"\x8b\1\1")).is_signed
    for bad in (
        j2k(width=0),
        j2k(tile=(0, 24)),
        j2k(60000, 60000, (1, 1)),
        j2k(parts=b"\7\1\1\7\2\2\7\2\2"),
        j2k(parts=b"\7\1\1" * 9),
    ):
        with pytest.raises(DamagedStream):
            read_stream_header(bad)


def test_fragments_that_cannot_be() -> None:
    for data in (
        b"",
        b"\xfe\xff\x00\xe0\x05\x00\x00\x00" + bytes(9),
        b"\xfe\xff\x00\xe0\xff\xff\xff\x7f",
        bytes(99),
    ):
        with pytest.raises(DamagedFragments):
            find_fragments(data)
    none = find_fragments(b"\xfe\xff\x00\xe0\x00\x00\x00\x00")
    with pytest.raises(DamagedFragments, match="has 0 fragments for 1 frames"):
        split_frames(b"", none, 1)


def test_damaged_and_unknown_frames_are_named() -> None:
    layout = PixelLayout(64, 80, 1, 1, 8, 8, 7, False, False, "MONOCHROME2")
    known = PixelElement("PixelData", 0, None, JPEGLSLossless, True)
    unknown = PixelElement("PixelData", 0, None, "1.2.840.10008.1.2.4.110", True)
    with pytest.raises(Undecodable, match="of a compression that is not known"):
        decode_frame(b"\1\2\3\4", unknown, layout)
    with pytest.raises(Undecodable, match="begins like no compression"):
        decode_frame(b"\1\2\3\4", known, layout)
    damaged = jpeg(SMOOTH)
    with pytest.raises(Undecodable, match="a frame of JPEG is damaged"):
        decode_frame(damaged[: len(damaged) // 2], known, layout)
    with pytest.raises(Undecodable, match="is 3x4x1"):
        check_fit(StreamHeader("JPEG", 3, 4, 1, 8), layout)


def palette(is_segmented: bool, n_bits: int) -> dict[str, Any]:
    tags: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for number, name in enumerate(("Red", "Green", "Blue")):
        entries = np.linspace(0, 60 * (number + 1), 16).astype(np.uint16) * (257 if n_bits == 16 else 1)
        if is_segmented:  # one discrete entry, then a line to the last
            entries = np.array([0, 1, entries[0], 1, 15, entries[-1]], np.uint16)
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [16, 0, 16]
        key = f"Segmented{name}" if is_segmented else name
        tags[f"{key}PaletteColorLookupTableData"] = entries.tobytes()
    return tags


@pytest.mark.parametrize("is_segmented", [False, True])
def test_palettes(is_segmented: bool, tmp_path: Path) -> None:
    indices = (ramp(4, 4) % 16).astype(np.uint8)
    found = read(saved(image(indices, **palette(is_segmented, 16)), tmp_path)).data[0]
    assert found.dtype == np.uint8
    for number in range(3):
        expected = np.linspace(0, 60 * (number + 1), 16)[indices]
        assert np.abs(found[..., number] - expected).max() <= 1


def test_palettes_of_deep_pixels_and_of_shallow_entries(tmp_path: Path) -> None:
    deep = read(saved(image((ramp(4, 4) % 16).astype(np.uint16), **palette(False, 16)), tmp_path)).data
    assert deep.dtype == np.uint16
    assert deep.max() == 180 * 257
    shallow = read(saved(image((ramp(4, 4) % 16).astype(np.uint8), **palette(False, 8)), tmp_path)).data
    assert shallow.max() == 180


@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422"])
def test_uncompressed_luminance_and_chrominance(photometric: str, tmp_path: Path) -> None:
    dataset = image(np.zeros((2, 4, 3), np.uint8), PhotometricInterpretation=photometric)
    ybr = [(200, 90, 160)] * 8
    half = [200, 200, 90, 160] * 4
    dataset.PixelData = bytes(half) if photometric.endswith("422") else bytes(np.array(ybr, np.uint8))
    found = read(saved(dataset, tmp_path)).data[0]
    expected = (200 + 1.402 * 32, 200 - 0.344136 * -38 - 0.714136 * 32, 200 + 1.772 * -38)
    assert np.abs(found - np.array(expected)).max() < 1.0
    assert np.array_equal(found[None], pydicom.dcmread(tmp_path / "image.dcm").pixel_array[None])


def test_colour_planes_one_behind_the_other(tmp_path: Path) -> None:
    pixels = ramp(2, 4, 5, 3, dtype=np.uint8)
    dataset = image(pixels, PlanarConfiguration=1, PixelData=np.moveaxis(pixels, -1, 1).tobytes())
    assert np.array_equal(read(saved(dataset, tmp_path)).data, pixels)


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


DCMTK = {
    "JPEG lossless, first predictor": ("dcmcjpeg", "+e1"),
    "JPEG lossless, predictor 5": ("dcmcjpeg", "+el", "+sv", "5"),
    "JPEG-LS": ("dcmcjpls",),
    "run lengths": ("dcmcrle",),
}
KINDS: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
    "8 bits": (SMOOTH, {}),
    "16 bits": (TEXTURE[0].view(np.uint16), {}),
    "16 bits signed": (TEXTURE[0], {}),
    "12 bits": (np.abs(TEXTURE[0]).view(np.uint16), {"BitsStored": 12, "HighBit": 11}),
    "12 bits signed": (TEXTURE[0], {"BitsStored": 12, "HighBit": 11}),
    "colours": (np.stack([SMOOTH, 255 - SMOOTH, SMOOTH // 2], axis=-1), {}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("codec", DCMTK)
def test_what_dcmtk_writes_comes_back(codec: str, kind: str, tmp_path: Path) -> None:
    program = shutil.which(DCMTK[codec][0])
    if program is None:
        pytest.skip("DCMTK is not installed")
    pixels, tags = KINDS[kind]
    plain = saved(
        image(pixels, StudyInstanceUID="1.2.9", RescaleSlope=1, RescaleIntercept=-7, **tags), tmp_path
    )
    path = tmp_path / "compressed.dcm"
    subprocess.run([program, *DCMTK[codec][1:], plain, path], check=True, capture_output=True)
    assert path.stat().st_size != plain.stat().st_size
    assert np.array_equal(read(path).data, read(plain).data)
    assert np.array_equal(read(plain).data[0], pixels.astype(int) - (7 if kind != "colours" else 0))


def test_what_dcmtk_writes_with_losses_is_near(tmp_path: Path) -> None:
    program = shutil.which("dcmcjpeg")
    if program is None:
        pytest.skip("DCMTK is not installed")
    deep = SMOOTH.astype(np.uint16) * 16
    for pixels, options, tags in (
        (deep, ("+ee", "+q", "98"), {"BitsStored": 12, "HighBit": 11}),  # 12 bits
        (SMOOTH, ("+eb", "+q", "98"), {}),
        (KINDS["colours"][0], ("+eb", "+q", "98"), {}),
    ):
        plain = saved(image(pixels, StudyInstanceUID="1.2.9", **tags), tmp_path)
        path = tmp_path / "compressed.dcm"
        subprocess.run([program, *options, plain, path], check=True, capture_output=True)
        near = np.abs(read(path).data[0].astype(int) - pixels.astype(int))
        assert near.mean() < (40 if pixels is deep else 5)
        assert read(path).data.dtype == pixels.dtype
