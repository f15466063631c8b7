"""Cars, lorries, bicycles, boats and aeroplanes."""

from __future__ import annotations

from dataclasses import replace

import torch

from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.things.bench import BLACK, DOWN, METAL, Bench
from napari_sam.training.things.easel import Piece
from napari_sam.training.things.forms import Oval, Place, beyond, shifted, still
from napari_sam.training.things.looks import Look, draw_look, vary
from napari_sam.training.things.people import person, seat


def _glass(rng: torch.Generator) -> Look:
    """Draw a window: dark or of the sky's colour, shining."""
    tone = vary((0.3, 0.38, 0.45), rng, 0.08, uniform(0.2, 2.0, rng))
    return Look(
        tone, vary(tone, rng, 0.2), waves=uniform(1, 5, rng), turn=0.8, edge=2.0, gloss=0.6, grain=0.02
    )


def _wheel(bench: Bench, place: Place, radius: float, squeeze: float) -> None:
    hub = replace(METAL, first=vary((0.55, 0.55, 0.57), bench.rng, 0.1))
    turn = bench.angles(0.0)
    bench.oval(Oval(place, radius, radius * squeeze, turn, flat=0.6), BLACK, "wheels")
    bench.oval(Oval(place, 0.6 * radius, 0.6 * radius * squeeze, turn, flat=0.5), hub, "wheels")
    bench.oval(Oval(place, 0.2 * radius, 0.2 * radius * squeeze, turn), BLACK, "wheels")


def _draw_paint(rng: torch.Generator) -> Look:
    """Draw a paint: mostly of one colour, shining."""
    paint = replace(draw_look(rng), gloss=uniform(0.2, 0.9, rng), bump=0.03, grain=0.05)
    if chance(0.75, rng):
        paint = replace(paint, waves=0.0, patches=0.3, edge=1.0, second=vary(paint.first, rng, 0.1))
    return paint


def vehicle(rng: torch.Generator) -> list[Piece]:
    """Draw a car, van, bus or lorry from the side, a little from the front, or head on."""
    bench, paint = Bench(rng), _draw_paint(rng)
    if chance(0.3, rng):
        return _head_on(bench, paint)
    long, low = uniform(0.6, 0.9, rng), uniform(0.14, 0.24, rng)
    if chance(0.5, rng):  # its front, turned to the camera
        ahead = long + uniform(0.05, 0.3, rng)
        end = [still(long, -low), still(ahead, -0.8 * low), still(ahead, 0.8 * low), still(long, low)]
        bench.facet(end, paint, (0.1, 0.8))
        light = Look((0.95, 0.93, 0.8), (0.8, 0.8, 0.7), glow=0.4)
        bench.oval(Oval(still(0.5 * (long + ahead), 0.0), 0.05, 0.05), light, "lights")
    _cabin(bench, paint, long, low)
    bench.oval(Oval(still(0, 0), low, long, boxy=True, flat=0.3), paint)
    if chance(0.5, rng):
        stripe = draw_look(rng)
        bench.bar(still(-0.9 * long, 0.2 * low), still(0.9 * long, 0.2 * low), (0.03, 0.03), stripe)
    for side, tone in ((-1, (0.7, 0.1, 0.08)), (1, (0.95, 0.92, 0.75))):
        lamp = Oval(still(side * 0.93 * long, -0.3 * low), 0.06, 0.05)
        bench.oval(lamp, Look(tone, tone, glow=0.3), "lights")
    radius, squeeze = uniform(0.7, 1.0, rng) * low, uniform(0.6, 1.0, rng)
    for x in (-0.6, 0.6) if chance(0.8, rng) else (-0.7, -0.3, 0.65):
        _wheel(bench, still(x * long, 0.9 * low), radius, squeeze)
    return bench.pieces


def _cabin(bench: Bench, paint: Look, long: float, low: float) -> None:
    """Add what stands on a car's lower half, with windows."""
    rng, glass = bench.rng, _glass(bench.rng)
    high, slope, tilt = uniform(0.15, 0.6, rng), uniform(0.02, 0.35, rng), uniform(-0.12, 0.12, rng)
    front, back = uniform(0.0, 0.85, rng) * long, -uniform(0.5, 1.0, rng) * long
    roof = -low - high
    corners = [still(back, -0.8 * low), still(back + 0.4 * slope, roof), still(front - slope, roof + tilt)]
    bench.facet([*corners, still(front + 0.3 * slope, -0.8 * low)], paint, (-0.3, 0.0), "cabin")
    n_windows, inner = whole(1, 6, rng), 0.12 * high
    width = (front - back - slope) / n_windows
    for i in range(n_windows):
        left = back + 0.3 * slope + (i + 0.12) * width
        right, sill = left + 0.8 * width, -low - uniform(0.05, 0.1, rng) * high
        top = [still(left + 0.2 * slope, roof + inner), still(right - 0.2 * slope, roof + inner)]
        bench.facet([still(left, sill), *top, still(right, sill)], glass, (-0.2, 0.1), "windows")


def _head_on(bench: Bench, paint: Look) -> list[Piece]:
    """Draw a car, bus or train from the front or from behind."""
    rng, half, high = bench.rng, uniform(0.4, 0.75, bench.rng), uniform(0.25, 0.75, bench.rng)
    for side in (-1, 1):
        bench.oval(Oval(still(side * 0.8 * half, 0.42), 0.16, 0.12, boxy=True), BLACK, "wheels")
    narrow, roof = half * uniform(0.6, 1.0, rng), 0.1 - 1.3 * high
    for scale, look in ((1.0, paint), (0.85, _glass(rng))):
        wide, top = scale * narrow, roof + (1 - scale) * high
        low = [still(scale * half, 0.1), still(-scale * half, 0.1)]
        bench.facet([still(-wide, top), still(wide, top), *low], look, (-0.4, 0.1), "windows")
    bench.oval(Oval(still(0, 0.2), 0.22, half, boxy=True, flat=0.3), paint)
    tone = (0.95, 0.92, 0.8) if chance(0.6, rng) else (0.7, 0.1, 0.08)
    for side in (-1, 1):
        bench.oval(Oval(still(side * 0.72 * half, 0.15), 0.07, 0.1), Look(tone, tone, glow=0.4), "lights")
    bench.oval(Oval(still(0, 0.22), 0.08, 0.35 * half, boxy=True, flat=0.8), BLACK, "grille")
    bench.oval(Oval(still(0, 0.36), 0.05, 0.16, boxy=True, flat=0.9), Look((0.9,) * 3, (0.7,) * 3), "plate")
    return bench.pieces


def bicycle(rng: torch.Generator) -> list[Piece]:
    """Draw a bicycle or motorcycle: thin rings and bars with holes, mostly with somebody on it."""
    bench = Bench(rng)
    radius, frame = uniform(0.25, 0.36, rng), replace(draw_look(rng), gloss=0.5)
    wheels, thin = (still(-0.42, 0.45), still(0.45, 0.45)), uniform(0.018, 0.05, rng)
    for wheel in wheels:
        bench.oval(Oval(wheel, radius, radius, rim=uniform(0.1, 0.3, rng)), BLACK, "wheels")
        if chance(0.4, rng):
            bench.oval(Oval(wheel, 0.85 * radius, 0.85 * radius, flat=0.7), METAL, "wheels")
    saddle, bar, pedal = still(-0.22, -0.08), still(0.3, -0.12), still(-0.02, 0.45)
    for start, end in ((wheels[0], saddle), (saddle, bar), (bar, wheels[1]), (pedal, saddle), (pedal, bar)):
        bench.bar(start, end, (thin, thin), frame)
    bench.bar(wheels[0], pedal, (thin, thin), frame)
    bench.bar(shifted(saddle, -0.08, -0.06), shifted(saddle, 0.08, -0.05), (0.04, 0.03), BLACK)
    bench.bar(bar, shifted(bar, 0.1, -0.12), (thin, thin), METAL)
    if chance(0.6, rng):
        return [*bench.pieces, *seat(person(rng, seated=True), still(-0.2, -0.2), uniform(0.7, 0.95, rng))]
    return bench.pieces


def motorcycle(rng: torch.Generator) -> list[Piece]:
    """Draw a motorcycle or scooter of solid panels, black, bare and painted, mostly with somebody on it."""
    bench, paint, other = Bench(rng), _draw_paint(rng), draw_look(rng)
    radius, apart = uniform(0.2, 0.3, rng), uniform(0.45, 0.6, rng)
    for x in (-apart, apart):
        _wheel(bench, still(x, 0.45), radius, uniform(0.7, 1.0, rng))
    head, seat_end = still(apart - 0.18, -0.15), still(-apart, uniform(-0.1, 0.1, rng))
    bench.bar(head, still(apart, 0.45), (0.05, 0.05), METAL)
    bench.oval(Oval(still(0, 0.35), uniform(0.1, 0.2, rng), 0.28), BLACK if chance(0.6, rng) else METAL)
    bench.bar(still(-0.1, 0.45), still(-apart - 0.1, uniform(0.3, 0.5, rng)), (0.04, 0.06), METAL)
    low = uniform(0.2, 0.45, rng)
    rear = [seat_end, still(0.05, 0.02), still(0.1, low), still(-0.7 * apart, low)]
    bench.facet(rear, paint, (0.3, 0.1), "panels")
    if chance(0.5, rng):  # a tank; else a step to put the feet on
        bench.oval(Oval(still(0.15, -0.02), 0.13, 0.24), paint, "panels")
    else:
        bench.bar(still(0.0, 0.42), still(apart - 0.25, 0.42), (0.05, 0.05), other, "panels")
    shield = [head, still(apart - 0.05, -0.2), still(apart - 0.1, 0.35), still(apart - 0.3, 0.4)]
    bench.facet(shield, paint if chance(0.6, rng) else other, (0.1, 0.4), "panels")
    bench.bar(seat_end, still(0.0, 0.0), (0.06, 0.05), BLACK)
    bench.bar(head, shifted(head, -0.08, -0.15), (0.03, 0.03), BLACK)
    bench.oval(Oval(shifted(head, 0.12, 0.0), 0.08, 0.07), Look((0.95, 0.92, 0.8), (0.6,) * 3, glow=0.3))
    if chance(0.75, rng):
        return [*bench.pieces, *seat(person(rng, seated=True), still(-0.2, -0.1), uniform(0.75, 1.0, rng))]
    return bench.pieces


def craft(rng: torch.Generator) -> list[Piece]:
    """Draw a boat with sails, or an aeroplane."""
    bench, paint, other = Bench(rng), _draw_paint(rng), draw_look(rng)
    if chance(0.5, rng):
        return _aeroplane(bench, paint, other)
    mast, long = still(uniform(-0.2, 0.2, rng), 0.4), uniform(0.6, 0.9, rng)
    top = beyond(mast, bench.angles(-DOWN, 0.2), uniform(0.5, 1.2, rng))
    for side in (-1, 1):
        if chance(0.7, rng):
            angles = bench.angles(-DOWN + side * uniform(1.1, 1.5, rng), 0.2)
            foot = beyond(mast, angles, uniform(0.3, 0.7, rng))
            bench.facet([top, shifted(mast, 0, -0.1), foot], draw_look(rng), (0.1, 0.4 * side), "sail")
    bench.bar(mast, top, (0.02, 0.015), METAL)
    hull = [still(-long, 0.4), still(long, 0.38), still(0.75 * long, 0.7), still(-0.8 * long, 0.7)]
    bench.facet(hull, paint, (0.3, 0.1))
    if chance(0.6, rng):
        bench.facet([still(-0.4, 0.25), still(0.2, 0.25), still(0.25, 0.4), still(-0.45, 0.4)], other)
    return bench.pieces


def _aeroplane(bench: Bench, paint: Look, other: Look) -> list[Piece]:
    """Draw a trunk, wings before and behind it, a tail and windows."""
    rng, long, thick = bench.rng, uniform(0.6, 0.9, bench.rng), uniform(0.08, 0.16, bench.rng)
    wing = uniform(0.3, 0.8, rng)
    for side in (-1, 1):
        tip = still(uniform(-0.4, 0.1, rng), side * wing * (0.6 if side < 0 else 1.0))
        bench.facet([still(0.2, 0), still(-0.15, 0), shifted(tip, -0.12, 0), tip], paint, (0.3 * side, 0))
        if side < 0:
            bench.bar(still(-long, 0), still(long, 0), (0.7 * thick, thick), paint)
    fin = [still(-0.6 * long, 0), still(-1.1 * long, -0.35), still(-long, 0)]
    bench.facet(fin, other, (0, 0.2), "tail")
    for x in (0.0, 0.25, 0.5):
        bench.oval(Oval(still(x * long, -0.3 * thick), 0.03, 0.03), _glass(rng))
    return bench.pieces
