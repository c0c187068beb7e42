"""``/api/remove`` with the fields of rembg's server, so that its clients need another address and nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

import cv2
import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from paddle_portrait import zoo
from paddle_portrait.effects import build_effect, build_refiner, to_alpha
from paddle_portrait.errors import describe_unknown
from paddle_portrait.serving.answers import Answer, encode_mask, encode_picture
from paddle_portrait.serving.body import announced_size, receive
from paddle_portrait.serving.engine import Engine, Work
from paddle_portrait.serving.errors import Refusal
from paddle_portrait.serving.fetching import fetch_picture
from paddle_portrait.serving.options import parameters_of, parse
from paddle_portrait.serving.segment import FAILURES, FORM_BODY, picture_response

router = APIRouter(prefix="/api", tags=["rembg"])

OWN = ""  # the server's own model
_GENERAL, _QUICK = "mobile", "tiny"
# Which of our networks stands for which of rembg's. Its general ones, among them its default, are ours in general; its
# small ones our quickest; its human ones our best on people.
_MODELS = {
    **dict.fromkeys(("bria-rmbg", "u2net", "isnet-general-use", "ben2-base", "withoutbg"), OWN),
    **{f"birefnet-{name}": OWN for name in ("general", "general-lite", "dis", "hrsod", "cod", "massive")},
    **dict.fromkeys(("u2netp", "silueta"), _QUICK),
    **dict.fromkeys(("u2net_human_seg", "birefnet-portrait"), _GENERAL),
}
_OTHER_WORK = ("u2net_cloth_seg", "isnet-anime", "sam", "u2net_custom", "dis_custom", "ben_custom")


class RemoveOptions(BaseModel):
    """rembg's fields, with its names and defaults."""

    model_config = ConfigDict(frozen=True)

    model: str = Field("bria-rmbg", description="one of rembg's models, which means one of ours, or a name of our zoo")
    a: bool = Field(False, description="alpha matting: draw the edge along the photo's own edges")
    af: int = Field(240, ge=0, le=255, description="alpha matting: surely person above this")
    ab: int = Field(10, ge=0, le=255, description="alpha matting: surely background below this")
    ae: int = Field(10, ge=0, description="alpha matting: pixels by which what is sure is narrowed")
    om: bool = Field(False, description="only the mask")
    ppm: bool = Field(False, description="post-process the mask: smooth its outline, no half transparency")
    dc: bool = Field(False, description="decontaminate: take the old background's colour out of the edge")
    vm: bool = Field(False, description="ViTMatte: here the same as alpha matting")
    bgc: tuple[int, int, int, int] | None = Field(None, description="colour behind the person: R,G,B,A")
    extras: str | None = Field(None, description="JSON for rembg's other models; nothing in it is used here")

    @field_validator("bgc", mode="before")
    @classmethod
    def _read_colour(cls, text: Any) -> Any:
        if text in (None, ""):
            return None
        numbers = (
            [int(part) for part in str(text).split(",")] if re.fullmatch(r"\s*\d+(\s*,\s*\d+){3}\s*", text) else []
        )
        if len(numbers) != 4 or max(numbers) > 255:
            raise ValueError("must be R,G,B,A, each from 0 to 255")
        return tuple(numbers)

    @field_validator("extras")
    @classmethod
    def _check_extras(cls, text: str | None) -> str | None:
        if text:
            try:
                json.loads(text)
            except (ValueError, RecursionError):
                raise ValueError("must be JSON") from None
        return text

    def model_name(self) -> str:
        """Return the name of our network.

        Raises:
            Refusal: 422, there is none for it.
        """
        if self.model in _MODELS:
            return _MODELS[self.model]
        if self.model in zoo.NAMES:
            return self.model
        if self.model in _OTHER_WORK:
            raise Refusal(422, "unknown_model", f"'{self.model}' does other work than finding people; none here does.")
        raise Refusal(422, "unknown_model", describe_unknown("model", self.model, [*_MODELS, *zoo.NAMES]))


class UrlOptions(RemoveOptions):
    """rembg's fields, and the address of the picture."""

    url: str = Field(description="address of the picture; refused unless the server was started with --fetch")


_PNG = {200: {"content": {"image/png": {}}}, **FAILURES}


@router.post(
    "/remove",
    summary="Remove the background of a picture that is sent",
    response_class=Response,
    responses=_PNG,
    openapi_extra={
        "parameters": parameters_of(RemoveOptions),
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM_BODY}}},
    },
)
async def remove_sent(request: Request) -> Response:
    """The fields may be those of the form, as rembg has them, or of the query."""
    engine: Engine = request.app.state.engine
    settings = engine.settings
    slot = engine.admission.take(announced_size(request, settings.max_body))
    try:
        upload = await receive(request, settings.max_body, settings.body_timeout_s)
        options = parse(RemoveOptions, upload.fields)
        model = await engine.model(options.model_name())
        finish = _finisher(options)
        return picture_response(await engine.run(slot, model, upload.picture, finish))
    finally:
        slot.release()


@router.get(
    "/remove",
    summary="Remove the background of a picture that is fetched",
    response_class=Response,
    responses={403: {"description": "the server fetches nothing"}, **_PNG},
    openapi_extra={"parameters": parameters_of(UrlOptions)},
)
async def remove_fetched(request: Request) -> Response:
    """Only where the operator has switched fetching on; private addresses are refused unless he allowed any."""
    engine: Engine = request.app.state.engine
    settings = engine.settings
    texts: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        texts.setdefault(name, []).append(value)
    options = parse(UrlOptions, texts)
    name = options.model_name()
    slot = engine.admission.take(settings.max_body)
    try:
        picture = await fetch_picture(options.url, settings)
        model = await engine.model(name)
        return picture_response(await engine.run(slot, model, picture, _finisher(options)))
    finally:
        slot.release()


@router.get("", include_in_schema=False)
async def documentation() -> RedirectResponse:
    """rembg has its page of documentation here."""
    return RedirectResponse("/docs")


def _finisher(options: RemoveOptions) -> Any:
    def finish(work: Work, person: np.ndarray) -> Answer:
        image, person = work.image, work.geometry.restore(person)
        if options.ppm:
            person = _smooth_outline(person)
        if options.a or options.vm:
            person = _matte(image, person, options)
        if options.om:
            return encode_mask(person, "png", None)
        picture = build_effect("cutout", defringe="best" if options.dc else "none")(image, person)
        return encode_picture(picture if options.bgc is None else _over(picture, options.bgc), "png", 100)

    return finish


def _smooth_outline(person: np.ndarray) -> np.ndarray:
    """Return 0 and 1 alone: specks opened away, the outline blurred and cut in the middle, as rembg does it."""
    opened = cv2.morphologyEx(to_alpha(person), cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))
    blurred = cv2.GaussianBlur(opened, (5, 5), 2, borderType=cv2.BORDER_DEFAULT)
    return (blurred >= 127).astype(np.float32)


def _matte(image: np.ndarray, person: np.ndarray, options: RemoveOptions) -> np.ndarray:
    """Redraw the mask along the photo's edges where neither person nor background is sure."""
    alpha = to_alpha(person)
    side = 2 * min(options.ae, max(alpha.shape)) + 1
    kernel = np.ones((side, 1), np.uint8), np.ones((1, side), np.uint8)  # a square, one side after the other

    def narrowed(sure: np.ndarray) -> np.ndarray:
        narrow = cv2.erode(cv2.erode(sure.astype(np.uint8), kernel[0]), kernel[1])
        return narrow.astype(bool)

    redrawn = build_refiner("guided")(image, person)
    redrawn = np.where(narrowed(alpha > options.af), np.float32(1), redrawn)
    return np.where(narrowed(alpha < options.ab), np.float32(0), redrawn)


def _over(cutout: np.ndarray, colour: tuple[int, int, int, int]) -> np.ndarray:
    """Lay a cut-out, uint8 H×W×4, over a colour with opacity."""
    front: np.ndarray = cutout[..., 3:].astype(np.float32) / 255
    back: np.ndarray = (1 - front) * (colour[3] / 255)
    total = front + back
    mixed: np.ndarray = cutout[..., :3] * front + np.array(colour[:3], np.float32) * back
    rgb = np.divide(mixed, total, out=np.zeros_like(mixed), where=total > 0)
    return np.rint(np.concatenate([rgb, 255 * total], axis=2)).astype(np.uint8)
