"""Who is drawn and how they hold themselves: everything that is decided before a pixel is painted.

Lengths are in heads (crown to chin = 1); the head's centre at rest is the origin, x right, y down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paddle_portrait.data.synthesis.colours import any_colour, cloth_colour, hair_colour, rgb, skin_tone

HAIR_STYLES = {
    "bald": 4, "buzz": 6, "short": 18, "side_part": 14, "swept": 8, "curly_short": 8, "afro": 4, "bob": 9,
    "long": 20, "wavy": 14, "curly_long": 7, "ponytail": 6, "bun": 6, "pigtails": 2, "headscarf": 3,
}  # fmt: skip
GARMENTS = {
    "tshirt": 26, "vneck": 10, "scoop": 7, "tank": 7, "strapless": 4, "shirt": 16, "suit": 11, "hoodie": 9,
    "turtleneck": 5, "jacket": 10,
}  # fmt: skip
PATTERNS = {
    "plain": 34, "heather": 10, "stripes_h": 10, "stripes_v": 6, "plaid": 8, "dots": 5, "print": 12, "leaves": 7,
    "knit": 5, "gradient": 3,
}  # fmt: skip
HATS = {"none": 84, "cap": 5, "beanie": 5, "brim": 3, "hood": 3}
GLASSES = {"none": 74, "clear": 15, "dark": 11}
BEARDS = {"none": 55, "stubble": 14, "short": 12, "full": 9, "moustache": 5, "goatee": 5}
ARMS = {"down": 62, "selfie": 8, "wave": 6, "chin": 6, "behind_head": 4, "phone": 4, "mug": 4, "folded": 3, "hip": 3}


def choose(rng: np.random.Generator, weights: dict[str, int]) -> str:
    """Draw a key with probability proportional to its weight."""
    names = list(weights)
    values = np.array(list(weights.values()), np.float64)
    return names[rng.choice(len(names), p=values / values.sum())]


@dataclass(frozen=True)
class Face:
    """Shape and colour of a head: lengths in heads, colours in [0, 1]."""

    skin: np.ndarray
    width: float
    jaw: float
    chin: float
    depth: float
    nose: float
    nose_width: float
    mouth_width: float
    lips: float
    lip_colour: np.ndarray
    eye_size: float
    eye_gap: float
    iris: np.ndarray
    brow_height: float
    brow_thickness: float
    brow_tilt: float
    freckles: float
    blush: float
    makeup: float
    age: float


@dataclass(frozen=True)
class Hair:
    """Hair style with its measures; ``volume`` is how far it stands off the skull."""

    style: str
    colour: np.ndarray
    streaks: np.ndarray
    volume: float
    length: float
    part: float
    fringe: float
    hairline: float
    curl: float
    mess: float
    in_front: tuple[bool, bool]
    beard: str
    beard_colour: np.ndarray


@dataclass(frozen=True)
class Outfit:
    """Clothes: a garment with its pattern, what is under it, and what is worn on the head."""

    garment: str
    pattern: str
    colours: np.ndarray
    under: np.ndarray
    under_pattern: str
    accent: np.ndarray
    sleeve: float
    roughness: float
    pattern_size: float
    scarf: bool
    tie: bool
    hat: str
    hat_colour: np.ndarray
    glasses: str
    frame_colour: np.ndarray
    glasses_round: float
    headphones: bool
    earrings: bool
    necklace: bool
    strap: bool


@dataclass(frozen=True)
class Person:
    """A person's looks. The same ``seed`` gives the same strands, folds and freckles in every frame of a video."""

    face: Face
    hair: Hair
    outfit: Outfit
    shoulders: float
    neck_width: float
    neck_length: float
    slope: float
    bulk: float
    seed: int


@dataclass(frozen=True)
class Pose:
    """How a person holds themselves, in radians, heads and shares of one."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    lean: float = 0.0
    turn: float = 0.0
    smile: float = 0.2
    mouth_open: float = 0.0
    eyes_open: float = 1.0
    gaze: float = 0.0
    brow_raise: float = 0.0
    arms: tuple[str, str] = ("down", "down")
    arm_swing: tuple[float, float] = (0.0, 0.0)
    hand_spread: tuple[float, float] = (0.5, 0.5)


def _sample_face(rng: np.random.Generator, feminine: float) -> Face:
    skin = skin_tone(rng)
    makeup = max(0.0, rng.normal(0.35, 0.35)) * feminine
    natural = skin * np.array([0.92, 0.66, 0.66])
    painted = rgb(rng.normal(0.97, 0.03), rng.uniform(0.5, 0.85), rng.uniform(0.5, 0.85))
    iris = (rgb(0.07, 0.6, rng.uniform(0.12, 0.4)), rgb(0.57, 0.4, 0.6), rgb(0.28, 0.3, 0.45))[
        rng.choice(3, p=[0.72, 0.18, 0.1])
    ]
    return Face(
        skin=skin,
        width=rng.normal(0.365, 0.018),
        jaw=rng.normal(0.1 - 0.2 * feminine, 0.35),
        chin=rng.normal(0.0, 0.4),
        depth=rng.normal(0.42, 0.02),
        nose=rng.normal(1.0, 0.18),
        nose_width=rng.normal(1.0, 0.15),
        mouth_width=rng.normal(0.125, 0.012),
        lips=rng.normal(1.0 + 0.25 * feminine, 0.22),
        lip_colour=(natural + min(makeup, 0.9) * (painted - natural)).astype(np.float32),
        eye_size=rng.normal(1.0 + 0.08 * feminine, 0.1),
        eye_gap=rng.normal(0.155, 0.008),
        iris=iris,
        brow_height=rng.normal(0.085, 0.012),
        brow_thickness=abs(rng.normal(1.15 - 0.4 * feminine, 0.25)) + 0.2,
        brow_tilt=rng.normal(0.0, 0.12),
        freckles=max(0.0, rng.normal(-0.8, 0.6)),
        blush=abs(rng.normal(0.3, 0.25)),
        makeup=makeup,
        age=rng.beta(1.3, 2.5),
    )


def _sample_hair(rng: np.random.Generator, feminine: float, skin: np.ndarray) -> Hair:
    weights = dict(HAIR_STYLES)
    for style in ("bob", "long", "wavy", "curly_long", "ponytail", "bun", "pigtails", "headscarf"):
        weights[style] = round(weights[style] * (0.12 + 1.8 * feminine) * 10)
    for style in ("bald", "buzz", "short", "side_part", "swept", "curly_short"):
        weights[style] = round(weights[style] * (1.9 - 1.7 * feminine) * 10)
    weights["afro"] *= 10
    colour = hair_colour(rng)
    # The darker the skin, the likelier dark hair; it stays a tendency, as hair is dyed and turns grey.
    if rng.random() < np.clip(1.9 - 2.6 * skin.mean(), 0, 0.92):
        colour = np.clip(colour * 0.3, 0.03, 0.25).astype(np.float32)
    beard = choose(rng, BEARDS) if feminine < 0.5 else "none"
    return Hair(
        style=choose(rng, weights),
        colour=colour,
        streaks=np.clip(colour * rng.uniform(0.9, 1.7) + rng.normal(0, 0.02, 3), 0, 1).astype(np.float32),
        volume=abs(rng.normal(0.05, 0.045)) + 0.015,
        length=rng.uniform(0.55, 1.9),
        part=float(np.clip(rng.normal(0, 0.14), -0.26, 0.26)),
        fringe=float(rng.choice([0.0, rng.uniform(0.3, 1.0)], p=[0.68, 0.32])),
        hairline=rng.normal(0.0, 0.025) - 0.06 * (1 - feminine) * (rng.random() < 0.18),
        curl=abs(rng.normal(0, 0.025)),
        mess=rng.beta(1.4, 3),
        in_front=(bool(rng.random() < 0.55), bool(rng.random() < 0.55)),
        beard=beard,
        beard_colour=np.clip(colour * rng.uniform(0.7, 1.1) * [1.08, 1.0, 0.95], 0.02, 1).astype(np.float32),
    )


def _sample_outfit(rng: np.random.Generator, feminine: float) -> Outfit:
    weights = dict(GARMENTS)
    for garment in ("tank", "strapless", "scoop"):
        weights[garment] = round(weights[garment] * (0.3 + 1.4 * feminine) * 10)
    for garment in ("tshirt", "vneck", "shirt", "suit", "hoodie", "turtleneck", "jacket"):
        weights[garment] *= 10
    garment = choose(rng, weights)
    pattern = choose(rng, PATTERNS)
    if garment == "suit" and pattern not in ("plain", "heather", "stripes_v"):
        pattern = "plain"
    sleeve = {"tank": 0.0, "strapless": 0.0, "scoop": 0.35, "tshirt": 0.4, "vneck": 0.6}.get(garment, 1.0)
    return Outfit(
        garment=garment,
        pattern=pattern,
        colours=np.clip([cloth_colour(rng), cloth_colour(rng), any_colour(rng)], 0, 1).astype(np.float32),
        under=np.clip(cloth_colour(rng), 0, 1),
        under_pattern=choose(rng, {"plain": 5, "stripes_v": 1, "plaid": 1, "heather": 1}),
        accent=np.clip(cloth_colour(rng), 0, 1),
        sleeve=1.0 if sleeve and rng.random() < 0.25 else sleeve,
        roughness=rng.uniform(0.1, 1.0),
        pattern_size=float(np.exp(rng.normal(0, 0.45))),
        scarf=bool(rng.random() < 0.06),
        tie=bool(rng.random() < 0.5),
        hat=choose(rng, HATS),
        hat_colour=np.clip(cloth_colour(rng), 0, 1),
        glasses=choose(rng, GLASSES),
        frame_colour=np.clip(any_colour(rng) * rng.choice([0.15, 0.4, 1.0]), 0, 1).astype(np.float32),
        glasses_round=rng.uniform(0, 1),
        headphones=bool(rng.random() < 0.05),
        earrings=bool(rng.random() < 0.35 * feminine),
        necklace=bool(rng.random() < 0.2 * feminine),
        strap=bool(rng.random() < 0.06),
    )


def sample_person(rng: np.random.Generator) -> Person:
    """Return a random person."""
    feminine = float(np.clip(rng.choice([0.12, 0.88]) + rng.normal(0, 0.15), 0, 1))
    face = _sample_face(rng, feminine)
    return Person(
        face=face,
        hair=_sample_hair(rng, feminine, face.skin),
        outfit=_sample_outfit(rng, feminine),
        shoulders=rng.normal(1.06 - 0.14 * feminine, 0.07),
        neck_width=rng.normal(0.245 - 0.045 * feminine, 0.02),
        neck_length=rng.normal(0.0, 0.04),
        slope=rng.normal(0.11, 0.045),
        bulk=abs(rng.normal(0.0, 0.18)),
        seed=int(rng.integers(2**31)),
    )


def sample_pose(rng: np.random.Generator) -> Pose:
    """Return a random pose: facing the camera mostly."""
    arms = (choose(rng, ARMS), choose(rng, ARMS))
    if arms[0] != "down" and rng.random() < 0.7:
        arms = (arms[0], "down")
    return Pose(
        yaw=float(np.clip(rng.normal(0, 0.33), -0.85, 0.85)),
        pitch=float(np.clip(rng.normal(0, 0.16), -0.4, 0.4)),
        roll=float(np.clip(rng.normal(0, 0.11), -0.35, 0.35)),
        lean=float(np.clip(rng.normal(0, 0.08), -0.3, 0.3)),
        turn=float(np.clip(rng.normal(0, 0.35), -0.9, 0.9)),
        smile=float(np.clip(rng.normal(0.35, 0.4), -0.3, 1.0)),
        mouth_open=float(max(0.0, rng.normal(-0.1, 0.35))),
        eyes_open=float(np.clip(rng.normal(0.95, 0.15), 0.0, 1.25)),
        gaze=float(rng.normal(0, 0.25)),
        brow_raise=float(rng.normal(0, 0.4)),
        arms=arms,
        arm_swing=(float(rng.normal(0, 0.12)), float(rng.normal(0, 0.12))),
        hand_spread=(float(rng.uniform(0, 1)), float(rng.uniform(0, 1))),
    )
