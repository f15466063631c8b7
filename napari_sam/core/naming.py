"""What the objects of a session are called and coloured, for files that hold more than numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from napari_sam.core.objects import ObjectState
from volumes import Segment

__all__ = ["PALETTE", "algorithm_name", "colour_of", "object_colour", "object_segments"]

PALETTE = ("#35b6ff", "#ff8c42", "#c77dff", "#5ee6a8", "#ff5d8f", "#e9e36b", "#3a6bff", "#f9c6d7", "#a3b18a")
"""Colours of objects 1, 2, 3 …, over again after the last: those of the window."""


_DISTRIBUTION = "napari-sam-volumes"


def object_colour(object_id: int) -> tuple[int, int, int]:
    """Return an object's colour as (red, green, blue), 0 to 255."""
    red, green, blue = bytes.fromhex(PALETTE[(object_id - 1) % len(PALETTE)][1:])
    return red, green, blue


def algorithm_name(model: str) -> str:
    """Name what draws an object: this package with its version, and the model."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        package = f"{_DISTRIBUTION} {version(_DISTRIBUTION)}"
    except PackageNotFoundError:  # run from a source folder that was not installed
        package = _DISTRIBUTION
    return f"{package}, {model}" if model else ""


def object_segments(
    objects: Iterable[ObjectState], algorithm: str, known: Mapping[int, Segment] | None = None
) -> tuple[Segment, ...]:
    """Say of a session's objects what goes into a file beside their voxels.

    Parameters
    ----------
    objects : iterable of ObjectState
        The objects; those without a voxel are described too.
    algorithm : str
        What answers the prompts, as `algorithm_name` gives it. An object that no answer took part in was
        drawn by hand, and gets none.
    known : mapping of int to Segment, optional
        What else is known of some objects, in place of the colour, class and author that the object has.

    Returns
    -------
    tuple of Segment
        In order of their values.
    """
    known = known or {}
    segments = []
    for state in sorted(objects, key=lambda one: one.id):
        before = known.get(state.id) or _described(state)
        drawn_by = algorithm if _is_answered(state) else before.algorithm
        segments.append(replace(before, name=state.name or before.name, algorithm=drawn_by))
    return tuple(segments)


def colour_of(state: ObjectState) -> tuple[int, int, int]:
    """Return the colour that an object is shown and written in: its own, its class's, or its number's."""
    of_class = None if state.object_class is None else state.object_class.colour
    return state.colour or of_class or object_colour(state.id)


def _described(state: ObjectState) -> Segment:
    segment = Segment(state.id, state.name, colour_of(state), algorithm=state.drawn_by)
    if state.object_class is None:
        return segment
    return replace(segment, category=state.object_class.category, kind=state.object_class.kind)


def _is_answered(state: ObjectState) -> bool:
    """Return whether a model had a part in the object."""
    return bool(state.propagated) or any(anchor.score is not None for anchor in state.anchors)
