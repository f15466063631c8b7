"""Animals, people and plants as a photograph shows them: put together from bars, ovals and facets."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from napari_sam.training.easel import Look, Piece, draw_colour, draw_look, vary
from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.forms import Bar, Facet, Oval, Place, beyond, shifted, still

DOWN = math.pi / 2
"""The angle that points down."""


class Bench:
    """Where a thing's pieces are put together, back to front.

    Parameters
    ----------
    rng : torch.Generator
        Where chance comes from.
    """

    def __init__(self, rng: torch.Generator) -> None:
        self.rng = rng
        self.pieces: list[Piece] = []
        self.swing = 0.5 * uniform(0.0, 1.0, rng) ** 2

    def bar(self, start: Place, end: Place, radii: tuple[float, float], look: Look, part: str = "") -> None:
        """Add a bar."""
        self.pieces.append(Piece(Bar(start, end, *radii), look, part))

    def oval(self, form: Oval, look: Look, part: str = "") -> None:
        """Add an oval."""
        self.pieces.append(Piece(form, look, part))

    def facet(
        self, corners: list[Place], look: Look, facing: tuple[float, float] = (0.0, 0.0), part: str = ""
    ) -> None:
        """Add a polygon that looks down and right as far as `facing` says."""
        self.pieces.append(Piece(Facet(tuple(corners), *facing), look, part))

    def angles(self, angle: float, swing: float = 1.0) -> tuple[float, float]:
        """Give an angle in both planes: joints move."""
        return angle, angle + uniform(-1, 1, self.rng) * self.swing * swing

    def chain(
        self,
        start: Place,
        angles: list[float],
        lengths: list[float],
        radii: list[float],
        looks: list[Look],
        part: str = "",
    ) -> Place:
        """Add bars end to end, a joint between; gives the last end."""
        turned = 0.0
        for i, (angle, length, look) in enumerate(zip(angles, lengths, looks, strict=True)):
            turned += uniform(-1, 1, self.rng) * self.swing
            end = beyond(start, (angle, angle + turned), length)
            self.bar(start, end, (radii[i], radii[i + 1]), look, part)
            start = end
        return start


def creature(rng: torch.Generator) -> list[Piece]:
    """Draw an animal on four legs, seen from the side."""
    bench = Bench(rng)
    coat = draw_look(rng)
    legs = coat if chance(0.6, rng) else replace(coat, first=vary(coat.first, rng, 0.1, 0.6), patches=0.0)
    dark = replace(legs, first=vary(legs.first, rng, 0.02, 0.7), second=vary(legs.second, rng, 0.02, 0.7))
    thick, reach = uniform(0.15, 0.33, rng), uniform(0.28, 0.5, rng)
    length, thin = uniform(0.2, 0.7, rng), uniform(0.035, 0.09, rng)
    rump, chest = still(-reach, uniform(-0.1, 0.1, rng)), still(reach, uniform(-0.15, 0.1, rng))
    stance = uniform(0.05, 0.5, rng)

    def leg(hip: Place, look: Look, back: bool) -> None:
        lean = DOWN + uniform(-1, 1, rng) * stance
        knee = lean + (uniform(0.0, 0.7, rng) if back else uniform(-0.5, 0.2, rng))
        low = shifted(hip, uniform(-0.06, 0.06, rng), 0.4 * thick)
        radii = [thin * uniform(1.2, 2.2, rng), thin, 0.7 * thin]
        foot = bench.chain(low, [lean, knee], [0.5 * length, 0.5 * length], radii, [look, look], "legs")
        bench.bar(foot, shifted(foot, 0.06, 0.01), (0.8 * thin, 0.6 * thin), look, "legs")

    leg(rump, dark, True)
    leg(chest, dark, False)
    _tail(bench, rump, thick, coat)
    lower = 1.0 if chance(0.6, rng) else uniform(0.6, 1.3, rng)
    bench.bar(rump, chest, (thick * lower, thick * uniform(0.85, 1.15, rng)), coat)
    if chance(0.5, rng):
        bench.oval(Oval(still(uniform(-0.2, 0.2, rng), 0.1), thick, 0.8 * reach), coat)
    leg(shifted(rump, 0.05, 0.02), legs, True)
    leg(shifted(chest, -0.05, 0.02), legs, False)
    _head(bench, shifted(chest, 0.3 * thick, -0.4 * thick), thick, coat)
    return bench.pieces


def _tail(bench: Bench, rump: Place, thick: float, coat: Look) -> None:
    """Add a tail of three joints, thin, bushy or short."""
    rng = bench.rng
    start, angle, bow = (
        shifted(rump, -0.8 * thick, -0.3 * thick),
        uniform(1.7, 4.2, rng),
        uniform(-0.6, 0.6, rng),
    )
    length, wide = uniform(0.05, 0.25, rng), uniform(0.015, 0.06, rng)
    radii = [wide, wide, wide * uniform(0.7, 1.8, rng), 0.6 * wide]
    angles = [angle + i * bow for i in range(3)]
    bench.chain(start, angles, [length] * 3, radii, [coat] * 3, "tail")


def _head(bench: Bench, base: Place, thick: float, coat: Look) -> None:
    """Add neck, head, snout, ears or horns, and an eye."""
    rng = bench.rng
    length, size = uniform(0.02, 0.55, rng), thick * uniform(0.45, 0.85, rng)
    face = coat if chance(0.6, rng) else draw_look(rng, vary(coat.first, rng, 0.1, uniform(0.5, 1.4, rng)))
    skull = beyond(base, bench.angles(uniform(-1.6, 0.2, rng)), length + 0.5 * size)
    bench.bar(base, skull, (thick * uniform(0.45, 0.8, rng), 0.7 * size), coat, "head")
    up = uniform(0.3, 1.5, rng)
    for side in (-1, 1):
        ear = beyond(skull, bench.angles(-DOWN + 0.35 * side, 0.3), size * (0.8 + up))
        bench.bar(beyond(skull, (-DOWN, -DOWN), 0.5 * size), ear, (0.3 * size, 0.08 * size), face, "head")
    bench.oval(Oval(skull, size, size * uniform(0.9, 1.3, rng)), face, "head")
    snout = beyond(skull, bench.angles(uniform(-0.1, 0.8, rng), 0.3), size * uniform(0.8, 1.9, rng))
    bench.bar(skull, snout, (0.65 * size, 0.35 * size), face, "head")
    black = Look((0.05, 0.04, 0.04), (0.1, 0.1, 0.1), gloss=0.8)
    bench.oval(Oval(snout, 0.18 * size, 0.2 * size), black, "head")
    bench.oval(Oval(shifted(skull, 0.3 * size, -0.25 * size), 0.14 * size, 0.14 * size), black, "head")


def person(rng: torch.Generator) -> list[Piece]:
    """Draw a person in clothes of several colours, standing, walking, sitting or leaping."""
    bench = Bench(rng)
    skin = Look(vary((0.75, 0.55, 0.42), rng, 0.08, uniform(0.35, 1.2, rng)), (0.6, 0.4, 0.3), patches=0.2)
    shirt, trousers, shoes = draw_look(rng), draw_look(rng), draw_look(rng)
    if chance(0.2, rng):
        trousers = shirt
    sleeve = shirt if chance(0.6, rng) else skin
    shin = trousers if chance(0.7, rng) else skin
    wide, lean, wild = uniform(0.12, 0.2, rng), uniform(-0.4, 0.4, rng), uniform(0.2, 1.3, rng)
    hips = still(0.0, 0.08)
    neck = beyond(hips, bench.angles(-DOWN + lean, 0.3), 0.46)
    thigh, arm = wide * uniform(0.5, 0.75, rng), wide * uniform(0.3, 0.45, rng)

    def limb_of_leg(side: float) -> None:
        start = shifted(hips, 0.4 * wide * side, 0.0)
        upper = DOWN + uniform(-1, 1, rng) * wild * 0.7 - 0.1 * side
        lower = upper + uniform(0.0, 1.0, rng) * wild
        radii = [thigh, 0.75 * thigh, 0.45 * thigh]
        foot = bench.chain(start, [upper, lower], [0.4, 0.4], radii, [trousers, shin], "trousers")
        toe = shifted(foot, 0.09 if chance(0.8, rng) else -0.05, 0.02)
        bench.bar(foot, toe, (0.55 * thigh, 0.4 * thigh), shoes)

    def limb_of_arm(side: float) -> None:
        start = shifted(neck, 0.8 * wide * side, 0.08)
        upper = DOWN + uniform(-1, 1, rng) * wild - 0.2 * side
        lower = upper - uniform(0.0, 1.0, rng) * wild
        radii = [arm, 0.85 * arm, 0.6 * arm]
        hand = bench.chain(start, [upper, lower], [0.25, 0.23], radii, [shirt, sleeve], "shirt")
        bench.oval(Oval(hand, 0.75 * arm, 0.75 * arm), skin)
        if chance(0.2, rng):
            held = beyond(hand, bench.angles(uniform(-3, 3, rng)), uniform(0.15, 0.7, rng))
            bench.bar(hand, held, (0.025, uniform(0.01, 0.06, rng)), draw_look(rng), "held")

    limb_of_arm(-1.0)
    limb_of_leg(-1.0)
    limb_of_leg(1.0)
    if chance(0.25, rng):  # a skirt or a coat
        hem = [shifted(hips, s * wide * uniform(1.2, 2.2, rng), uniform(0.2, 0.5, rng)) for s in (1, -1)]
        bench.facet([shifted(hips, -wide, -0.05), shifted(hips, wide, -0.05), *hem], trousers, (0.2, 0.2))
    bench.bar(hips, shifted(neck, 0, 0.1), (wide * uniform(0.8, 1.1, rng), wide), shirt, "shirt")
    if chance(0.3, rng):
        bench.oval(Oval(shifted(neck, -wide, 0.2), 0.17, 0.1, boxy=True), draw_look(rng), "bag")
    _face(bench, neck, wide, skin)
    limb_of_arm(1.0)
    return bench.pieces


def _face(bench: Bench, neck: Place, wide: float, skin: Look) -> None:
    """Add neck, hair, face and, at times, a hat or helmet."""
    rng = bench.rng
    size = uniform(0.1, 0.14, rng)
    head = beyond(neck, bench.angles(-DOWN, 0.3), 0.14 + 0.3 * size)
    bench.bar(neck, head, (0.4 * wide, 0.35 * wide), skin, "head")
    hair = draw_look(rng, vary((0.3, 0.2, 0.12), rng, 0.1, uniform(0.2, 1.8, rng)))
    aside = uniform(-0.3, 0.3, rng) * size
    if chance(0.85, rng):
        low = uniform(-0.3, 0.5, rng) * size
        bench.oval(Oval(shifted(head, -aside, low), size * 1.15, size * 0.95), hair, "head")
    bench.oval(Oval(shifted(head, aside, 0.1 * size), size * 0.95, size * 0.75), skin, "head")
    if chance(0.3, rng):
        hat = draw_look(rng)
        bench.oval(
            Oval(shifted(head, 0, -0.55 * size), size * 0.6, size * uniform(0.8, 1.0, rng)), hat, "head"
        )
        if chance(0.5, rng):
            brim = shifted(head, -1.2 * size, -0.35 * size), shifted(head, 1.2 * size, -0.35 * size)
            bench.bar(*brim, (0.12 * size, 0.12 * size), hat, "head")


def rider(rng: torch.Generator) -> list[Piece]:
    """Draw an animal with a person on it, one picture of both."""
    return [*creature(rng), *(replace(piece, part="rider") for piece in person(rng))]


def bird(rng: torch.Generator) -> list[Piece]:
    """Draw a bird, or a fish: a body, wings or fins, and a tail."""
    bench = Bench(rng)
    coat, wing = draw_look(rng), draw_look(rng)
    wing = coat if chance(0.4, rng) else wing
    long, high = uniform(0.4, 0.65, rng), uniform(0.16, 0.35, rng)
    fish = chance(0.35, rng)
    tail, spread = still(-0.85 * long, 0.0), uniform(0.1, 0.35, rng)
    ends = [beyond(tail, bench.angles(math.pi + s * spread), uniform(0.25, 0.45, rng)) for s in (1, -1)]
    bench.facet([shifted(tail, 0.1, 0), *ends], wing, (0.1, 0.2), "tail")
    for _ in range(0 if fish else whole(0, 2, rng)):
        hip = still(uniform(-0.15, 0.15, rng), 0.7 * high)
        lengths, angles = [0.15, 0.2], [DOWN + uniform(-0.4, 0.4, rng), DOWN + uniform(-0.4, 0.4, rng)]
        bench.chain(hip, angles, lengths, [0.035, 0.02, 0.02], [Look((0.8, 0.5, 0.2), (0.3, 0.2, 0.1))] * 2)
    flap = uniform(-2.4, -0.7, rng)
    if chance(0.5, rng):
        tip = beyond(still(0, 0), bench.angles(flap), uniform(0.4, 0.9, rng))
        bench.facet([still(-0.2, 0), tip, still(0.15, 0)], wing, (0.3, -0.2), "wing")
    bench.oval(Oval(still(0, 0), high, long, bench.angles(0.0, 0.2)), coat)
    face = still(0.8 * long, 0.0)
    if not fish:
        face = beyond(face, bench.angles(-0.8, 0.5), uniform(0.05, 0.3, rng))
        bench.bar(still(0.6 * long, 0), face, (0.6 * high, 0.4 * high), coat, "head")
        cap = coat if chance(0.5, rng) else draw_look(rng)
        bench.oval(Oval(face, 0.5 * high, 0.55 * high), cap, "head")
        beak = beyond(face, bench.angles(0.1, 0.3), uniform(0.6, 1.3, rng) * high)
        bench.bar(face, beak, (0.22 * high, 0.02), Look((0.85, 0.55, 0.15), (0.3, 0.2, 0.1)), "head")
    bench.oval(
        Oval(shifted(face, 0, -0.1 * high), 0.1 * high, 0.1 * high), Look((0.03,) * 3, (0.1,) * 3, gloss=0.9)
    )
    if chance(0.6, rng):
        bench.oval(Oval(still(-0.1, 0.02), 0.6 * high, 0.5 * long, bench.angles(-0.3)), wing, "wing")
    return bench.pieces


def plant(rng: torch.Generator) -> list[Piece]:
    """Draw a plant in a pot, a flower or a tree."""
    bench = Bench(rng)
    leaf = draw_look(rng, vary((0.25, 0.4, 0.15), rng, 0.12, uniform(0.5, 1.6, rng)))
    bloom, foot = draw_look(rng), still(0.0, 0.5)
    n_leaves, size = whole(3, 12, rng), uniform(0.15, 0.4, rng)
    stem = replace(leaf, first=vary((0.35, 0.27, 0.15), rng, 0.1), grain=0.3)
    thick = uniform(0.015, 0.09, rng)
    for i in range(n_leaves):
        angle = -DOWN + uniform(-1.3, 1.3, rng)
        end = beyond(
            shifted(foot, 0, -uniform(0.1, 0.5, rng)), bench.angles(angle, 0.4), uniform(0.3, 0.7, rng)
        )
        bench.bar(foot, end, (thick, 0.4 * thick + 0.005), stem)
        turns = angle, angle + 0.3 * bench.swing
        shade = replace(leaf, first=vary(leaf.first, rng, 0.04, uniform(0.7, 1.2, rng)))
        flower = i % 3 == 0 and chance(0.5, rng)
        bench.oval(
            Oval(end, size * uniform(0.3, 0.9, rng), size, turns, flat=0.3), bloom if flower else shade
        )
    if chance(0.6, rng):
        pot, wide = draw_look(rng), uniform(0.15, 0.35, rng)
        low = [still(0.7 * wide, 0.95), still(-0.7 * wide, 0.95)]
        bench.facet([still(-wide, 0.45), still(wide, 0.45), *low], pot, (0.1, 0.3), "pot")
        bench.bar(still(-wide, 0.45), still(wide, 0.45), (0.05, 0.05), pot, "pot")
    return bench.pieces


def fruit(rng: torch.Generator) -> list[Piece]:
    """Draw a fruit, a mushroom or a bunch of them."""
    bench = Bench(rng)
    skin = replace(draw_look(rng), gloss=uniform(0.1, 0.9, rng))
    n = 1 if chance(0.6, rng) else whole(3, 9, rng)
    for _ in range(n):
        away = 0.0 if n == 1 else 0.45
        place = still(uniform(-away, away, rng), uniform(-away, away, rng))
        radius = uniform(0.6, 0.9, rng) if n == 1 else uniform(0.2, 0.35, rng)
        one = replace(skin, first=vary(skin.first, rng, 0.05))
        bench.oval(
            Oval(place, radius, radius * uniform(0.6, 1.2, rng), bench.angles(uniform(0, 3, rng))), one
        )
    if chance(0.6, rng):
        top = still(0.0, -0.55)
        tip = beyond(top, bench.angles(-DOWN + uniform(-0.6, 0.6, rng)), uniform(0.2, 0.4, rng))
        bench.bar(top, tip, (0.05, 0.03), Look((0.3, 0.2, 0.1), (0.2, 0.3, 0.1)))
        if chance(0.5, rng):
            green = draw_look(rng, vary((0.2, 0.45, 0.15), rng))
            bench.oval(Oval(shifted(tip, 0.15, 0), 0.1, 0.2, bench.angles(0.4)), green, "leaf")
    return bench.pieces


def assembly(rng: torch.Generator) -> list[Piece]:
    """Draw a thing that is nothing known: bars, ovals and facets that hang together."""
    bench = Bench(rng)
    looks = [draw_look(rng) for _ in range(whole(1, 4, rng))]
    places: list[Place] = [still(0.0, 0.0)]
    for number in range(whole(3, 14, rng)):
        look, base = looks[whole(0, len(looks) - 1, rng)], places[whole(0, len(places) - 1, rng)]
        size, angle = uniform(0.06, 0.4, rng) * (1.3 if number == 0 else 1.0), uniform(-math.pi, math.pi, rng)
        end, part = beyond(base, bench.angles(angle), uniform(0.15, 0.6, rng)), f"part {number}"
        if max(abs(end[0]), abs(end[1])) > 0.95:
            continue
        kind = uniform(0, 1, rng)
        if kind < 0.45:
            bench.bar(base, end, (0.5 * size, size * uniform(0.1, 0.7, rng)), look, part)
        elif kind < 0.75:
            turns, rim = bench.angles(angle), uniform(0.2, 0.6, rng) if chance(0.15, rng) else 0.0
            bench.oval(
                Oval(base, size, size * uniform(0.5, 1.5, rng), turns, chance(0.3, rng), rim), look, part
            )
        else:
            spin = [angle + s * uniform(0.3, 1.2, rng) for s in (-1, 1)]
            corners = [base, *(beyond(base, (s, s), size * uniform(1, 2, rng)) for s in spin)]
            bench.facet(corners, look, (uniform(-0.6, 0.6, rng), uniform(-0.6, 0.6, rng)), part)
        places.append(end)
    if not bench.pieces:
        bench.oval(Oval(still(0, 0), 0.5, 0.5), Look(draw_colour(rng), draw_colour(rng)))
    return bench.pieces
