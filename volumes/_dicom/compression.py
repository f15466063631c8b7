"""Compressed frames: which decoder takes which, and what a frame's own header says against the file's."""

from __future__ import annotations

import io
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.codestreams import DamagedStream, StreamHeader, read_stream_header, starts_a_stream
from volumes._dicom.colour import to_rgb
from volumes._dicom.elements import Elements
from volumes._dicom.header_warnings import SenselessElement, tag_name
from volumes._dicom.native import native_frames
from volumes._dicom.pixel_layout import PixelElement, PixelLayout
from volumes._quiet import quiet_sitk, quiet_stderr

Frame = NDArray[Any]
Decode = Callable[[bytes, StreamHeader, PixelLayout], Frame]

_J2K = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 92, 93, 201, 202, 203))
_JPEG = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51))
_LOSSLESS = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (57, 70))
_KINDS = {
    **dict.fromkeys(_JPEG, "JPEG"),
    **dict.fromkeys(_LOSSLESS, "JPEG lossless"),
    **dict.fromkeys(("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"), "JPEG-LS"),
    **dict.fromkeys(_J2K, "JPEG 2000"),
    "1.2.840.10008.1.2.5": "RLE",
    "1.2.840.10008.1.2.8.1": "deflated",
}
_PEEK_BYTES = 1 << 16
_LOSSLESS_SYNTAX, _EXTENDED_SYNTAX = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.51"


class Undecodable(ValueError):
    """Why a frame cannot be decoded."""


class MissingDecoder(Undecodable):
    """A frame takes a package that is not installed; the text says which, and how to get it."""


def decode_frame(stream: bytes, pixels: PixelElement, layout: PixelLayout) -> Frame:
    """Decode one compressed frame to stored values, colours as RGB.

    What a JPEG, JPEG-LS or JPEG 2000 frame is, its own first bytes tell, whatever the transfer syntax says.

    Parameters
    ----------
    stream : bytes
        The frame's fragments, joined.
    pixels : PixelElement
        With the transfer syntax.
    layout : PixelLayout
        What the frame must fit.

    Returns
    -------
    ndarray of shape (R, C) or (R, C, 3)
        Integers.

    Raises
    ------
    Undecodable
        If it is damaged, does not fit, or is of a compression that is not known.
    """
    kind = _kind(stream, pixels.syntax)
    size = (layout.rows, layout.columns, layout.samples)
    header = StreamHeader(kind, *size, layout.bits_stored)
    if kind not in ("RLE", "deflated"):
        try:
            header = read_stream_header(stream)
        except DamagedStream as reason:
            raise Undecodable(f"a frame of {kind} {reason}") from None
        check_fit(header, layout)
    decode = _DECODERS.get((header.kind, header.precision > 8)) or _DECODERS[header.kind, False]
    try:
        with quiet_stderr():
            frame = decode(stream, header, layout)
    except ImportError as error:
        raise MissingDecoder(f"a frame of {kind} takes the package {error.name}; install it") from None
    except Exception:  # decoders raise whatever they met, and their texts may quote the file
        raise Undecodable(f"a frame of {kind} is damaged") from None
    if frame.shape != (size if layout.samples > 1 else size[:2]):
        raise Undecodable(f"a frame of {kind} has the shape {frame.shape}")
    is_ybr = layout.photometric in ("YBR_FULL", "YBR_FULL_422") and header.kind != "JPEG"
    return to_rgb(frame) if is_ybr else frame


def check_fit(header: StreamHeader, layout: PixelLayout) -> None:
    """Raise Undecodable where a frame's own size is not that of the file's header."""
    own = (header.rows, header.columns, header.samples)
    if own != (layout.rows, layout.columns, layout.samples):
        raise Undecodable(
            f"a frame of {header.kind} is {'x'.join(map(str, own))}, the file's header says "
            f"{layout.rows}x{layout.columns}x{layout.samples}"
        )


def note_stream(pixels: PixelElement, layout: PixelLayout, header: Elements, stream: BinaryIO) -> None:
    """Compare the first frame's own header with the file's, and note where one must be believed.

    Raises
    ------
    SenselessElement
        If they cannot both be right, and nothing tells which is.
    """
    if not pixels.is_compressed or pixels.is_film or pixels.offset_bytes is None:
        return
    first = _first_bytes(stream, pixels.offset_bytes)
    if not starts_a_stream(first):
        return
    try:
        own = read_stream_header(first, is_whole=False)
        check_fit(own, layout)
    except DamagedStream:
        return  # decoding will say so
    except Undecodable as reason:
        raise SenselessElement(str(reason)) from None
    stated = _KINDS.get(pixels.syntax)
    if stated != own.kind and {stated, own.kind} != {"JPEG", "JPEG lossless"}:
        header.notes.add(f"{tag_name('TransferSyntaxUID')} does not say that the frames are {own.kind}")
    if own.is_signed is not None and own.is_signed != layout.is_signed:
        stored, meant = ("signed", "unsigned") if own.is_signed else ("unsigned", "signed")
        header.notes.add(
            f"the JPEG 2000 frames are {stored}, {tag_name('PixelRepresentation')} says {meant}; "
            "the latter was believed"
        )


def _first_bytes(stream: BinaryIO, offset_bytes: int) -> bytes:
    """Return the beginning of the first fragment, past its offset table."""
    stream.seek(offset_bytes)
    head = stream.read(8)
    stream.seek(int.from_bytes(head[4:8], "little"), io.SEEK_CUR)
    return stream.read(8 + _PEEK_BYTES)[8:]


def _kind(stream: bytes, syntax: str) -> str:
    """Return what a frame is compressed by."""
    if starts_a_stream(stream):
        try:
            return read_stream_header(stream, is_whole=False).kind
        except DamagedStream:
            pass
    kind = _KINDS.get(syntax)
    if kind is None:
        raise Undecodable("a frame is of a compression that is not known")
    return kind


def _by_pillow(stream: bytes, header: StreamHeader, layout: PixelLayout) -> Frame:
    """Decode JPEG of 8 bits; where the stream is silent on its colours, the file's header tells."""
    from PIL import Image

    with Image.open(io.BytesIO(stream), formats=("JPEG",)) as picture:
        is_ybr = header.is_ybr if header.is_ybr is not None else layout.photometric != "RGB"
        if header.samples == 1 or header.is_ybr is False:
            return np.asarray(picture)
        picture.draft("YCbCr", picture.size)  # so that nothing is converted
        return to_rgb(np.asarray(picture)) if is_ybr else np.asarray(picture)


def _by_charls(stream: bytes, header: StreamHeader, layout: PixelLayout) -> Frame:
    """Decode JPEG-LS, which knows neither signs nor colours."""
    import jpeg_ls

    data, info = jpeg_ls.decode_pixel_data(stream)
    flat: Frame = np.frombuffer(data, dtype="u1" if header.precision <= 8 else "<u2")
    if header.samples == 1:
        frame: Frame = flat.reshape(header.rows, header.columns)
    elif info["interleave_mode"] == 0:
        frame = np.moveaxis(flat.reshape(header.samples, header.rows, header.columns), 0, -1)
    else:
        frame = flat.reshape(header.rows, header.columns, header.samples)
    return as_signed(frame, header.precision) if layout.is_signed else frame


def _by_openjpeg(stream: bytes, header: StreamHeader, layout: PixelLayout) -> Frame:
    """Decode JPEG 2000 and its high-throughput form; the file's header tells the sign."""
    from openjpeg.utils import decode

    frame: Frame = decode(stream)
    if header.is_signed != layout.is_signed:
        return (
            as_signed(frame, header.precision) if layout.is_signed else _as_unsigned(frame, header.precision)
        )
    return frame


def _by_gdcm(stream: bytes, header: StreamHeader, layout: PixelLayout) -> Frame:
    """Decode JPEG that few can (12 bits, lossless) by the GDCM inside SimpleITK.

    It reads files only, and rescales and turns round what it reads. So the frame goes into a file of its own
    that says nothing but its size.
    """
    import SimpleITK

    with tempfile.TemporaryDirectory(prefix="frame-") as folder:
        file = Path(folder, "frame.dcm")
        _write_frame(file, stream, header)
        reader = SimpleITK.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(file))
        with quiet_sitk():
            frame: Frame = SimpleITK.GetArrayFromImage(reader.Execute())[0]
    return as_signed(frame, header.precision) if layout.is_signed else frame


def _write_frame(file: Path, stream: bytes, header: StreamHeader) -> None:
    """Write one frame as a DICOM file without a patient."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, SecondaryCaptureImageStorage, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(_LOSSLESS_SYNTAX if header.kind == "JPEG lossless" else _EXTENDED_SYNTAX)
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset(str(file), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = (
        meta.MediaStorageSOPClassUID,
        meta.MediaStorageSOPInstanceUID,
    )
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = header.rows, header.columns, header.samples
    dataset.PhotometricInterpretation = "MONOCHROME2" if header.samples == 1 else "RGB"
    if header.samples > 1:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = 8 if header.precision <= 8 else 16
    dataset.BitsStored, dataset.HighBit = header.precision, header.precision - 1
    dataset.PixelRepresentation = 0
    dataset.PixelData = encapsulate([stream if len(stream) % 2 == 0 else stream + b"\0"])
    dataset.save_as(file, enforce_file_format=True)


def _by_pydicom(stream: bytes, header: StreamHeader, layout: PixelLayout) -> Frame:
    """Decode run lengths (RLE)."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder

    data = encapsulate([stream if len(stream) % 2 == 0 else stream + b"\0"])
    options: dict[str, Any] = {
        "rows": layout.rows,
        "columns": layout.columns,
        "number_of_frames": 1,
        "samples_per_pixel": layout.samples,
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
        "photometric_interpretation": "MONOCHROME2" if layout.samples == 1 else "RGB",
        "pixel_keyword": "PixelData",
        "pixel_representation": int(layout.is_signed),
        "planar_configuration": 0,
    }
    return get_decoder("1.2.840.10008.1.2.5").as_array(data, index=0, raw=True, **options)[0]


def _by_zlib(stream: bytes, header: StreamHeader, layout: PixelLayout) -> Frame:
    """Inflate a frame that is otherwise not compressed."""
    needed = -(-layout.frame_bits // 8)
    data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream, needed)
    frame: Frame = native_frames(data, layout, [0])[0]
    return frame


def as_signed(frame: Frame, precision: int) -> Frame:
    """Return unsigned samples of so many bits as the two's complement numbers they stand for."""
    kind = np.dtype(f"i{frame.dtype.itemsize}")
    shift = 8 * kind.itemsize - precision
    signed: Frame = (frame.astype(kind, casting="unsafe") << shift) >> shift
    return signed


def _as_unsigned(frame: Frame, precision: int) -> Frame:
    """Return signed samples of so many bits as the unsigned numbers of the same bits."""
    kind = np.dtype(f"u{frame.dtype.itemsize}")
    unsigned: Frame = frame.astype(kind, casting="unsafe") & kind.type((1 << precision) - 1)
    return unsigned


# Which decoder takes what: a compression, and whether its samples have more than 8 bits.
_DECODERS: dict[tuple[str, bool], Decode] = {
    ("JPEG", False): _by_pillow,
    ("JPEG", True): _by_gdcm,
    ("JPEG lossless", False): _by_gdcm,
    ("JPEG-LS", False): _by_charls,
    ("JPEG 2000", False): _by_openjpeg,
    ("RLE", False): _by_pydicom,
    ("deflated", False): _by_zlib,
}
