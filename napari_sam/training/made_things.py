"""Vehicles, furniture, vessels, tools and signs as a photograph shows them."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from napari_sam.training.easel import Look, Piece, draw_colour, draw_look, vary
from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.forms import Oval, Place, beyond, shifted, still
from napari_sam.training.living_things import DOWN, Bench, person

BLACK = Look((0.06, 0.06, 0.07), (0.14, 0.14, 0.15), gloss=0.15)
"""Rubber and shade."""

METAL = Look((0.62, 0.63, 0.66), (0.4, 0.4, 0.43), waves=2.0, edge=1.0, gloss=0.9, bump=0.02, grain=0.03)
"""Bare metal."""


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


def vehicle(rng: torch.Generator) -> list[Piece]:
    """Draw a car, van, bus or lorry from the side or a little from the front."""
    bench = Bench(rng)
    paint = replace(draw_look(rng), gloss=uniform(0.2, 0.9, rng), bump=0.03, grain=0.05)
    if chance(0.7, rng):
        paint = replace(paint, waves=0.0, patches=0.3, edge=1.0, second=vary(paint.first, rng, 0.1))
    glass = _glass(rng)
    long, low, high = uniform(0.6, 0.9, rng), uniform(0.14, 0.24, rng), uniform(0.15, 0.55, rng)
    front, back = uniform(0.0, 0.75, rng) * long, -uniform(0.5, 1.0, rng) * long
    slope, tilt = uniform(0.02, 0.35, rng), uniform(-0.12, 0.12, rng)
    roof = -low - high
    if chance(0.5, rng):  # its front, turned to the camera
        ahead = long + uniform(0.05, 0.3, rng)
        end = [still(long, -low), still(ahead, -0.8 * low), still(ahead, 0.8 * low), still(long, low)]
        bench.facet(end, paint, (0.1, 0.8))
        light = Look((0.95, 0.93, 0.8), (0.8, 0.8, 0.7), glow=0.4)
        bench.oval(Oval(still(0.5 * (long + ahead), 0.0), 0.05, 0.05), light, "lights")
    corners = [still(back, -0.8 * low), still(back + 0.4 * slope, roof), still(front - slope, roof + tilt)]
    cabin = [*corners, still(front + 0.3 * slope, -0.8 * low)]
    bench.facet(cabin, paint, (-0.3, 0.0), "cabin")
    n_windows, inner = whole(1, 5, rng), 0.12 * high
    width = (front - back - slope) / n_windows
    for i in range(n_windows):
        left = back + 0.3 * slope + i * width + 0.12 * width
        right = left + 0.8 * width
        tall = -low - uniform(0.05, 0.1, rng) * high
        pane = [
            still(left, tall),
            still(left + 0.2 * slope, roof + inner),
            still(right - 0.2 * slope, roof + inner),
        ]
        bench.facet([*pane, still(right, tall)], glass, (-0.2, 0.1), "windows")
    bench.oval(Oval(still(0, 0), low, long, boxy=True, flat=0.3), paint)
    if chance(0.5, rng):
        stripe = draw_look(rng)
        bench.bar(still(-0.9 * long, 0.2 * low), still(0.9 * long, 0.2 * low), (0.03, 0.03), stripe)
    for side, tone in ((-1, (0.7, 0.1, 0.08)), (1, (0.95, 0.92, 0.75))):
        bench.oval(
            Oval(still(side * 0.93 * long, -0.3 * low), 0.06, 0.05), Look(tone, tone, glow=0.3), "lights"
        )
    radius, squeeze = uniform(0.7, 1.0, rng) * low, uniform(0.6, 1.0, rng)
    for x in [-0.6, 0.6] if chance(0.8, rng) else [-0.7, -0.3, 0.65]:
        _wheel(bench, still(x * long, 0.9 * low), radius, squeeze)
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
        return [*bench.pieces, *(replace(piece, part="rider") for piece in person(rng))]
    return bench.pieces


def craft(rng: torch.Generator) -> list[Piece]:
    """Draw a boat with sails, or an aeroplane."""
    bench = Bench(rng)
    paint, other = draw_look(rng), draw_look(rng)
    long = uniform(0.6, 0.9, rng)
    if chance(0.5, rng):
        thick = uniform(0.08, 0.16, rng)
        wing = uniform(0.3, 0.8, rng)
        for side in (-1, 1):
            tip = still(uniform(-0.4, 0.1, rng), side * wing * (0.6 if side < 0 else 1.0))
            bench.facet([still(0.2, 0), still(-0.15, 0), shifted(tip, -0.12, 0), tip], paint, (0.3 * side, 0))
            if side < 0:
                bench.bar(still(-long, 0), still(long, 0), (0.7 * thick, thick), paint)
        bench.facet(
            [still(-0.6 * long, 0), still(-1.1 * long, -0.35), still(-long, 0)], other, (0, 0.2), "tail"
        )
        for x in (0.0, 0.25, 0.5):
            bench.oval(Oval(still(x * long, -0.3 * thick), 0.03, 0.03), _glass(rng))
        return bench.pieces
    mast = still(uniform(-0.2, 0.2, rng), 0.4)
    top = beyond(mast, bench.angles(-DOWN, 0.2), uniform(0.5, 1.2, rng))
    for side in (-1, 1):
        if chance(0.7, rng):
            foot = beyond(
                mast, bench.angles(-DOWN + side * uniform(1.1, 1.5, rng), 0.2), uniform(0.3, 0.7, rng)
            )
            bench.facet([top, shifted(mast, 0, -0.1), foot], draw_look(rng), (0.1, 0.4 * side), "sail")
    bench.bar(mast, top, (0.02, 0.015), METAL)
    hull = [still(-long, 0.4), still(long, 0.38), still(0.75 * long, 0.7), still(-0.8 * long, 0.7)]
    bench.facet(hull, paint, (0.3, 0.1))
    if chance(0.6, rng):
        bench.facet([still(-0.4, 0.25), still(0.2, 0.25), still(0.25, 0.4), still(-0.45, 0.4)], other)
    return bench.pieces


def _block(bench: Bench, corner: Place, size: tuple[float, float, float], look: Look) -> None:
    """Add a box whose front's upper left corner is given: front, side and top of three brightnesses."""
    wide, high, deep = size
    lift, aside = 0.45 * deep, 0.6 * deep
    a, b, c, d = corner, shifted(corner, wide, 0), shifted(corner, wide, high), shifted(corner, 0, high)
    back = [shifted(p, aside, -lift) for p in (a, b, c)]
    bench.facet([a, b, back[1], back[0]], look, (-0.85, 0.0))
    bench.facet([b, back[1], back[2], c], look, (0.0, 0.8))
    bench.facet([a, b, c, d], look, (0.15, -0.2))


def furniture(rng: torch.Generator) -> list[Piece]:
    """Draw a box, a chair, a table, a sofa or a lamp."""
    bench = Bench(rng)
    look, kind = draw_look(rng), uniform(0, 1, rng)
    wide, deep, thin = uniform(0.5, 1.2, rng), uniform(0.3, 0.8, rng), uniform(0.02, 0.07, rng)
    left = -0.5 * (wide + 0.6 * deep)
    if kind < 0.3:
        high = uniform(0.3, 1.2, rng)
        _block(bench, still(left, -0.4 * high), (wide, high, deep), look)
        for i in range(whole(0, 4, rng)):  # drawers, labels, screens
            panel = still(left + 0.5 * wide, -0.4 * high + (i + 0.7) * high / 5)
            bench.oval(Oval(panel, 0.08 * high, 0.38 * wide, boxy=True, flat=0.9), draw_look(rng))
        return bench.pieces
    if kind < 0.75:
        seat = uniform(-0.1, 0.3, rng)
        places = [
            (left, 0.0),
            (left + wide, 0.0),
            (left + 0.6 * deep, -0.4 * deep),
            (left + wide + 0.6 * deep, -0.4 * deep),
        ]
        for x, lift in reversed(places):
            bench.bar(still(x, seat + lift), still(x * 1.05, 0.85 + lift), (thin, 0.8 * thin), look, "legs")
        if kind < 0.55:  # a back
            top, back = uniform(-0.95, -0.5, rng), places[2:]
            n_slats = whole(2, 6, rng)
            for i in range(n_slats):
                x = back[0][0] + (back[1][0] - back[0][0]) * i / (n_slats - 1)
                bench.bar(still(x, seat - 0.4 * deep), still(x, top), (thin, thin), look, "back")
            bench.bar(still(back[0][0], top), still(back[1][0], top), (1.5 * thin, 1.5 * thin), look, "back")
        _block(bench, still(left, seat), (wide, 2 * thin, deep), draw_look(rng) if chance(0.4, rng) else look)
        return bench.pieces
    if kind < 0.88:
        _block(bench, still(left, -0.5), (wide, 0.6, 0.2), look)
        _block(bench, still(left, 0.0), (wide, 0.45, 0.5), replace(look, first=vary(look.first, rng)))
        for x in (left, left + wide):
            bench.bar(still(x, -0.05), still(x, 0.4), (0.12, 0.12), look)
        return bench.pieces
    head = still(uniform(-0.3, 0.3, rng), -0.6)
    bench.bar(still(0, 0.85), head, (thin, thin), METAL)
    bench.oval(Oval(still(0, 0.87), 0.08, 0.3), look)
    shade = [shifted(head, x, y) for x, y in ((-0.15, -0.25), (0.15, -0.25), (0.4, 0.15), (-0.4, 0.15))]
    bench.facet(shade, replace(draw_look(rng), glow=uniform(0, 0.4, rng)), (0.2, 0.2))
    return bench.pieces


def vessel(rng: torch.Generator) -> list[Piece]:
    """Draw a bottle, a vase, a jug or a cup, with a handle to see through, a label, a lid."""
    bench = Bench(rng)
    look = replace(draw_look(rng), gloss=uniform(0.1, 1.0, rng), bump=0.03)
    wide, high = uniform(0.2, 0.5, rng), uniform(0.4, 0.75, rng)
    if chance(0.5, rng):
        side, ring = (1 if chance(0.5, rng) else -1), uniform(0.4, 0.7, rng)
        handle = Oval(still(side * wide, 0.1), ring * high, 0.6 * wide, rim=uniform(0.2, 0.45, rng))
        bench.oval(handle, look, "handle")
    middle = still(0, 0.9 - high)
    if chance(0.5, rng):
        bench.oval(Oval(middle, high, wide, boxy=True), look)
    else:
        bench.bar(
            still(0, 0.85 - wide),
            still(0, 0.9 - 2 * high + wide),
            (wide, wide * uniform(0.5, 1.2, rng)),
            look,
        )
    if chance(0.5, rng):
        neck, top = wide * uniform(0.2, 0.7, rng), still(0, 0.9 - 2 * high - uniform(0.1, 0.5, rng))
        bench.bar(shifted(middle, 0, -0.5 * high), top, (neck * 1.3, neck), look)
        bench.oval(Oval(top, 0.08, neck * 1.15, boxy=True), draw_look(rng), "lid")
    else:
        rim = still(0, 0.92 - 2 * high)
        bench.oval(Oval(rim, 0.25 * wide, 0.95 * wide, flat=0.5), look)
        bench.oval(Oval(rim, 0.18 * wide, 0.8 * wide, flat=0.8), replace(BLACK, first=draw_colour(rng)))
    if chance(0.5, rng):
        label = Oval(shifted(middle, 0, 0.1), 0.35 * high, 0.85 * wide, boxy=True, flat=0.3)
        bench.oval(label, draw_look(rng), "label")
        _write(bench, shifted(middle, 0, 0.1), (0.3 * high, 0.6 * wide))
    return bench.pieces


def instrument(rng: torch.Generator) -> list[Piece]:
    """Draw a long thin tool of metal with jaws, a blade or a head, often reaching in from outside."""
    bench = Bench(rng)
    shaft = replace(
        METAL, first=vary(METAL.first, rng, 0.05, uniform(0.3, 1.4, rng)), gloss=uniform(0.3, 1, rng)
    )
    if chance(0.3, rng):
        shaft = draw_look(rng)
    thick, wrist = uniform(0.025, 0.1, rng), still(0.35, 0.0)
    start = still(-1.0 if chance(0.4, rng) else -2.5, 0.0)
    bench.bar(start, wrist, (thick * uniform(0.9, 1.3, rng), thick), shaft, "shaft")
    if chance(0.5, rng):
        grip = still(-0.95, 0), still(uniform(-0.6, -0.2, rng), 0)
        bench.bar(*grip, (thick * uniform(1.3, 2.2, rng), 1.5 * thick), draw_look(rng), "grip")
    for x in range(whole(0, 3, rng)):
        ring = still(0.2 - 0.2 * x, 0)
        bench.oval(Oval(ring, 1.15 * thick, 0.3 * thick, boxy=True), BLACK)
    bend = bench.angles(uniform(-0.8, 0.8, rng))
    knuckle = beyond(wrist, bend, uniform(0.05, 0.25, rng))
    bench.bar(wrist, knuckle, (thick, 0.9 * thick), METAL, "tip")
    kind, spread, long = uniform(0, 1, rng), uniform(0.05, 0.6, rng), uniform(0.15, 0.45, rng)
    if kind < 0.6:
        move = uniform(-0.2, 0.2, rng)
        for side in (-1, 1):
            angles = bend[0] + side * spread, bend[1] + side * (spread + move)
            bench.bar(knuckle, beyond(knuckle, angles, long), (0.7 * thick, 0.25 * thick), METAL, "tip")
    elif kind < 0.8:
        tip = beyond(knuckle, bend, long)
        bench.bar(knuckle, tip, (thick * uniform(1, 2.5, rng), 0.2 * thick), METAL, "tip")
    else:
        bench.oval(
            Oval(knuckle, 2.5 * thick, uniform(1.2, 4, rng) * thick, bend, chance(0.5, rng)), draw_look(rng)
        )
    if chance(0.25, rng):  # rings for the fingers
        for side in (-1, 1):
            ring = still(-1.05, side * 0.16)
            bench.bar(ring, wrist, (0.6 * thick, thick), shaft)
            bench.oval(Oval(ring, 0.15, 0.18, rim=0.35), draw_look(rng), "grip")
    return bench.pieces


def _write(bench: Bench, middle: Place, half: tuple[float, float]) -> None:
    """Add rows of marks like letters."""
    rng, ink = bench.rng, Look(draw_colour(bench.rng), draw_colour(bench.rng), gloss=0.0)
    n_rows = whole(1, 2, rng)
    for row in range(n_rows):
        n_marks, tall = whole(2, 5, rng), 0.6 * half[0] / n_rows
        y = (row - (n_rows - 1) / 2) * 2.2 * tall
        for i in range(n_marks):
            x = half[1] * (2 * (i + 0.5) / n_marks - 1)
            place, thin = shifted(middle, x, y), 0.2 * min(tall, half[1] / n_marks)
            angle = uniform(-math.pi, math.pi, rng)
            ends = (
                beyond(place, (angle, angle), 0.7 * tall),
                beyond(place, (angle + 3, angle + 3), 0.7 * tall),
            )
            bench.bar(*ends, (thin, thin), ink)


def sign(rng: torch.Generator) -> list[Piece]:
    """Draw a road sign on its post, a board, a screen or a book with marks on it."""
    bench = Bench(rng)
    plate, border = draw_look(rng), draw_look(rng)
    high, wide, middle = uniform(0.3, 0.6, rng), uniform(0.3, 0.6, rng), still(0, -0.35)
    if chance(0.6, rng):
        bench.bar(still(0, 1.0), middle, (0.04, 0.04), METAL, "post")
    boxy, kind = chance(0.6, rng), uniform(0, 1, rng)
    if kind < 0.75:
        bench.oval(Oval(middle, high, wide, boxy=boxy, flat=0.9), border)
        bench.oval(Oval(middle, 0.85 * high, 0.85 * wide, boxy=boxy, flat=0.9), plate)
    else:
        for scale, look in ((1.0, border), (0.75, plate)):
            corners = [beyond(middle, (a, a), scale * high * 1.2) for a in (-DOWN, 0.52, math.pi - 0.52)]
            bench.facet(corners, look)
    _write(bench, middle, (0.5 * high, 0.5 * wide))
    return bench.pieces
