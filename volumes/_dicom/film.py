"""Frames of DICOM files that hold a film (MPEG-2, MPEG-4, HEVC)."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.compression import MissingDecoder, Undecodable
from volumes._dicom.pixel_layout import PixelLayout
from volumes._quiet import quiet_stderr


def film_frames(stream: bytes, layout: PixelLayout, frames: Sequence[int]) -> Iterator[NDArray[Any]]:
    """Decode some frames of a film as RGB, in the order asked for.

    Parameters
    ----------
    stream : bytes
        The film.
    layout : PixelLayout
        Its size, for a check before decoding.
    frames : sequence of int
        Which frames are wanted.

    Yields
    ------
    ndarray of shape (R, C, 3) or (R, C)
        uint8.

    Raises
    ------
    Undecodable
        If the film is damaged, shorter, or of another size.
    MissingDecoder
        If PyAV is not installed.
    """
    waiting, ready, wanted = list(frames), {}, set(frames)
    for at, picture in enumerate(_pictures(stream, layout)):
        if at in wanted:
            ready[at] = picture
        while waiting and waiting[0] in ready:
            yield ready[waiting.pop(0)]
        if not waiting:
            return
    raise Undecodable(f"the film has fewer frames than {layout.n_frames}")


def _pictures(stream: bytes, layout: PixelLayout) -> Iterator[NDArray[np.uint8]]:
    """Decode a film from its beginning, frame by frame."""
    try:
        import av
    except ImportError:
        raise MissingDecoder("a film takes PyAV; pip install 'napari-sam-volumes[film]'") from None
    kind = "rgb24" if layout.samples == 3 else "gray"
    try:
        with quiet_stderr():
            container = av.open(io.BytesIO(stream), "r")
        with container:
            video = container.streams.video[0]
            if (video.codec_context.height, video.codec_context.width) != (layout.rows, layout.columns):
                raise Undecodable("the film is of another size than the header says")
            decoded = container.decode(video)
            while True:
                with quiet_stderr():
                    picture = next(decoded, None)
                if picture is None:
                    return
                if (picture.height, picture.width) != (layout.rows, layout.columns):
                    raise Undecodable("the frames of the film differ in size")
                yield np.asarray(picture.to_ndarray(format=kind), dtype=np.uint8)
    except Undecodable:
        raise
    except Exception:  # PyAV raises whatever FFmpeg met
        raise Undecodable("the film is damaged") from None
