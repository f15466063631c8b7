"""The grey values that a DICOM file suggests to show."""

from __future__ import annotations

from volumes._dicom.functional_groups import FrameElements
from volumes._dicom.header_warnings import tag_name

Window = tuple[float, float]


def window_of(frame: FrameElements, values: Window) -> Window | None:
    """Return the first window of a frame as (low, high), in rescaled values; None where there is none.

    A window's function (LINEAR, LINEAR_EXACT, SIGMOID) changes how greys run between its ends, not where it
    lies. Without a window, a VOI LUT tells by the range of values that it maps.

    Parameters
    ----------
    frame : FrameElements
        The frame's header.
    values : tuple of float
        Lowest and highest value that a pixel can have, rescaled. A window beside them all is left out.
    """
    window = _by_centre(frame) or _by_table(frame, values[1])
    if window is None:
        return None
    low, high = window
    if not low < high or high < values[0] or low > values[1]:
        frame.file.notes.add(
            f"{tag_name('WindowCenter')} and {tag_name('WindowWidth')} show no value that a pixel can have; "
            "the window was left out"
        )
        return None
    return window


def _by_centre(frame: FrameElements) -> Window | None:
    """Return the window that centre and width give."""
    centre, width = frame.spare_number("WindowCenter"), frame.spare_number("WindowWidth")
    if centre is None or width is None:
        return None
    return centre - width / 2, centre + width / 2


def _by_table(frame: FrameElements, highest: float) -> Window | None:
    """Return the range of values that the first VOI LUT maps; above the `highest` were negative numbers."""
    tables = [group.item("FrameVOILUTSequence") for group in frame.groups]
    for holder in (*tables, frame.file):
        table = holder.item("VOILUTSequence") if holder is not None else None
        descriptor = table.get("LUTDescriptor") if table is not None else None
        if isinstance(descriptor, tuple) and len(descriptor) == 3:
            try:
                n_entries, first = int(descriptor[0]) or 1 << 16, int(descriptor[1])
            except (TypeError, ValueError):
                continue
            if first > highest and first >= 1 << 15:
                first -= 1 << 16
            return float(first), float(first + n_entries - 1)
    return None
