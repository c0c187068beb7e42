"""``WS /v1/stream``: frames in, masks or composites out, steadied from frame to frame.

The client sends each frame as one binary message holding a picture and gets one message back, in order: binary, the
answer; or text, JSON with ``detail`` and ``code`` where that frame could not be served. A text message of the client is
JSON: ``{"background": true}`` announces that the next binary message is the picture behind the person, ``{"reset":
true}`` makes the stream forget the frames so far; both are answered with ``{"done": ...}``.
"""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import Field

from paddle_portrait.effects import fit_background
from paddle_portrait.preprocess import Geometry
from paddle_portrait.preprocess.geometry import resize
from paddle_portrait.serving.answers import Answer
from paddle_portrait.serving.engine import Engine, Work
from paddle_portrait.serving.errors import Refusal, as_refusal, refuse
from paddle_portrait.serving.intake import decode, measure
from paddle_portrait.serving.models import Model
from paddle_portrait.serving.options import Drawing, DrawOptions, parse
from paddle_portrait.serving.settings import Settings
from paddle_portrait.video.smoothing import FILTERS, TemporalFilter
from paddle_portrait.video.smoothing.steady import SceneWatch

router = APIRouter()

# Codes of RFC 6455: try again later; a policy was broken.
_TRY_LATER, _POLICY = 1013, 1008


class StreamOptions(DrawOptions):
    """What is asked of a stream."""

    smoothing: str | None = Field(None, description="temporal filter; default: the server's")


class Stream:
    """One connection: its filter, the network's last answer, and the background."""

    def __init__(self, engine: Engine, model: Model, options: StreamOptions) -> None:
        self._engine, self._model = engine, model
        self._drawing: Drawing = options.drawing()
        self._filter: TemporalFilter = FILTERS.build(options.smoothing or engine.settings.smoothing)
        self._watch = SceneWatch()
        self._prior: np.ndarray | None = None
        self._small: np.ndarray | None = None
        self._background: np.ndarray | None = None

    def reset(self) -> None:
        """Forget the frames so far."""
        self._filter.reset()
        self._prior = None

    async def set_background(self, data: bytes) -> None:
        """Take the picture behind the person."""
        settings = self._engine.settings
        self._background = await asyncio.get_running_loop().run_in_executor(None, _read, data, settings)

    async def answer(self, data: bytes) -> Answer:
        """Return the answer to the next frame.

        Raises:
            Refusal: the frame cannot be read, or the queue is full.
        """
        if self._drawing.needs_background and self._background is None:
            raise Refusal(422, "background", 'the effect needs a picture: send {"background": true}, then the picture.')
        slot = self._engine.admission.take(len(data))
        try:
            return await self._engine.run(slot, self._model, data, self._finish, prepare=self._prepare)
        finally:
            slot.release()

    def _prepare(self, frame: np.ndarray) -> tuple[np.ndarray, Geometry]:
        """Bring the frame to the size at which the network sees it, where the filter works, too."""
        predictor = self._model.predictor
        small = resize(frame, predictor.seen_hw((frame.shape[0], frame.shape[1])))
        begins, _ = self._watch(small)
        if begins:  # a cut, or the camera was turned or changed its resolution
            self.reset()
        self._small = small
        return predictor.prepare(small, self._prior)

    def _finish(self, work: Work, person: np.ndarray) -> Answer:
        assert self._small is not None
        person = self._filter(self._small, work.geometry.restore(person))
        if self._model.predictor.takes_prior:
            self._prior = person
        if self._drawing.at_network_size:
            return self._drawing(None, person, None)
        height, width = work.image.shape[:2]
        if self._background is not None:
            self._background = fit_background(self._background, (height, width), "fill")
        return self._drawing(work.image, resize(person, (height, width)), self._background)


@router.websocket("/v1/stream")
async def stream(socket: WebSocket) -> None:
    """Serve one connection until it closes, is idle too long, or has sent all the frames that are allowed."""
    engine: Engine = socket.app.state.engine
    try:
        _check_origin(socket, engine.settings)
        if engine.streams >= engine.settings.max_streams:
            raise Refusal(429, "busy", "the server has as many streams as it takes; try again soon.", 5)
        texts: dict[str, list[str]] = {}
        for name, value in socket.query_params.multi_items():
            texts.setdefault(name, []).append(value)
        state = Stream(engine, await engine.model(""), parse(StreamOptions, texts))
    except Exception as error:
        await refuse(socket, as_refusal(error))
        return
    engine.streams += 1
    try:
        await socket.accept()
        await _serve(socket, state, engine)
    except WebSocketDisconnect:
        pass
    finally:
        engine.streams -= 1


async def _serve(socket: WebSocket, state: Stream, engine: Engine) -> None:
    settings = engine.settings
    frames, background_next = 0, False
    while frames < settings.max_stream_frames:
        try:
            message = await asyncio.wait_for(socket.receive(), settings.stream_idle_s)
        except (asyncio.TimeoutError, TimeoutError):
            await socket.close(_TRY_LATER, f"no message for {settings.stream_idle_s:g} seconds")
            return
        if message["type"] == "websocket.disconnect":
            return
        data = message.get("bytes")
        try:
            if data is None:
                background_next = _control(message.get("text") or "", state)
                await socket.send_json({"done": "reset" if not background_next else "send the background"})
            elif background_next:
                background_next = False
                await state.set_background(data)
                await socket.send_json({"done": "background"})
            else:
                frames += 1
                await socket.send_bytes((await state.answer(data)).body)
                engine.metrics.frames.inc()
        except (WebSocketDisconnect, asyncio.CancelledError):
            raise
        except Exception as error:
            refusal = as_refusal(error)
            engine.metrics.refused.labels(refusal.code).inc()
            await socket.send_json({**refusal.body(), "status": refusal.status, "retry_after_s": refusal.retry_after_s})
    await socket.close(_POLICY, f"{settings.max_stream_frames} frames are allowed in one stream")


def _control(text: str, state: Stream) -> bool:
    """Obey a text message; returns whether a background comes next."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        message = None
    if message == {"reset": True}:
        state.reset()
        return False
    if message == {"background": True}:
        return True
    raise Refusal(422, "bad_message", 'a text message must be {"background": true} or {"reset": true}.')


def _check_origin(socket: WebSocket, settings: Settings) -> None:
    """Refuse pages of other origins: browsers let any page open any WebSocket and leave the check to servers."""
    origin = socket.headers.get("origin")
    if origin is None or origin in settings.origins or "*" in settings.origins:
        return
    if urlsplit(origin).netloc != socket.headers.get("host"):
        raise Refusal(403, "origin", "pages of this origin may not use this server; see --cors.")


def _read(data: bytes, settings: Settings) -> np.ndarray:
    return decode(data, measure(data, settings.max_pixels, settings.max_side))
