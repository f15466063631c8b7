"""Encoding a volume's planes ahead of time, so that every later prompt is answered at once."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam.core.jobs import Cancel
from napari_sam.core.planes import PlaneRef, plane_range
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.window import Window, resolve_window
from napari_sam.nodes.image_input import ImageInput, Place, image_input
from napari_sam.nodes.measured import count_work
from napari_sam.nodes.progress import Progress, Stopwatch, silent
from napari_sam.nodes.report import CacheCounts
from volumes import Volume

__all__ = ["EmbedOptions", "EmbedResult", "embed_file", "embed_volume"]


@dataclass(frozen=True)
class EmbedOptions:
    """Which planes, and how they are seen.

    Parameters
    ----------
    axis : int
        The axis that the planes cut across.
    planes : tuple[int, int], optional
        Half-open range of plane indices; all when None.
    window : str, optional
        As in `parse_window`; chosen from the volume when None. An embedding serves one window only.
    series : str, optional
        Which of several volumes, where the image is given as a bare path.
    """

    axis: int = 0
    planes: tuple[int, int] | None = None
    window: str | None = None
    series: str | None = None


@dataclass(frozen=True)
class EmbedResult:
    """How many planes are ready now, the window they were seen through, what it took."""

    n_planes: int
    window: Window
    cache: CacheCounts
    seconds: float


def embed_volume(
    volume: Volume,
    segmenter: Segmenter,
    options: EmbedOptions | None = None,
    *,
    progress: Progress = silent,
    cancel: Cancel | None = None,
) -> EmbedResult:
    """Encode the planes that no cache holds yet.

    Raises
    ------
    InvalidPrompt
        A range outside the volume.
    InvalidWindow
        A window that cannot be used.
    Cancelled
        On request; what was encoded stays in the cache.
    """
    options, cancel, watch = options or EmbedOptions(), cancel or Cancel(), Stopwatch()
    window = resolve_window(volume, options.window)
    first, last = plane_range(volume.shape, options.axis, options.planes)
    before = count_work(segmenter)
    for index in range(first, last):
        cancel.check()
        segmenter.prefetch(volume, [PlaneRef(options.axis, index)], window, cancel)
        progress("encoding", index - first + 1, last - first)
    cancel.check()
    return EmbedResult(last - first, window, count_work(segmenter).since(before).cache, watch.total_s)


def embed_file(
    image: ImageInput | Place,
    segmenter: Segmenter,
    options: EmbedOptions | None = None,
    *,
    progress: Progress = silent,
    cancel: Cancel | None = None,
) -> EmbedResult:
    """Read an image and encode its planes; errors as `volumes.read` and `embed_volume`."""
    source = image_input(image, None if options is None else options.series)
    return embed_volume(source.read(), segmenter, options, progress=progress, cancel=cancel)
