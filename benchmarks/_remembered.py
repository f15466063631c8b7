"""A segmenter that is not asked the same twice: a person who corrects propagates often over the same planes.

For counting what is done by hand, never for times.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeAlias

from napari_sam.core.jobs import Cancel
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import MaskPrompt, Prompt
from napari_sam.core.segmenter import MaskPrediction, Segmenter, SegmentRequest
from napari_sam.core.window import Window
from volumes import Box, Volume

MOST_ANSWERS = 1000
"""So many are remembered, those used last; about 200 kB each."""

_Key: TypeAlias = tuple[object, ...]


class Remembered:
    """Passes requests on, and gives the same answer to the same request again.

    Parameters
    ----------
    inner : Segmenter
        Who is asked; its answers hang on volume, plane, window, prompts and hint alone.
    """

    def __init__(self, inner: Segmenter) -> None:
        self.name, self.prompts = inner.name, inner.prompts
        self._inner = inner
        self._answers: OrderedDict[_Key, tuple[Volume, MaskPrediction]] = OrderedDict()

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        """Answer from memory, or ask."""
        key = _key(request)
        if key not in self._answers:
            self._answers[key] = (
                request.volume,
                self._inner.segment(request),
            )  # kept, so that its id is its own
        self._answers.move_to_end(key)
        if len(self._answers) > MOST_ANSWERS:
            self._answers.popitem(last=False)
        return self._answers[key][1]

    def prefetch(
        self,
        volume: Volume,
        planes: Sequence[PlaneRef],
        window: Window,
        cancel: Cancel | None = None,
        around: Box | None = None,
    ) -> None:
        """Pass on what comes next."""
        self._inner.prefetch(volume, planes, window, cancel, around)


def _key(request: SegmentRequest) -> _Key:
    hint = request.hint
    seen = None if hint is None else (hint.shape, hint.dtype.str, hashlib.sha256(hint.tobytes()).digest())
    return (id(request.volume), request.plane, request.window, tuple(map(_said, request.prompts)), seen)


def _said(prompt: Prompt) -> object:
    """Give what a prompt says as a value with a hash."""
    if isinstance(prompt, MaskPrompt):
        return prompt.mask.box, prompt.mask.bits.tobytes()
    return prompt
