"""Measurements of the current object, kept up to date; and all objects as a table in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from napari_sam.core.clean_steps import own_bits
from napari_sam.core.edits import Edit
from napari_sam.core.jobs import Cancel
from napari_sam.core.measuring import ObjectMeasures, measure_object
from napari_sam.core.session import Session
from napari_sam.nodes.amounts import PIXELS, Units, digits, units_of
from napari_sam.nodes.measure import measure_labels
from napari_sam.nodes.measurement_table import Measurements, table_units
from napari_sam.plugin._jobs import Job
from napari_sam.plugin._stage import Stage
from napari_sam.plugin.view import MeasureState
from volumes import Box, Segment

__all__ = ["MeasureSteps", "measure_lines"]

SegmentsOf = Callable[[Session], tuple[Segment, ...]]
SaveTable = Callable[[Path, Measurements], None]


class MeasureSteps:
    """Measurements, worked out beside the window.

    Parameters
    ----------
    stage : Stage
        What all steps share.
    segments_of : callable
        Says what the objects of a session are called.
    save : callable
        (path, measurements); called on another thread.
    """

    def __init__(self, stage: Stage, segments_of: SegmentsOf, save: SaveTable) -> None:
        self._stage, self._segments_of, self._save = stage, segments_of, save
        self._is_wanted = False
        self._shown_of: tuple[int, int, int] | None = None
        self._lines: tuple[tuple[str, str], ...] = ()
        self._listened: set[int] = set()
        self._n_edits = 0
        self._saving = False
        stage.on_view.append(self.update)

    @property
    def state(self) -> MeasureState:
        """What the panel shows."""
        session = self._stage.session
        can_save = session is not None and bool(session.objects) and not self._saving
        return MeasureState(self._lines if self._is_wanted else (), can_save)

    def want(self, is_wanted: bool) -> None:
        """Measure the current object whenever it changes, or do not."""
        self._is_wanted, self._shown_of = is_wanted, None
        self.update()
        self._stage.show()

    def update(self) -> None:
        """Measure the current object again if it may have changed."""
        stage, session = self._stage, self._stage.session
        if session is None or not self._is_wanted:
            return
        if id(session) not in self._listened:
            self._listened.add(id(session))
            session.on_edit.append(self._edited)
        now = (id(session), stage.current_id, self._n_edits)
        one = session.objects.get(stage.current_id)
        if now == self._shown_of:
            return
        self._shown_of = now
        if one is None or one.extent is None:
            self._lines = ()
            return
        extent = one.extent

        def work(_: Cancel) -> Iterable[ObjectMeasures | None]:
            yield _measured(session, one.id, extent)

        def measured(found: ObjectMeasures | None) -> None:
            if self._shown_of == now:
                unit = "HU" if session.volume.provenance.modality == "CT" else ""
                self._lines = () if found is None else measure_lines(found, unit, units_of(session.volume))
                stage.show()

        stage.files.submit(Job("measure", work, measured, on_error=stage.fail))

    def save(self, path: Path) -> None:
        """Measure all objects and write the table."""
        stage, case = self._stage, self._stage.free_case
        if case is None or self._saving:
            return
        session, segments = case.session, {one.value: one for one in self._segments_of(case.session)}

        def work(_: Cancel) -> Iterable[Measurements]:
            found = measure_labels(session.labels, session.volume, segments=segments)
            self._save(path, found)
            return ()

        def ended(news: str) -> None:
            self._saving = False
            stage.say(news)

        def failed(error: Exception) -> None:
            self._saving = False
            stage.fail(error)

        told = f"Saved {path.name}. {table_units(units_of(session.volume))}".rstrip()
        self._saving = True
        stage.files.submit(Job("table", work, on_done=lambda: ended(told), on_error=failed))
        stage.say("Measuring all objects…")

    def _edited(self, _: Edit) -> None:
        self._n_edits += 1
        self.update()


def _measured(session: Session, object_id: int, extent: Box) -> ObjectMeasures | None:
    mask = own_bits(session.labels, object_id, extent)
    if mask is None:
        return None
    volume = session.volume
    values = None if volume.is_rgb else np.asarray(volume.data[mask.box.slices()])
    return measure_object(mask, volume.geometry, values)


def measure_lines(found: ObjectMeasures, unit: str, to: Units) -> tuple[tuple[str, str], ...]:
    """Say an object's measures as lines of a name and a value with its unit.

    Parameters
    ----------
    found : ObjectMeasures
        What was measured.
    unit : str
        Of the intensities.
    to : Units
        Of sizes.
    """
    flat, grey = found.in_plane, found.intensities
    is_volume = len(found.areas_mm2) > 1
    across = " × ".join(f"{one.mm * to.per_mm:.1f}" for one in (flat.longest, flat.perpendicular))
    centre = ", ".join(f"{one * to.per_mm:.1f}" for one in found.centroid_lps_mm)
    area, surface = found.largest_area_mm2 * to.per_mm2, found.surface_mm2 * to.per_mm2
    lines = [
        ("Voxels", f"{found.voxels:,}".replace(",", "\u202f")),
        ("Volume", f"{digits(found.volume_ml * to.per_ml)} {to.volume}") if is_volume else ("", ""),
        ("Largest area", f"{digits(area)} {to.area} in plane {found.largest_plane}"),
        ("Longest × across", f"{across} {to.length} in plane {flat.plane}"),
        ("Longest in 3-D", f"{found.longest.mm * to.per_mm:.1f} {to.length}") if is_volume else ("", ""),
        ("Surface", f"{digits(surface)} {to.area}, sphericity {found.sphericity:.2f}")
        if is_volume
        else ("", ""),
        ("Centre (x, y, z)" if to is PIXELS else "Centre (LPS)", f"{centre} {to.length}"),
    ]
    if grey is not None:
        lines.append(("Mean ± SD", f"{grey.mean:.4g} ± {grey.spread:.3g} {unit}".rstrip()))
        span = f"{grey.median:.4g}, {grey.low:.4g} to {grey.high:.4g} {unit}"
        lines.append(("Median, range", span.rstrip()))
    return tuple(line for line in lines if line[0])
