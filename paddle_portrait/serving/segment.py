"""``POST /v1/segment``: a picture in, its mask or a picture made with it out."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from paddle_portrait.effects import describe_effects, describe_refiners
from paddle_portrait.serving.answers import MEDIA, RAW_MEDIA, Answer
from paddle_portrait.serving.body import announced_size, receive
from paddle_portrait.serving.engine import Engine, Work
from paddle_portrait.serving.errors import answer_error
from paddle_portrait.serving.options import SegmentOptions, drawing_of, parameters_of

PATH = "/v1/segment"
router = APIRouter(tags=["segmentation"])

_PICTURE = {"type": "string", "format": "binary"}
FORM_BODY: dict[str, Any] = {"type": "object", "properties": {"file": _PICTURE, "background": _PICTURE}}
FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"description": text}
    for status, text in {
        400: "no picture, or a form that cannot be read",
        401: "the bearer token is missing or wrong",
        408: "the body did not arrive in time",
        413: "too many bytes or pixels",
        415: "no picture that is read here",
        422: "a wrong parameter, a broken or hostile picture",
        429: "the queue is full; Retry-After says when to come again",
        503: "the work took too long, or the server stops; Retry-After",
    }.items()
}


def picture_response(answer: Answer) -> Response:
    """Return an answer as Starlette sends it."""
    return Response(answer.body, media_type=answer.media, headers=dict(answer.headers))


@router.post(
    PATH,
    summary="Find the person in a picture",
    response_class=Response,
    responses={200: {"content": {media: {} for media in (*MEDIA.values(), RAW_MEDIA)}}, **FAILURES},
    openapi_extra={
        "parameters": parameters_of(SegmentOptions),
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": FORM_BODY},
                "image/*": {"schema": _PICTURE},
                "application/octet-stream": {"schema": _PICTURE},
            },
        },
    },
)
async def segment(request: Request) -> Response:
    """The picture is the body itself, or the part ``file`` (or ``image``) of a form. Parameters go into the query,
    or into fields of the form.
    """
    engine: Engine = request.app.state.engine
    settings = engine.settings
    slot = engine.admission.take(announced_size(request, settings.max_body))
    try:
        upload = await receive(request, settings.max_body, settings.body_timeout_s)
        drawing = drawing_of(upload.fields)
        drawing.check_background(upload.background is not None)

        def finish(work: Work, person: np.ndarray) -> Answer:
            if not drawing.at_network_size:
                person = work.geometry.restore(person)
            return drawing(work.image, person, work.background)

        model = await engine.model("")
        return picture_response(await engine.run(slot, model, upload.picture, finish, upload.background))
    finally:
        slot.release()


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """The endpoint as an ASGI application; FastAPI's route documents it."""
    request = Request(scope, receive, send)
    try:
        response = await segment(request)
    except Exception as error:
        response = await answer_error(request, error)
    await response(scope, receive, send)


@router.get("/v1/effects", summary="Effects and refiners with their options")
async def effects() -> dict[str, Any]:
    """What ``effect`` and ``option`` may say."""
    return {"effects": describe_effects(), "refiners": describe_refiners()}
