"""One person on a canvas: the parts in the order in which they hide each other."""

from __future__ import annotations

from paddle_portrait.data.synthesis.arms import draw_arm, is_in_front
from paddle_portrait.data.synthesis.body import Body, draw_legs, draw_neck, draw_torso
from paddle_portrait.data.synthesis.canvas import Canvas, Frame
from paddle_portrait.data.synthesis.collar import draw_collar
from paddle_portrait.data.synthesis.hair import draw_hair_back, draw_hair_front
from paddle_portrait.data.synthesis.head import draw_ears, draw_head
from paddle_portrait.data.synthesis.light import Light
from paddle_portrait.data.synthesis.person import Person, Pose
from paddle_portrait.data.synthesis.worn import draw_earrings, draw_glasses, draw_hat, draw_headphones, draw_hood


def head_frame(frame: Frame, person: Person, pose: Pose) -> Frame:
    """Return the frame of the head, which tilts about the neck of the body in ``frame``."""
    pivot = frame.child((0.1 * pose.turn * 0.3, 0.5), pose.roll)
    return pivot.child((0.05 * pose.yaw, -0.5 + 0.03 * pose.pitch), 0.0)


def draw_person(canvas: Canvas, frame: Frame, person: Person, pose: Pose, light: Light) -> None:
    """Paint a person.

    Args:
        canvas: where to; its alpha grows by the person.
        frame: of the body: heads, origin at the head's centre at rest.
        person: looks.
        pose: posture.
        light: the scene's light.
    """
    head = head_frame(frame, person, pose)
    body = Body(person, pose)
    hooded = person.outfit.hat == "hood" or person.hair.style == "headscarf"
    if hooded:
        draw_hood(canvas, head, person, pose, light, front=False)
    else:
        draw_hair_back(canvas, head, person, pose, light)
    for index in (0, 1):
        if not is_in_front(pose.arms[index]):
            draw_arm(canvas, frame, person, body, pose, index, light)
    bottom = (canvas.shape[0] - frame.origin[1]) / frame.scale
    if bottom > body.neck_y + 2.6:
        draw_legs(canvas, frame, person, body, light)
    draw_torso(canvas, frame, person, body, light)
    draw_neck(canvas, frame, head, person, body, light)
    draw_collar(canvas, frame, person, body, light)
    draw_ears(canvas, head, person, pose, light, near=False)
    draw_head(canvas, head, person, pose, light)
    draw_ears(canvas, head, person, pose, light, near=True)
    _draw_worn(canvas, head, person, pose, light, hooded)
    for index in (0, 1):
        if is_in_front(pose.arms[index]):
            draw_arm(canvas, frame, person, body, pose, index, light)


def _draw_worn(canvas: Canvas, head: Frame, person: Person, pose: Pose, light: Light, hooded: bool) -> None:
    outfit = person.outfit
    if outfit.glasses != "none":
        draw_glasses(canvas, head, person, pose, light)
    if outfit.earrings and not hooded:
        draw_earrings(canvas, head, person, pose, light)
    draw_hair_front(canvas, head, person, pose, light)
    if hooded:
        draw_hood(canvas, head, person, pose, light, front=True)
        return
    draw_hat(canvas, head, person, pose, light)
    if outfit.headphones:
        draw_headphones(canvas, head, person, pose, light)
