"""The people of the data set `synth`: an articulated body in an outfit, as shapes on bones.

A bone is a similarity (origin, axis, scale) from body coordinates to pixels. Every shape is a fixed set of
points of one bone, so that where a pixel's content is at another time is known exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

BONES = 10  # torso, head, then upper and lower arm and leg of both sides
TORSO, HEAD, ARM_L, FOREARM_L, ARM_R, FOREARM_R, THIGH_L, SHIN_L, THIGH_R, SHIN_R = range(BONES)

HAT, HAIR, GLOVES, GLASSES, UPPER, DRESS, COAT, SOCKS, PANTS, SKIN = range(1, 11)
SCARF, SKIRT, FACE, ARM_LEFT, ARM_RIGHT, LEG_LEFT, LEG_RIGHT, SHOE_LEFT, SHOE_RIGHT = range(11, 20)

# Typical colours of a class, RGB; a person's own is one of them with a jitter of up to 24 a channel.
PALETTE: dict[int, tuple[tuple[int, int, int], ...]] = {
    HAT: ((190, 40, 50), (215, 170, 40)),
    HAIR: ((60, 38, 25), (30, 28, 30), (150, 110, 50)),
    GLOVES: ((120, 40, 140), (90, 30, 110)),
    GLASSES: ((15, 15, 20),),
    UPPER: ((40, 90, 190), (60, 150, 80), (225, 225, 220)),
    DRESS: ((215, 70, 140), (230, 110, 100)),
    COAT: ((110, 85, 60), (85, 90, 70)),
    SOCKS: ((235, 235, 235), (240, 210, 90)),
    PANTS: ((45, 55, 95), (70, 70, 75)),
    SKIRT: ((40, 150, 160), (150, 60, 90)),
    SCARF: ((235, 130, 30), (210, 60, 30)),
    SHOE_LEFT: ((70, 30, 25), (25, 25, 30), (170, 60, 50)),
}
SKIN_TONES = ((235, 190, 160), (205, 150, 115), (150, 100, 70))
SKINS = (SKIN, FACE, ARM_LEFT, ARM_RIGHT, LEG_LEFT, LEG_RIGHT)


@dataclass(frozen=True)
class Shape:
    """A capsule of class `category` on a bone: from (u0, v0) to (u1, v1), its radius from r0 to r1.

    Body coordinates in units of the person's height; u along the bone, v across it.
    """

    bone: int
    category: int
    u0: float
    v0: float
    u1: float
    v1: float
    r0: float
    r1: float


@dataclass(frozen=True)
class Person:
    """height in pixels; path (x, y, dx, dy) of the pelvis in world pixels; gait (phase, frequency, stride);
    sway: how far the arms are raised; colours: RGB by class; stripes: (frequency, depth) by class."""

    height: float
    path: tuple[float, float, float, float]
    gait: tuple[float, float, float]
    sway: tuple[float, float]
    shapes: tuple[Shape, ...]
    colours: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    stripes: np.ndarray[tuple[int, ...], np.dtype[np.float64]]


Bone = tuple[float, float, float, float]  # x, y, cos, sin; the scale is the person's


def pose(person: Person, t: float) -> list[Bone]:
    """Where the bones are at time t (frames), in world pixels."""
    x, y, dx, dy = person.path
    phase, frequency, stride = person.gait
    h = person.height
    swing = stride * _sin(phase + frequency * t)
    bob = 0.01 * _sin(2 * (phase + frequency * t))
    pelvis = (x + dx * t, y + dy * t + bob * h)
    lean = 0.06 * _sin(phase + 0.5 * frequency * t)
    bones: list[Bone] = [_bone(pelvis, math.pi / 2 + lean)] * BONES
    bones[TORSO] = _bone(pelvis, -math.pi / 2 + lean)
    neck = _along(bones[TORSO], 0.31 * h, 0.0)
    bones[HEAD] = _bone(neck, -math.pi / 2 + 1.5 * lean)
    for side, arm, forearm, thigh, shin in (
        (1.0, ARM_L, FOREARM_L, THIGH_L, SHIN_L),
        (-1.0, ARM_R, FOREARM_R, THIGH_R, SHIN_R),
    ):
        raised = person.sway[0 if side > 0 else 1] * (1 + 0.35 * _sin(1.7 * frequency * t + phase + side))
        shoulder = _along(bones[TORSO], 0.275 * h, side * 0.115 * h)
        bones[arm] = _bone(shoulder, math.pi / 2 - side * (0.28 + raised) + 0.3 * side * swing)
        elbow = _along(bones[arm], 0.15 * h, 0.0)
        bones[forearm] = _bone(elbow, math.pi / 2 - side * (0.12 + 1.7 * raised) + 0.5 * side * swing)
        hip = _along(bones[TORSO], -0.01 * h, side * 0.06 * h)
        step = side * swing
        bones[thigh] = _bone(hip, math.pi / 2 - side * 0.08 - 0.45 * step)
        knee = _along(bones[thigh], 0.21 * h, 0.0)
        bend = 0.35 * abs(swing) if step < 0 else 0.0
        bones[shin] = _bone(knee, math.pi / 2 - side * 0.04 - 0.3 * step + bend)
    return bones


def _sin(angle: float) -> float:
    # Rounded, since the last bits of sin differ between C libraries.
    return round(math.sin(angle), 9)


def _bone(origin: tuple[float, float], angle: float) -> Bone:
    return (*origin, round(math.cos(angle), 9), round(math.sin(angle), 9))


def _along(bone: Bone, u: float, v: float) -> tuple[float, float]:
    """The point (u, v) pixels along and across a bone; +v is the image's right of an upward bone."""
    x, y, c, s = bone
    return x + u * c - v * s, y + u * s + v * c


def dress(rng: np.random.Generator) -> tuple[Shape, ...]:
    """A random outfit: the shapes of a person in painter's order."""
    top = ("upper", "upper", "dress", "coat")[rng.integers(4)]
    bottom = ("pants", "shorts", "skirt")[rng.integers(3)]
    shapes = [Shape(HEAD, HAIR, 0.02, 0, 0.12, 0, 0.075, 0.1)] if rng.random() < 0.5 else []
    shapes += _legs(rng, top, bottom)
    shapes += _torso(rng, top, bottom)
    shapes += _arms(rng, top)
    return (*shapes, *_head(rng))


def _sides() -> tuple[tuple[int, int, int, int, int, int, int], ...]:
    return (
        (ARM_L, FOREARM_L, THIGH_L, SHIN_L, ARM_LEFT, LEG_LEFT, SHOE_LEFT),
        (ARM_R, FOREARM_R, THIGH_R, SHIN_R, ARM_RIGHT, LEG_RIGHT, SHOE_RIGHT),
    )


def _legs(rng: np.random.Generator, top: str, bottom: str) -> list[Shape]:
    shapes: list[Shape] = []
    socks, long = rng.random() < 0.5, rng.random() < 0.4
    for _, _, thigh, shin, _, leg, shoe in _sides():
        shapes.append(Shape(thigh, leg, 0, 0, 0.21, 0, 0.052, 0.045))
        shapes.append(Shape(shin, leg, 0, 0, 0.19, 0, 0.045, 0.036))
        if bottom != "skirt" and top != "dress":
            shapes.append(Shape(thigh, PANTS, 0, 0, 0.21 if long else 0.16, 0, 0.06, 0.056))
            if long:
                shapes.append(Shape(shin, PANTS, 0, 0, 0.06, 0, 0.056, 0.052))
        if socks:
            shapes.append(Shape(shin, SOCKS, 0.13, 0, 0.18, 0, 0.042, 0.042))
        side = 1 if shoe == SHOE_LEFT else -1
        shapes.append(Shape(shin, shoe, 0.205, 0, 0.215, -side * 0.035, 0.04, 0.036))
    return shapes


def _torso(rng: np.random.Generator, top: str, bottom: str) -> list[Shape]:
    shapes = [
        Shape(TORSO, SKIN, 0.0, 0, 0.27, 0, 0.085, 0.095),
        Shape(TORSO, SKIN, 0.25, 0, 0.34, 0, 0.05, 0.045),
    ]
    if top == "dress":
        shapes += [
            Shape(TORSO, DRESS, 0.23, 0, -0.12, 0, 0.085, 0.15),
            Shape(TORSO, DRESS, 0.2, 0, 0.0, 0, 0.1, 0.11),
        ]
    else:
        if bottom == "skirt":
            shapes.append(Shape(TORSO, SKIRT, 0.03, 0, -0.1, 0, 0.09, 0.145))
        else:
            shapes.append(Shape(TORSO, PANTS, 0.03, 0, -0.02, 0, 0.085, 0.09))
        low = 0.12 if rng.random() < 0.4 else 0.05  # a short top shows the belly
        shapes.append(Shape(TORSO, UPPER, low, 0, 0.215, 0, 0.09, 0.105))
    if top == "coat":
        for v in (0.075, -0.075):
            shapes.append(Shape(TORSO, COAT, -0.1, v * 1.15, 0.22, v, 0.055, 0.065))
    shapes.append(Shape(TORSO, SKIN, 0.25, 0, 0.31, 0, 0.036, 0.05))  # the neckline
    if rng.random() < 0.4:
        shapes.append(Shape(TORSO, SCARF, 0.285, -0.05, 0.285, 0.05, 0.034, 0.034))
        shapes.append(Shape(TORSO, SCARF, 0.27, 0.035, 0.15, 0.045, 0.03, 0.028))
    return shapes


def _arms(rng: np.random.Generator, top: str) -> list[Shape]:
    sleeve = {"upper": UPPER, "coat": COAT, "dress": DRESS}[top]
    gloves = rng.random() < 0.45
    shapes: list[Shape] = []
    for arm, forearm, _, _, skin, _, _ in _sides():
        shapes.append(Shape(arm, skin, 0, 0, 0.15, 0, 0.042, 0.038))
        shapes.append(Shape(forearm, skin, 0, 0, 0.14, 0, 0.038, 0.036))
        shapes.append(Shape(arm, sleeve, 0, 0, 0.13 if top == "coat" else 0.07, 0, 0.05, 0.048))
        if gloves:
            shapes.append(Shape(forearm, GLOVES, 0.125, 0, 0.155, 0, 0.043, 0.046))
    return shapes


def _head(rng: np.random.Generator) -> list[Shape]:
    shapes = [Shape(HEAD, FACE, 0.09, 0, 0.125, 0, 0.084, 0.09)]
    hat = rng.random() < 0.45
    shapes.append(Shape(HEAD, HAIR, 0.165, -0.03, 0.165, 0.03, 0.056, 0.056))
    shapes += [Shape(HEAD, HAIR, 0.1, v, 0.16, v, 0.022, 0.034) for v in (-0.078, 0.078)]
    if rng.random() < 0.45:
        shapes.append(Shape(HEAD, GLASSES, 0.115, -0.05, 0.115, 0.05, 0.026, 0.026))
    if hat:
        shapes.append(Shape(HEAD, HAT, 0.195, -0.05, 0.195, 0.05, 0.05, 0.05))
        shapes.append(Shape(HEAD, HAT, 0.165, -0.1, 0.165, 0.1, 0.02, 0.02))
    return shapes


def colours(rng: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """RGB of each class for one person, float64 [20, 3]."""
    table = np.zeros((20, 3))
    for category, options in PALETTE.items():
        table[category] = options[rng.integers(len(options))] + (rng.random(3) - 0.5) * 48
    table[list(SKINS)] = SKIN_TONES[rng.integers(len(SKIN_TONES))] + (rng.random(3) - 0.5) * 20
    # Left and right limbs differ a little in light, as under a lamp at the side.
    table[[ARM_RIGHT, LEG_RIGHT]] *= 0.88
    table[SHOE_RIGHT] = table[SHOE_LEFT] * 0.88
    return table.clip(0, 255)


def person(rng: np.random.Generator, height: float, path: tuple[float, float, float, float]) -> Person:
    """A random person of a given height (pixels) and path."""
    return Person(
        height=height,
        path=path,
        gait=(6.28 * float(rng.random()), 0.35 + 0.3 * float(rng.random()), 0.6 + 0.5 * float(rng.random())),
        sway=(float(rng.random()) * 0.75, float(rng.random()) * 0.75),
        shapes=dress(rng),
        colours=colours(rng),
        stripes=np.stack([rng.integers(10, 40, 20) * 1.0, rng.random(20) * 0.16], 1),
    )
