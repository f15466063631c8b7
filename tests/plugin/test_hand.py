"""Windows, cuts, keys and habits: what is decided without a window."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.core.window import HU_PRESETS, Window
from napari_sam.plugin._bindings import KEYS
from napari_sam.plugin._display import (
    PRESET_ACTIONS,
    cut_name,
    dragged_window,
    next_order,
    preset_window,
    window_text,
)
from napari_sam.plugin._fitting import needed_now, sections_to_open
from napari_sam.plugin._memory import Memory
from napari_sam.plugin._shortcuts import (
    MEANINGS,
    POINTS_KEYS_TAKEN,
    key_text,
    shortcut_rows,
    shortcuts_html,
)
from napari_sam.plugin.view import PanelState
from napari_sam.store.window_memory import WindowMemory, memory_file, read_memory, write_memory
from volumes import Geometry

SOFT = HU_PRESETS["soft-tissue"]


def test_a_drag_to_the_right_widens_and_upwards_brightens():
    assert dragged_window(SOFT, 0, 0) == SOFT
    wider = dragged_window(SOFT, 150, 0)
    assert (wider.low, wider.high) == (-360, 440)
    narrower = dragged_window(SOFT, -150, 0)
    assert (narrower.low, narrower.high) == (-60, 140)
    brighter = dragged_window(SOFT, 0, -75)
    assert (brighter.low, brighter.high) == (-260, 140)


bounds = st.floats(-1e6, 1e6)
pixels = st.floats(-5000, 5000)


@given(bounds, st.floats(1e-3, 1e6), pixels, pixels)
def test_any_drag_of_any_window_is_a_window(low, width, right_px, down_px):
    start = Window(low, low + width)
    assert dragged_window(start, right_px, down_px).low < dragged_window(start, right_px, down_px).high


@given(bounds, st.floats(1.0, 1e5), st.floats(-500, 500))
def test_a_drag_there_and_back_gives_the_window_again(low, width, right_px):
    start = Window(low, low + width)
    back = dragged_window(dragged_window(start, right_px, 0), -right_px, 0)
    assert (back.low, back.high) == pytest.approx((start.low, start.high), abs=1e-6 * width + 1e-6)


def test_presets_are_for_ct_or_for_what_does_not_say():
    assert preset_window("lung", "CT") == preset_window("lung", None) == HU_PRESETS["lung"]
    assert preset_window("lung", "MR") is None
    assert window_text(SOFT) == "L 40 W 400 (-160 to 240)"


def test_the_axis_key_goes_round_all_three_cuts():
    assert next_order((0, 1, 2)) == (1, 0, 2)
    assert next_order((1, 0, 2)) == (2, 0, 1)
    assert next_order((2, 0, 1)) == (0, 1, 2)
    assert next_order((0, 2, 1)) == (1, 0, 2)  # transposed by hand
    assert next_order((0, 1, 2, 3)) == (0, 2, 1, 3)  # time stays first


def test_a_cut_is_named_as_in_the_patient_where_that_is_known():
    axial = Geometry.from_spacing((5, 6, 7), (3.0, 1.0, 1.0))
    assert [cut_name(axis, axial) for axis in range(3)] == ["axial", "coronal", "sagittal"]
    affine = np.eye(4)
    affine[:3, :3] = [[0, 0, 1], [3, 0, 0], [0, -1, 0]]  # planes run to the back: a coronal series
    assert cut_name(0, Geometry((5, 6, 7), affine)) == "coronal"
    assert cut_name(1, None) == "along the rows"


# Keys


def test_every_key_is_told_of_and_none_twice():
    assert set(KEYS) <= set(MEANINGS)
    assert len(set(KEYS.values())) == len(KEYS)
    assert set(PRESET_ACTIONS) <= set(KEYS)
    assert set(PRESET_ACTIONS.values()) <= set(HU_PRESETS)
    shown = dict(shortcut_rows())
    assert shown["Ctrl+Shift+Z"] == "redo"
    assert shown["F6"] == "lung window on the screen"
    assert "<td><b>?</b>" in shortcuts_html()


def test_the_readme_s_keys_are_there_and_the_needed_ones_in_the_readme(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    told = {key.replace(" ", "+") for key in re.findall(r"<kbd>([^<]+)</kbd>", text)}
    keys = {key_text(key) for key in KEYS.values()}
    assert told <= keys
    needed = (
        "include",
        "exclude",
        "box",
        "move",
        "candidate",
        "propagate",
        "accept",
        "cancel",
        "undo",
        "redo",
    )
    assert {key_text(KEYS[action]) for action in (*needed, *PRESET_ACTIONS, "axis", "help")} <= told


def test_no_key_is_napari_s_own_where_it_is_bound():
    """The viewer, images and labels: nothing. Our own layer of prompts: what edits points by hand."""
    napari = pytest.importorskip("napari")
    from napari.utils.key_bindings import coerce_keybinding
    from napari.utils.shortcuts import default_shortcuts

    ours = {str(coerce_keybinding(key)): key for key in KEYS.values()}
    taken = [(str(one), name) for name, keys in default_shortcuts.items() for one in keys]
    layers = napari.layers
    from napari.utils.action_manager import action_manager

    def clashes(provider):
        names = {
            f"{name}" for name, action in action_manager._actions.items() if action.keymapprovider is provider
        }
        own = {str(key) for key in getattr(provider, "class_keymap", {})}
        bound = {key for key, name in taken if name in names} | own
        return {ours[key] for key in bound & set(ours)}

    from napari.components import ViewerModel

    history = {"Control-Z", "Control-Shift-Z"}  # one history: ours, on the labels that are ours
    assert clashes(ViewerModel) == set()
    assert clashes(layers.Image) <= {"Y"}  # there for a plane in 3-D; napari's goes first
    assert clashes(layers.Labels) - history <= {"Escape"}  # left to napari there
    assert {"A", "S"} <= clashes(layers.Points) - history <= POINTS_KEYS_TAKEN


# Room


def test_only_the_first_step_stands_open_in_an_empty_viewer():
    heights = dict.fromkeys(("image", "model", "object", "prompt", "volume", "end", "everything"), 100)
    assert needed_now(PanelState()) == ("image",)
    assert sections_to_open(needed_now(PanelState()), heights, 10_000, {}) == {"image"}


def test_what_is_needed_most_stands_open_where_there_is_no_room_for_all():
    heights = {
        "image": 120,
        "model": 30,
        "object": 90,
        "prompt": 90,
        "volume": 80,
        "end": 30,
        "everything": 90,
    }
    needed = needed_now(PanelState(n_planes=40, can_prompt=True))
    assert sections_to_open(needed, heights, 1000, {}) == {"prompt", "volume", "end", "object", "image"}
    assert sections_to_open(needed, heights, 300, {}) == {"prompt", "volume", "end", "object"}
    assert sections_to_open(needed, heights, 10, {}) == {"prompt"}
    assert "volume" not in needed_now(PanelState(n_planes=1, can_prompt=True))


def test_what_a_person_folded_or_opened_stays_so():
    heights = {"image": 120, "model": 30, "object": 90, "prompt": 90, "volume": 80, "end": 30}
    needed = needed_now(PanelState(n_planes=40, can_prompt=True))
    chosen = {"model": True, "prompt": False}
    assert sections_to_open(needed, heights, 150, chosen) == {"model", "volume", "end"}


# Memory


def test_habits_are_there_again_at_the_next_start():
    before = Memory()
    before.keep(model="mobile_sam.vit_t", tool="box", finds_in_all=True)
    before.keep_folded("image", True)
    assert Memory().now == WindowMemory({"image": True}, "box", "mobile_sam.vit_t", True, True)
    assert memory_file().name == "window.json"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"folded": [1]}', "[" * 100_000, '{"tool": 5}', "x" * 99_999]
)
def test_a_damaged_memory_is_the_first_start(tmp_path, text):
    path = tmp_path / "window.json"
    path.write_text(text)
    assert read_memory(path) == WindowMemory()


def test_what_makes_sense_of_a_damaged_memory_is_kept(tmp_path):
    path = tmp_path / "window.json"
    content = {"folded": {"image": True, "model": "no"}, "tool": "a/b", "joins": False, "more": 1}
    path.write_text(json.dumps(content))
    assert read_memory(path) == WindowMemory(folded={"image": True}, joins=False)


def test_a_place_that_cannot_be_written_to_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    assert not write_memory(tmp_path / "file" / "window.json", WindowMemory())
    Memory(tmp_path / "file" / "window.json").keep(tool="box")


def test_memory_names_neither_files_nor_people(tmp_path):
    path = tmp_path / "window.json"
    assert write_memory(path, WindowMemory({"image": True}, "box", "default"))
    assert set(json.loads(path.read_text())) == {"folded", "tool", "model", "finds_in_all", "joins"}
    assert list(tmp_path.iterdir()) == [path]


# Cursor


def test_the_cursor_is_told_in_the_units_that_suit_the_voxels():
    from napari_sam.plugin._cursor import cursor_text

    cells = Geometry.from_spacing((4, 50, 50), (1e-3, 5e-4, 5e-4))
    assert cursor_text((2, 10, 30), 7, cells) == "(2, 10, 30) · 15.0, 5.0, 2.0 µm LPS · 7"
    body = Geometry.from_spacing((4, 50, 50), (3.0, 0.5, 0.5))
    assert cursor_text((2, 10, 30), 7, body) == "(2, 10, 30) · 15.0, 5.0, 6.0 mm LPS · 7"


def test_the_object_under_the_cursor_is_named():
    from napari_sam.plugin._cursor import label_under

    def labels(value):
        return SimpleNamespace(get_value=lambda position, world: value)

    assert label_under(labels(2), (0, 0, 0), {2: "Liver"}) == "Liver"
    assert label_under(labels(3), (0, 0, 0), {2: "Liver"}) == "label 3"
    assert label_under(labels((0, 2)), (0, 0, 0), {2: "Liver"}) == "Liver"
    assert label_under(labels(0), (0, 0, 0), {}) == label_under(labels(None), (0, 0, 0), {}) == ""
    assert label_under(None, (0, 0, 0), {}) == ""
