"""Which steps of the dock stand open where there is not room for all: those that are needed now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_sam.plugin.view import PanelState

__all__ = ["needed_now", "sections_to_open"]


def needed_now(state: PanelState) -> tuple[str, ...]:
    """Return the names of the steps that are needed now, the one needed most first.

    Parameters
    ----------
    state : PanelState
        What the panels show.
    """
    if state.n_planes == 0 and not state.can_prompt:
        return ("image",)
    if state.n_planes > 1:
        return "prompt", "volume", "end", "object", "image"
    return "prompt", "end", "object", "image"


def sections_to_open(
    needed: Sequence[str], heights: Mapping[str, int], room: int, chosen: Mapping[str, bool]
) -> frozenset[str]:
    """Choose what stands open: what the person opened, then what is needed, as far as there is room.

    Parameters
    ----------
    needed : sequence of str
        Names, the one needed most first; it is open even where there is no room.
    heights : mapping of str to int
        How high each content is, in pixels.
    room : int
        How many pixels there are for all contents.
    chosen : mapping of str to bool
        What a person folded (False) or opened (True): it stays so.
    """
    opened = {name for name, is_open in chosen.items() if is_open and name in heights}
    room -= sum(heights[name] for name in opened)
    for place, name in enumerate(needed):
        if name in chosen:
            continue
        if place and heights[name] > room:
            break
        opened.add(name)
        room -= heights[name]
    return frozenset(opened)
