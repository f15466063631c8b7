"""What the controller needs of a window. Nothing here knows Qt or napari."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import Prompt
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.nodes.amounts import MILLI, Units
from napari_sam.plugin._cases import ImageSource
from napari_sam.plugin._plane_marks import StripState

__all__ = ["CleanState", "MeasureState", "ObjectRow", "PanelState", "RestoreState", "View"]


@dataclass(frozen=True)
class ObjectRow:
    """One line of the table of objects.

    Parameters
    ----------
    id, name, locked :
        As in `ObjectState`.
    class_name : str
        What kind of thing it is; "" where nobody said.
    colour : tuple of int
        (red, green, blue), 0 to 255.
    is_visible : bool
        Whether its voxels are shown.
    size : str
        Its volume or area, with the unit.
    n_planes : int
        In how many planes of the first axis it is.
    note : str
        What is wrong with it, in one sentence; "" where nothing is.
    """

    id: int
    name: str
    locked: bool
    class_name: str = ""
    colour: tuple[int, int, int] = (128, 128, 128)
    is_visible: bool = True
    size: str = ""
    n_planes: int = 0
    note: str = ""


@dataclass(frozen=True)
class CleanState:
    """What the panel of cleaning shows.

    Parameters
    ----------
    can_clean : bool
        Whether the current object has voxels and may be changed.
    doing : str
        Which clean-up is under way; "" for none.
    brush_range : tuple[float, float] or None
        Intensities that the brush is limited to; None where it is not.
    unit : str
        Of the intensities.
    units : Units
        Of lengths and sizes: those that suit the image's voxels.
    """

    can_clean: bool = False
    doing: str = ""
    brush_range: tuple[float, float] | None = None
    unit: str = ""
    units: Units = MILLI


@dataclass(frozen=True)
class MeasureState:
    """What the panel of measurements shows.

    Parameters
    ----------
    lines : tuple of (str, str)
        Name and value, with its unit, of each measure of the current object.
    can_save : bool
        Whether there is something to write a table of.
    """

    lines: tuple[tuple[str, str], ...] = ()
    can_save: bool = False


@dataclass(frozen=True)
class RestoreState:
    """What the window says of earlier work on the image.

    Parameters
    ----------
    offer : str
        One sentence; "" where there is none.
    can_restore : bool
        Whether it can be taken up now.
    """

    offer: str = ""
    can_restore: bool = False


@dataclass(frozen=True)
class PanelState:
    """All that the panels show; a view draws it and decides nothing.

    Parameters
    ----------
    status : str
        What is going on, or what to do next; one or two lines.
    warning : bool
        Whether the status tells of something that went wrong.
    busy : bool
        Whether to show the wait indicator.
    progress : tuple[int, int] or None
        (done, total) planes; None where nothing is counted.
    window : tuple[float, float] or None
        The intensities that become black and white; None while unknown or for colour.
    window_request : Window, str or None
        The window that was asked for: numbers, the name of a preset, or None for the volume's own.
    model_note : str
        Where the model stands: loading, ready, failed.
    objects : tuple[ObjectRow, ...]
        The objects, accepted ones included.
    classes : tuple of str
        The names of the classes that can be chosen.
    current_id : int
        The object that prompts go to.
    candidate : tuple[int, tuple[float, ...]] or None
        Which of the model's masks is shown, counted from 0, and the scores of all; None where no other one
        can be taken.
    n_planes : int
        Planes along the axis being propagated; 0 without an image.
    can_… : bool
        What may be pressed now.
    clean : CleanState
        Whether the object can be cleaned up, and what the brush keeps to.
    measure : MeasureState
        What the current object measures.
    restore : RestoreState
        Earlier work on the image that can be taken up again.
    strip : StripState
        What is known of each plane of the object.
    """

    status: str = ""
    warning: bool = False
    busy: bool = False
    progress: tuple[int, int] | None = None
    window: tuple[float, float] | None = None
    window_request: Window | str | None = None
    model_note: str = ""
    objects: tuple[ObjectRow, ...] = ()
    classes: tuple[str, ...] = ()
    current_id: int = 1
    candidate: tuple[int, tuple[float, ...]] | None = None
    n_planes: int = 0
    can_prompt: bool = False
    can_accept: bool = False
    can_reopen: bool = False
    can_cycle: bool = False
    can_take_over: bool = False
    can_remove: bool = False
    can_clear: bool = False
    can_undo: bool = False
    can_redo: bool = False
    can_propagate: bool = False
    can_cancel: bool = False
    can_load: bool = False
    can_save: bool = False
    clean: CleanState = field(default_factory=CleanState)
    measure: MeasureState = field(default_factory=MeasureState)
    restore: RestoreState = field(default_factory=RestoreState)
    strip: StripState = field(default_factory=StripState)


class View(Protocol):
    """What the controller tells a window; all calls come on the window's thread."""

    def images(self) -> Sequence[ImageSource]:
        """Return the open images that can be segmented."""
        ...

    def turn_to_image(self, key: Hashable) -> None:
        """Choose an image for the person."""
        ...

    def show_state(self, state: PanelState) -> None:
        """Draw the panels."""
        ...

    def show_session(self, session: Session) -> None:
        """Show a session's labels (its own array, not a copy) and make its layers ready for prompts."""
        ...

    def drop_session(self, session: Session) -> None:
        """Take a session's labels off the screen; nothing is drawn in them."""
        ...

    def show_object(self, object_id: int) -> None:
        """Let the brush paint this object."""
        ...

    def show_prompts(self, plane: PlaneRef | None, prompts: Sequence[Prompt]) -> None:
        """Show these prompts, and no others, on a plane."""
        ...

    def go_to_plane(self, plane: PlaneRef) -> None:
        """Show a plane of the chosen image."""
        ...

    def show_colours(self, colours: Mapping[int, tuple[int, int, int] | None]) -> None:
        """Draw objects in these colours (red, green, blue), 0 to 255; those of None are not shown."""
        ...

    def redraw_labels(self) -> None:
        """Draw the shown plane of the labels again; its voxels have changed."""
        ...

    def lock_labels(self, locked: bool) -> None:
        """Stop or allow brush strokes."""
        ...

    def show_error(self, message: str) -> None:
        """Tell of an error, in one plain line."""
        ...

    def in_a_moment(self, call: Callable[[], None]) -> None:
        """Call this after a moment so short that a person does not notice it."""
        ...
