"""The controller's view of a napari viewer: layers, mouse, keys and messages."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from napari.utils.notifications import show_error

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import Prompt
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.plugin._bindings import Keys
from napari_sam.plugin._cases import ImageSource
from napari_sam.plugin._cursor import label_under, text_under
from napari_sam.plugin._gestures import Hands, Prompting, Tool
from napari_sam.plugin._hand import Hand
from napari_sam.plugin._images import patient_geometry, shown_window, source_of
from napari_sam.plugin._layers import SessionLayers
from napari_sam.plugin._moment import Moment
from napari_sam.plugin._other_labels import other_label
from napari_sam.plugin._space import index_at, is_head_down, plane_shown, step_to
from napari_sam.plugin._viewer_events import ViewerEvents, images_of, layer_of
from napari_sam.plugin.controller import Controller
from napari_sam.plugin.view import PanelState
from volumes import Geometry

__all__ = ["NapariView"]


class NapariView:
    """A `View` on a napari viewer, and the way from the viewer to the controller.

    Parameters
    ----------
    viewer : napari.Viewer
        The person's viewer.
    draw : callable
        Draws the panels.
    show_tool : callable
        Shows which tool is in use.
    list_images : callable
        Called with (name, key) of all images, and the chosen key.
    show_cursor : callable
        Called with what lies under the cursor; empty where that is nothing.
    """

    def __init__(
        self,
        viewer: Any,
        draw: Callable[[PanelState], None],
        show_tool: Callable[[Tool], None],
        list_images: Callable[[Sequence[tuple[str, Any]], Any], None],
        show_cursor: Callable[[str], None],
    ) -> None:
        self._viewer = viewer
        self._draw = draw
        self._show_tool = show_tool
        self._list_images = list_images
        self._show_cursor = show_cursor
        self._controller: Controller
        self._keys: Keys
        self._events: ViewerEvents
        self._is_turned = False
        self._known: set[Any] = set()
        self._moment = Moment()
        self.on_screen: Callable[[Window | None], None] = lambda _: None
        self.on_help: Callable[[], None] = lambda: None
        self.hand: Hand
        self.layers: SessionLayers
        self.mouse: Prompting

    def connect(self, controller: Controller, actions: dict[str, Callable[[], None]]) -> None:
        """Begin to tell a controller what happens, and bind the keys."""
        self._controller = controller
        steps, segments_of = controller.prompts, controller.label_files.segments_of
        self.layers = SessionLayers(self._viewer, steps.painted, segments_of, controller.objects.select)
        self.mouse = Prompting(
            self._locate,
            lambda: controller.plane,
            lambda: self.layers.prompts.shown,
            lambda: self.layers.prompts.voxel_px,
            Hands(
                steps.add_point,
                steps.add_box,
                steps.add_outline,
                steps.add_stroke,
                steps.move,
                self.layers.prompts.preview_box,
                self.layers.prompts.preview_path,
                self._hold_camera,
            ),
        )
        self.hand = Hand(self._viewer, lambda: self.image, controller.stage.say, self.on_screen)
        actions = actions | self.hand.actions() | {"help": self.on_help, "pick": self._pick}
        self._keys = Keys({tool.value: partial(self.choose_tool, tool) for tool in Tool} | actions)
        self._keys.bind(self._viewer)
        self._events = ViewerEvents(
            self._viewer, self._layers_changed, self._plane_changed, self._active_changed, self._layer_gone
        )
        self._viewer.mouse_move_callbacks.append(self._cursor_moved)
        self._layers_changed()
        controller.show()

    def stop(self) -> None:
        """Stop listening to the viewer."""
        self._moment.stop()
        self._events.close()
        with contextlib.suppress(ValueError):
            self._viewer.mouse_move_callbacks.remove(self._cursor_moved)

    def close(self) -> None:
        """Stop listening, and leave nothing in the viewer but the labels."""
        self.stop()
        self.hand.close()
        self._turn_upright(None)
        self._keys.close()
        self.layers.close()

    # What a person does

    @property
    def image(self) -> Any | None:
        """The chosen image layer."""
        source = self._controller.stage.cases.source
        return None if source is None else layer_of(self._viewer, source.key)

    def choose_tool(self, tool: Tool) -> None:
        """Let the mouse do this from now on."""
        if tool is Tool.MOVE:
            self.layers.deactivate_prompts()
        else:
            self.mouse.tool = tool
            self._controller.stage.begin()
            self.layers.prompts.activate(pans=tool not in (Tool.BOX, Tool.LASSO, Tool.SCRIBBLE))
        self._active_changed()

    def remove_prompt(self) -> None:
        """Take back the prompt under the mouse; the newest of the plane where there is none."""
        plane, image = self._controller.plane, self.image
        if plane is not None and image is not None:
            at = self._locate(self._viewer.cursor.position)
            self._controller.prompts.remove(self.mouse.under(plane.rc(at)))

    def label_as_prompt(self) -> None:
        """Take another Labels layer's chosen label on the shown plane for a rough mask of the object."""
        plane, image = self._controller.plane, self.image
        if plane is None or image is None:
            return
        mask = other_label(self._viewer, self.layers.labels, image, plane)
        if mask is None:
            self._controller.stage.say(
                "There is no other Labels layer of the image's shape whose chosen label is in this plane."
            )
        else:
            self._controller.prompts.use_mask(mask)

    def _pick(self) -> None:
        self._controller.objects.pick(self.layers.object_at(self._viewer.cursor.position))

    def _hold_camera(self, held: bool) -> None:
        drawing = self.mouse.tool in (Tool.BOX, Tool.LASSO, Tool.SCRIBBLE)
        self.layers.prompts.let_pan(not held and not drawing)

    def choose_image(self, key: Any) -> None:
        """Work on the image of this key."""
        layer = layer_of(self._viewer, key)
        source = None if layer is None else source_of(layer)
        is_other = not self._controller.stage.cases.is_chosen(source)
        self._controller.choose_image(source)
        case = self._controller.stage.case
        if is_other and (case is None or not case.is_shown):
            self.layers.leave()  # after the choice: the list of images is drawn again as layers go
        self.hand.watch(self.image)
        self._plane_changed()

    def choose_window(self, request: Any) -> None:
        """Choose the window: as in `parse_window`, two numbers, "as shown", or None."""
        if request == "as shown":
            request = None if self.image is None else shown_window(self.image)
        self._controller.choose_window(Window(*request) if isinstance(request, tuple) else request)

    def show_window(self) -> None:
        """Show the image on the screen with the window that the model sees; a person asked for it."""
        if self._controller.session is not None and self.image is not None:
            window = self._controller.session.window
            self.image.contrast_limits = (window.low, window.high)

    # What happens in the viewer

    def _locate(self, position: Sequence[float]) -> tuple[float, float, float]:
        return index_at(self.image, position)

    def _layers_changed(self) -> None:
        source = self._controller.stage.cases.source
        self.turn_to_image(None if source is None else source.key)
        images = self.images()
        new = [one.name for one in images if one.key not in self._known]
        if new and source is not None and self._controller.stage.cases.is_chosen(source):
            self._controller.stage.say(f"{new[-1]} is open, too. Choose it in step 1 to work on it.")
        self._known = {one.key for one in images}

    def _layer_gone(self, layer: Any) -> None:
        if self.layers.forget(layer):
            self._controller.labels_gone()
        self._controller.drop_image(layer.unique_id)
        self.hand.watch(self.image)

    def _plane_changed(self) -> None:
        image = self.image
        self._turn_upright(None if image is None else patient_geometry(image))
        self._controller.show_plane(None if image is None else plane_shown(self._viewer.dims, image))

    def _turn_upright(self, geometry: Geometry | None) -> None:
        """Put a patient's coronal and sagittal cuts head up, and leave the camera as it was for all else."""
        is_turned = geometry is not None and is_head_down(self._viewer.dims, geometry)
        if is_turned == self._is_turned:
            return
        self._is_turned = is_turned
        camera = getattr(self._viewer, "scene", self._viewer).camera  # in the scene since napari 0.9
        vertical, horizontal = (str(getattr(way, "value", way)) for way in camera.orientation2d)
        camera.orientation2d = ({"up": "down", "down": "up"}[vertical], horizontal)

    def _cursor_moved(self, viewer: Any, event: Any) -> None:
        image = self.image
        text = "" if image is None else text_under(image, event.position, ndisplay=viewer.dims.ndisplay)
        if text:
            session, labels = self._controller.session, self.layers.labels
            objects = {} if session is None else session.objects
            names = {number: state.name for number, state in objects.items()}
            text = " · ".join(filter(None, (text, label_under(labels, event.position, names))))
        self._show_cursor(text)

    def _active_changed(self) -> None:
        self._show_tool(self.mouse.tool if self.layers.prompts.are_active else Tool.MOVE)

    # What the controller shows

    def show_state(self, state: PanelState) -> None:
        """Draw the panels."""
        self._draw(state)

    def images(self) -> tuple[ImageSource, ...]:
        """Return the open images that can be segmented."""
        return tuple(source_of(layer) for layer in images_of(self._viewer))

    def turn_to_image(self, key: Any) -> None:
        """Choose an image in the list of images, which works on it."""
        self._list_images([(one.name, one.key) for one in self.images()], key)

    def show_session(self, session: Session) -> None:
        """Show a session's layers on its image."""
        self.layers.show(session, self.image)
        self.layers.prompts.points.mouse_drag_callbacks.append(self.mouse.drag)
        self._keys.bind(self.layers.prompts.points)
        self._keys.bind(self.layers.labels, but="cancel")  # there Escape ends a polygon
        self._active_changed()

    def drop_session(self, session: Session) -> None:
        """Take a session's labels off the screen."""
        self.layers.drop(session)

    def show_object(self, object_id: int) -> None:
        """Let the brush paint this object."""
        self.layers.select(object_id)

    def show_prompts(self, plane: PlaneRef | None, prompts: Sequence[Prompt]) -> None:
        """Show these prompts, and no others."""
        self.layers.show_prompts(plane, prompts)

    def go_to_plane(self, plane: PlaneRef) -> None:
        """Show a plane of the chosen image, where that axis is the one that is stepped through."""
        if self.image is not None:
            step_to(self._viewer.dims, self.image, plane)

    def show_colours(self, colours: Mapping[int, tuple[int, int, int] | None]) -> None:
        """Draw objects in these colours; those of None are not shown."""
        self.layers.show_colours(colours)

    def redraw_labels(self) -> None:
        """Draw the shown plane of the labels again."""
        self.layers.redraw()

    def lock_labels(self, locked: bool) -> None:
        """Stop or allow brush strokes."""
        self.layers.lock(locked)

    def show_error(self, message: str) -> None:
        """Tell of an error."""
        show_error(message)

    def in_a_moment(self, call: Callable[[], None]) -> None:
        """Call this in a moment that a person does not notice."""
        self._moment.wait(call)
