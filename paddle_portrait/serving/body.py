"""Receiving a request's body, bare or as a form, within bounds of size and time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from fastapi import Request
from starlette.datastructures import QueryParams, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from paddle_portrait.serving.errors import Refusal
from paddle_portrait.serving.within import Within

_MOST_FIELDS = 40
_LONGEST_FIELD = 64 * 1024
_LONGEST_QUERY_KEPT = 512


@dataclass
class Upload:
    """What a request brought.

    Attributes:
        picture: the file.
        background: a second file, of forms only.
        fields: texts of the form and of the query, by name, in order; the form's go first.
    """

    picture: bytes
    background: bytes | None = None
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)


def announced_size(request: Request, most: int) -> int:
    """Return how large the body will be at most, bytes.

    Raises:
        Refusal: 413 it says itself that it is too large; 400 it says nonsense.
    """
    text = request.headers.get("content-length")
    if text is None:
        return most
    if not text.isascii() or not text.isdigit():
        raise Refusal(400, "bad_length", "Content-Length is no number.")
    if int(text) > most:
        raise _too_large(most)
    return int(text)


async def receive(request: Request, most: int, seconds: float) -> Upload:
    """Return the body.

    Args:
        request: a form with the part ``file`` or ``image`` and perhaps ``background``, or a bare picture.
        most: bytes.
        seconds: to arrive in.

    Raises:
        Refusal: 400 cut short or without a picture, 408 too slow, 413 too large, 415 neither form nor picture.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_form = kind == "multipart/form-data"
    if not is_form and kind and not kind.startswith("image/") and kind != "application/octet-stream":
        raise Refusal(415, "wrong_type", f"Content-Type is {kind[:60]}; send a picture, or a form with one.")
    try:
        with Within(seconds):
            return await (_form(request, most) if is_form else _bare(request, most))
    except TimeoutError:
        raise Refusal(408, "body_too_slow", f"the body did not arrive within {seconds:g} seconds.") from None
    except ClientDisconnect:
        raise Refusal(400, "gone", "the client went away.") from None


async def _bare(request: Request, most: int) -> Upload:
    picture = b"".join([chunk async for chunk in _counted(request, most)])
    return Upload(picture, fields=_query(request))


async def _form(request: Request, most: int) -> Upload:
    parser = MultiPartParser(
        request.headers,
        _counted(request, most),
        max_files=2,
        max_fields=_MOST_FIELDS,
        max_part_size=_LONGEST_FIELD,
    )
    # The body is bounded and counted as memory; a file on disk would be a second bound to keep.
    parser.spool_max_size = most
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Refusal(400, "bad_form", f"the form cannot be read: {error.message}") from None
    except (KeyError, ValueError, LookupError) as error:  # a missing boundary, an unknown character set
        raise Refusal(400, "bad_form", f"the form cannot be read ({error}).") from None
    try:
        files = {name: await one.read() for name, one in form.multi_items() if isinstance(one, UploadFile)}
    finally:
        await form.close()
    texts = [(name, one) for name, one in form.multi_items() if isinstance(one, str)]
    picture = files.get("file", files.get("image"))
    if picture is None:
        raise Refusal(422, "no_file", "the form has no file in a part named 'file' or 'image'.")
    return Upload(picture, files.get("background"), {**_query(request), **_texts(texts)})


async def _counted(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    """Yield the body's pieces; its announced length may be missing, or wrong."""
    size, more = 0, True
    while more:
        message = await request.receive()  # not request.stream(), a second generator around it
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        yield chunk


def _query(request: Request) -> Mapping[str, Sequence[str]]:
    query: bytes = request.scope["query_string"]
    return (_read_query if len(query) <= _LONGEST_QUERY_KEPT else _read_query.__wrapped__)(query)


@lru_cache(maxsize=256)  # a client asks for the same again and again
def _read_query(query: bytes) -> Mapping[str, Sequence[str]]:
    return _texts(QueryParams(query).multi_items())


def _texts(items: list[tuple[str, str]]) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for name, value in items:
        texts.setdefault(name, []).append(value)
    return texts


def _too_large(most: int) -> Refusal:
    return Refusal(413, "body_too_large", f"the body is larger than {most / 2**20:g} MiB.")
