"""Which button of which panel does what: one function a panel."""

from __future__ import annotations

from collections.abc import Callable

from napari_sam.plugin._clean_panel import CleanPanel
from napari_sam.plugin._everything_panel import EverythingPanel
from napari_sam.plugin._everything_steps import EverythingSteps
from napari_sam.plugin._image_panel import ImagePanel
from napari_sam.plugin._measure_panel import MeasurePanel
from napari_sam.plugin._model_panel import ModelPanel
from napari_sam.plugin._napari_view import NapariView
from napari_sam.plugin._object_panel import ObjectPanel
from napari_sam.plugin._prompt_panel import PromptPanel
from napari_sam.plugin._table_menu import table_actions
from napari_sam.plugin._volume_panel import VolumePanel
from napari_sam.plugin.controller import Controller

__all__ = [
    "key_actions",
    "wire_clean",
    "wire_everything",
    "wire_image",
    "wire_measure",
    "wire_model",
    "wire_object",
    "wire_prompt",
    "wire_volume",
]


def wire_everything(panel: EverythingPanel, steps: EverythingSteps) -> None:
    """Without prompts."""
    panel.find_pressed.connect(lambda in_all, joins: steps.find(in_all=in_all, joins=joins))
    panel.prepare_pressed.connect(steps.prepare)
    panel.take_pressed.connect(steps.taking.take)
    panel.take_one_pressed.connect(steps.taking.take_one)
    steps.taking.on_change = lambda: panel.show_state(steps.state)
    panel.cancel_pressed.connect(steps.cancel)


def wire_image(panel: ImagePanel, view: NapariView) -> None:
    """Step 1."""
    panel.image_chosen.connect(view.choose_image)
    panel.window_chosen.connect(view.choose_window)
    panel.show_pressed.connect(view.show_window)


def wire_model(panel: ModelPanel, control: Controller, choose_weights: Callable[[], None]) -> None:
    """Step 2; `choose_weights` asks the person for a file."""
    panel.model_chosen.connect(control.choose_model)
    panel.weights_pressed.connect(choose_weights)


def wire_object(panel: ObjectPanel, control: Controller, load: Callable[[], None]) -> None:
    """Step 3; `load` asks the person for a file of labels."""
    panel.object_chosen.connect(control.objects.select)
    panel.new_pressed.connect(control.objects.start)
    panel.reopen_pressed.connect(control.objects.reopen)
    panel.load_pressed.connect(load)
    panel.several_chosen.connect(control.table.choose)
    panel.renamed.connect(control.table.rename)
    panel.shown.connect(control.table.show)
    panel.locked.connect(control.table.lock)
    panel.class_chosen.connect(control.table.set_class)
    actions = table_actions(control.table, panel)
    panel.action_chosen.connect(lambda name, ids: actions[name](ids))


def wire_prompt(panel: PromptPanel, control: Controller, view: NapariView) -> None:
    """Step 4."""
    panel.tool_chosen.connect(view.choose_tool)
    panel.candidate_pressed.connect(control.prompts.next_candidate)
    panel.take_over_pressed.connect(control.giving_way.take_over)
    panel.remove_pressed.connect(control.prompts.remove)
    panel.clear_pressed.connect(control.prompts.clear_plane)
    panel.refine_pressed.connect(control.prompts.refine)
    panel.label_pressed.connect(view.label_as_prompt)
    panel.undo_pressed.connect(control.objects.undo)
    panel.redo_pressed.connect(control.objects.redo)


def wire_volume(panel: VolumePanel, control: Controller) -> None:
    """Step 5."""
    strip = panel.strip
    panel.propagate_pressed.connect(control.strip.propagate)
    panel.reach_chosen.connect(control.strip.set_reach)
    panel.cancel_pressed.connect(control.volume.cancel)
    strip.strip.plane_pressed.connect(control.strip.jump)
    strip.strip.reach_dragged.connect(control.strip.set_reach)
    strip.strip.least_dragged.connect(control.strip.set_least)
    strip.next_pressed.connect(control.strip.next_doubtful)
    strip.confirm_pressed.connect(control.strip.confirm)
    strip.again_pressed.connect(control.strip.propagate_here)


def wire_clean(panel: CleanPanel, control: Controller) -> None:
    """Clean-ups, between steps 5 and 6."""
    panel.clean_pressed.connect(control.clean.clean)
    panel.brush_limited.connect(control.clean.limit_brush)
    panel.anchors_kept.connect(control.clean.keep_anchors)


def wire_measure(panel: MeasurePanel, control: Controller, save: Callable[[], None]) -> None:
    """Measurements; `save` asks the person for a file."""
    panel.wanted.connect(control.measure.want)
    panel.save_pressed.connect(save)


def key_actions(control: Controller, view: NapariView, volume: VolumePanel) -> dict[str, Callable[[], None]]:
    """Say what each action of `napari_sam.plugin._bindings.KEYS` does, but for the tools."""
    return {
        "candidate": control.prompts.next_candidate,
        "take over": control.giving_way.take_over,
        "remove": view.remove_prompt,
        "clear plane": control.prompts.clear_plane,
        "refine": control.prompts.refine,
        "propagate": volume.press,
        "next in doubt": control.strip.next_doubtful,
        "previous in doubt": lambda: control.strip.next_doubtful(-1),
        "confirm": control.strip.confirm,
        "stretch": control.strip.propagate_here,
        "cancel": control.volume.cancel,
        "accept": control.objects.accept,
        "undo": control.objects.undo,
        "redo": control.objects.redo,
    }
