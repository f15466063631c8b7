"""``session.json``: which image (by digest), what model, what window, which objects; for people, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_sam.core.objects import ObjectState
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.store.session_codec import object_from_json, object_to_json

__all__ = ["FORMAT", "FORMAT_VERSION", "Manifest", "ModelReference", "manifest_from_json", "manifest_to_json"]

FORMAT = "napari-sam session"
FORMAT_VERSION = 2


@dataclass(frozen=True)
class ModelReference:
    """Which model answered: its name, and the sha256 of its weights in hex."""

    name: str
    weights_sha256: str


@dataclass(frozen=True, eq=False)
class Manifest:
    """What ``session.json`` says.

    Attributes
    ----------
    volume_sha256 : str
        `Volume.digest` of the image; empty while nobody has computed it.
    fingerprint : str
        See `napari_sam.store.fingerprint`; empty in sessions of version 1.
    volume_shape : tuple of int
        (P, R, C).
    affine_lps_mm : list of list of float
        Of the image's geometry.
    model : ModelReference or None
        The model in use.
    window : Window
        The intensity window.
    objects : mapping of int to ObjectState
        The objects when it was written.
    log_id : str
        The log that `n_saved_actions` counts lines of; empty in version 1.
    n_saved_actions : int or None
        So many lines after the log's first are in the labels file; None where there is no such file.
    is_closed : bool
        Whether work ended in good order.
    """

    volume_sha256: str
    fingerprint: str
    volume_shape: tuple[int, int, int]
    affine_lps_mm: list[list[float]]
    model: ModelReference | None
    window: Window
    objects: Mapping[int, ObjectState]
    log_id: str
    n_saved_actions: int | None
    is_closed: bool


def manifest_to_json(session: Session, model: ModelReference | None, **fields: Any) -> dict[str, Any]:
    """Write what there is to say of a session; `fields` are volume_sha256, fingerprint and so on."""
    volume = session.volume
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "volume": {
            "sha256": fields["volume_sha256"],
            "fingerprint": fields["fingerprint"],
            "shape": list(volume.shape),
            "affine_lps_mm": volume.geometry.affine.tolist(),
            "format": volume.provenance.format,
            "modality": volume.provenance.modality,
        },
        "model": None if model is None else {"name": model.name, "weights_sha256": model.weights_sha256},
        "window": [session.window.low, session.window.high],
        "labels": "labels.nii.gz" if fields["n_saved_actions"] is not None else None,
        "log_id": fields["log_id"],
        "n_saved_actions": fields["n_saved_actions"],
        "is_closed": fields["is_closed"],
        "objects": [object_to_json(session.objects[number]) for number in sorted(session.objects)],
    }


def manifest_from_json(content: Mapping[str, Any]) -> Manifest:
    """Read what `manifest_to_json` or version 1 wrote; raises KeyError, TypeError or ValueError."""
    volume, model = content["volume"], content["model"]
    planes, rows, columns = volume["shape"]
    objects = [object_from_json(item) for item in content["objects"]]
    return Manifest(
        volume["sha256"] or "",
        volume.get("fingerprint") or "",
        (planes, rows, columns),
        volume["affine_lps_mm"],
        None if model is None else ModelReference(model["name"], model["weights_sha256"]),
        Window(*content["window"]),
        {state.id: state for state in objects},
        content.get("log_id", ""),
        content["n_saved_actions"],
        content.get("is_closed", True),
    )
