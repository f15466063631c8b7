"""Frames of DICOM files that hold a film (MPEG-2, MPEG-4, HEVC)."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.compression import Undecodable
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
        If the film is damaged, shorter, of another size, or no decoder is installed.
    """
    try:
        import av
    except ImportError:
        raise Undecodable(
            "is a film, which takes PyAV: pip install 'napari-sam-volumes[film]', then try again"
        ) from None
    wanted, found = set(frames), {}
    try:
        with quiet_stderr(), av.open(io.BytesIO(stream), "r") as container:
            video = container.streams.video[0]
            if (video.codec_context.height, video.codec_context.width) != (layout.rows, layout.columns):
                raise Undecodable("is a film of another size than the header says")
            for at, picture in enumerate(container.decode(video)):
                if at in wanted:
                    found[at] = picture.to_ndarray(format="rgb24" if layout.samples == 3 else "gray")
                if len(found) == len(wanted):
                    break
    except Undecodable:
        raise
    except Exception:  # PyAV raises whatever FFmpeg met
        raise Undecodable("is a film that is damaged") from None
    if len(found) < len(wanted):
        raise Undecodable(f"is a film of fewer frames than {layout.n_frames}")
    for frame in frames:
        yield np.asarray(found[frame])
