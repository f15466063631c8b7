"""An evaluation as tables for people, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from napari_sam.core.scores import BOUNDARY_TOLERANCE_PX
from napari_sam.nodes.evaluation import (
    ALL,
    COUNTED_CLICKS,
    GOOD_IOU,
    WANTED_IOU,
    Evaluation,
    Figures,
    MethodResult,
    PlaneOutcome,
    by_kind,
    plane_figures,
    volume_figures,
)
from napari_sam.nodes.tables import Cell, format_table, round_floats
from napari_sam.nodes.volume_runs import VolumeOutcome
from napari_sam.nodes.volume_scores import distance_names

__all__ = ["evaluation_json", "evaluation_text", "planes_by_kind", "structures", "volumes_by_kind"]

_PLANE_COLUMNS = (
    ("objects", "objects"),
    ("images", "images"),
    ("iou_box", "box"),
    ("boundary_f_box", "box F"),
    *((f"iou_{n}", f"{n} click{'s' if n > 1 else ''}") for n in COUNTED_CLICKS),
    *((f"clicks_to_{wanted}", f"to {wanted:g}") for wanted in WANTED_IOU),
    *((f"above_{good}", f"> {good:g}") for good in GOOD_IOU),
    ("score_correlation", "r"),
    ("score_error", "error"),
)
_VOLUME_COLUMNS = (
    ("objects", "objects"),
    ("dice", "Dice"),
    ("dice_on_plane", "on plane"),
    ("planes", "planes"),
    ("too_many", "too many"),
    ("too_few", "too few"),
    ("presence_auc", "presence AUC"),
)
_COMPARED = (
    ("iou_box", "Mean IoU after one box"),
    ("iou_1", "Mean IoU after one click"),
    ("iou_5", "Mean IoU after five clicks"),
    ("clicks_to_0.9", "Clicks to IoU 0.9"),
)


def planes_by_kind(method: MethodResult, max_clicks: int) -> dict[str, Figures]:
    """Sum up a method's tasks: a line a kind, all objects, the mean of the kinds."""

    def figures(outcomes: Sequence[PlaneOutcome]) -> Figures:
        return plane_figures(outcomes, max_clicks, method.predicts_score)

    return _grouped(method.planes, figures)


def volumes_by_kind(method: MethodResult) -> dict[str, Figures]:
    """Sum up a method's volumes in the same way; empty where none were followed."""
    return _grouped(method.volumes, volume_figures) if method.volumes else {}


def structures(method: MethodResult) -> dict[str, Figures]:
    """Sum up the organs that published figures exist for."""
    names = dict.fromkeys(one.structure for one in method.volumes if one.structure is not None)
    return {name: volume_figures([one for one in method.volumes if one.structure == name]) for name in names}


def _grouped(
    outcomes: Sequence[PlaneOutcome] | Sequence[VolumeOutcome], figures: Callable[[Any], Figures]
) -> dict[str, Figures]:
    kinds = list(dict.fromkeys(one.kind for one in outcomes))
    rows = {kind: figures([one for one in outcomes if one.kind == kind]) for kind in kinds}
    return by_kind(kinds, rows, figures(outcomes))


def evaluation_text(found: Evaluation, *, markdown: bool = False) -> str:
    """Lay out an evaluation as tables.

    Parameters
    ----------
    found : Evaluation
        What was found.
    markdown : bool
        Markdown instead of aligned text.
    """
    model, *others = found.methods
    parts = [_what_was_done(found)]
    planes = planes_by_kind(model, found.max_clicks)
    parts += [_plane_title(found.max_clicks), _table("kind of image", planes, _PLANE_COLUMNS, markdown)]
    if model.volumes:
        parts += _volume_parts(model, str(found.settings["anchor"]), markdown)
    if others:
        parts += _compared_parts(found, markdown)
    return "\n\n".join(parts)


def evaluation_json(found: Evaluation) -> bytes:
    """Turn an evaluation into JSON: figures by kind, and object by object; all times under ``seconds``."""
    from napari_sam import __version__

    content = {
        "command": "evaluate",
        "version": __version__,
        "settings": found.settings,
        "boundary_tolerance_px": BOUNDARY_TOLERANCE_PX,
        "distances_in_planes": distance_names(),
        "methods": [_method_record(method, found.max_clicks) for method in found.methods],
        "seconds": {
            "total": found.seconds,
            "methods": {method.model.name: method.seconds for method in found.methods},
        },
    }
    return json.dumps(round_floats(content), indent=1).encode()


def _what_was_done(found: Evaluation) -> str:
    model = found.methods[0]
    figures = plane_figures(model.planes, found.max_clicks, predicts_score=False)
    volumes = f" and {len(model.volumes)} through volumes" if model.volumes else ""
    seconds = model.seconds
    return (
        f"{model.title}: {figures['objects']} objects in {figures['images']} images{volumes}, "
        f"{figures['answers']} answers in planes; {seconds.get('total', 0.0):.0f} s, of which encoding "
        f"{seconds.get('encode', 0.0):.0f} s and decoding {seconds.get('decode', 0.0):.0f} s; "
        f"{found.seconds:.0f} s with everything"
    )


def _plane_title(max_clicks: int) -> str:
    return (
        f"In planes: mean IoU after one box and after clicks; boundary F after one box (within "
        f"{BOUNDARY_TOLERANCE_PX:g} pixels); clicks to IoU {WANTED_IOU[0]:g} and {WANTED_IOU[1]:g} (at most "
        f"{max_clicks}); share of objects above IoU {GOOD_IOU[0]:g} and {GOOD_IOU[1]:g} within ten clicks; "
        "predicted score against true IoU (correlation r, mean absolute error)"
    )


def _volume_parts(method: MethodResult, anchor: str, markdown: bool) -> list[str]:
    rows = volumes_by_kind(method)
    distances = tuple((f"dice_at_{band}", name) for band, name in enumerate(distance_names()))
    title = (
        f"Through volumes, from one box on the {anchor} plane: Dice of the whole object and on that plane; "
        "planes of the object; planes too many and too few at both ends; whether presence tells planes that "
        "hold the object from planes just beyond its ends"
    )
    parts = [title, _table("kind of image", rows, _VOLUME_COLUMNS, markdown)]
    parts += ["Dice by distance from the prompted plane, in planes"]
    parts += [_table("kind of image", rows, distances, markdown)]
    organs = structures(method)
    if organs:
        parts += ["Organs", _table("organ", organs, _VOLUME_COLUMNS, markdown)]
    return parts


def _compared_parts(found: Evaluation, markdown: bool) -> list[str]:
    """Put all methods side by side, each figure in a table of its own."""
    parts = []
    planes = {method.title: planes_by_kind(method, found.max_clicks) for method in found.methods}
    volumes = {m.title: volumes_by_kind(m) for m in found.methods if m.volumes}
    compared = [(key, title, planes) for key, title in _COMPARED]
    for key, title, rows_of in [*compared, ("dice", "Dice through volumes", volumes)]:
        shown = {name: rows for name, rows in rows_of.items() if rows[ALL].get(key) is not None}
        if shown:
            cells: list[list[Cell]] = [
                [kind, *(rows[kind][key] for rows in shown.values())] for kind in next(iter(shown.values()))
            ]
            parts += [title, format_table(["kind of image", *shown], cells, markdown=markdown)]
    return parts


def _table(first: str, rows: dict[str, Figures], columns: Sequence[tuple[str, str]], markdown: bool) -> str:
    cells: list[list[Cell]] = [[name, *(row[key] for key, _ in columns)] for name, row in rows.items()]
    return format_table([first, *(head for _, head in columns)], cells, markdown=markdown)


def _method_record(method: MethodResult, max_clicks: int) -> dict[str, Any]:
    return {
        "name": method.model.name,
        "title": method.title,
        "weights_sha256": method.model.weights_sha256,
        "device": method.model.device,
        "predicts_score": method.predicts_score,
        "planes": planes_by_kind(method, max_clicks),
        "volumes": volumes_by_kind(method),
        "structures": structures(method),
        "objects": [_plane_record(one) for one in method.planes],
        "volume_objects": [asdict(one) for one in method.volumes],
    }


def _plane_record(one: PlaneOutcome) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "group": one.group,
        "area_px": one.area_px,
        "box": None if one.box is None else asdict(one.box),
        "clicks": {"iou": [a.iou for a in one.clicks], "score": [a.score for a in one.clicks]},
    }
