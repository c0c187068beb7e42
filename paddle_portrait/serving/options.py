"""The parameters of ``/v1/segment`` and ``/v1/stream``, checked, and what they ask to be drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from paddle_portrait.effects import Effect, build_effect, effect_kind, split_assignments
from paddle_portrait.errors import UserError
from paddle_portrait.serving.answers import MEDIA, RAW_TYPES, Answer, encode_mask, encode_picture, raw_probabilities
from paddle_portrait.serving.errors import Refusal

Output = Literal["mask", "cutout", "composite", "probabilities"]
FileFormat = Literal["png", "webp", "jpeg", "uint8", "float16", "float32"]

_LONGEST_KEPT = 512  # characters of parameters that are remembered

_DEFAULT_FORMAT: dict[str, FileFormat] = {
    "mask": "png",
    "cutout": "png",
    "composite": "jpeg",
    "probabilities": "float32",
}


class DrawOptions(BaseModel):
    """What is asked of a picture or of a stream's frames."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    output: Output | None = Field(
        None, description="what comes back; default: composite where an effect is named, else mask"
    )
    format: FileFormat | None = Field(
        None,
        description="png, webp, jpeg for pictures; uint8, float16, float32 for probabilities. "
        "Default: png, of composites jpeg, of probabilities float32",
    )
    size: Literal["input", "network"] = Field(
        "input", description="size of masks and probabilities: the picture's, or the network's, which is quicker"
    )
    threshold: float | None = Field(None, ge=0, le=1, description="makes a mask of 0 and 255 alone")
    effect: str | None = Field(None, description="of composites: blur (the default), color, replace, bokeh, ...")
    option: tuple[str, ...] = Field((), description="NAME=VALUE of the effect, such as radius=0.1; may be repeated")
    quality: int = Field(90, ge=1, le=100, description="of JPEG and WebP pictures; masks are always exact")

    @model_validator(mode="after")
    def _fits(self) -> DrawOptions:
        raw = self.file_format in RAW_TYPES
        if raw != (self.kind == "probabilities"):
            allowed = RAW_TYPES if self.kind == "probabilities" else MEDIA
            raise ValueError(f"format of output={self.kind} must be one of: {', '.join(allowed)}")
        if self.threshold is not None and self.kind != "mask":
            raise ValueError("threshold is for output=mask")
        if self.size == "network" and self.kind not in ("mask", "probabilities"):
            raise ValueError("size=network is for output=mask and output=probabilities")
        if self.effect is not None and self.kind != "composite":
            raise ValueError("effect is for output=composite")
        return self

    @property
    def kind(self) -> Output:
        """What comes back."""
        return self.output or ("composite" if self.effect else "mask")

    @property
    def file_format(self) -> FileFormat:
        """Its format."""
        return self.format or _DEFAULT_FORMAT[self.kind]

    def drawing(self) -> Drawing:
        """Return what draws it.

        Raises:
            UserError: an unknown effect, or an option that it does not take.
            Refusal: an option that names a file, or transparency in JPEG.
        """
        effect = None
        if self.kind in ("cutout", "composite"):
            effect = _effect("cutout" if self.kind == "cutout" else self.effect or "blur", self.option)
            if effect.kind.channels == 4 and self.file_format == "jpeg":
                raise Refusal(422, "bad_parameter", "JPEG holds no transparency; choose format=png or webp.")
        elif self.option:
            raise Refusal(422, "bad_parameter", f"option is of effects; output={self.kind} has none.")
        return Drawing(self, effect)


class SegmentOptions(DrawOptions):
    """The parameters of ``/v1/segment``."""


class Drawing:
    """Makes answers of pictures and their person probabilities. May be called by several threads."""

    def __init__(self, options: DrawOptions, effect: Effect | None) -> None:
        self._options, self._effect = options, effect

    @property
    def at_network_size(self) -> bool:
        """Whether the probability is wanted as the network gives it."""
        return self._options.size == "network"

    def check_background(self, given: bool) -> None:
        """Refuse a missing background, and one that would be ignored."""
        needed = self._effect is not None and self._effect.kind.needs_background
        if needed != given:
            words = "needs a picture in the form's part" if needed else "takes no"
            raise Refusal(422, "background", f"what was asked for {words} 'background'.")

    @property
    def needs_background(self) -> bool:
        """Whether the effect draws a second picture."""
        return self._effect is not None and self._effect.kind.needs_background

    def __call__(self, image: np.ndarray | None, person: np.ndarray, background: np.ndarray | None) -> Answer:
        """Draw and encode; the image may be None where ``at_network_size``."""
        options = self._options
        if self._effect is not None:
            assert image is not None
            picture = self._effect(image, person, background)
            return encode_picture(picture, options.file_format, options.quality)
        if options.kind == "mask":
            return encode_mask(person, options.file_format, options.threshold)
        return raw_probabilities(person, options.file_format)


def drawing_of(texts: Mapping[str, Sequence[str]]) -> Drawing:
    """Return what draws what the parameters of ``/v1/segment`` ask for.

    Raises:
        ValidationError: an unknown name or a wrong value.
        Refusal: as in :func:`parse` and :meth:`DrawOptions.drawing`.
        UserError: an unknown effect, or an option that it does not take.
    """
    asked = tuple((name, tuple(given)) for name, given in texts.items())
    length = sum(len(text) for name, given in asked for text in (name, *given))
    return (_drawing if length <= _LONGEST_KEPT else _drawing.__wrapped__)(asked)


@lru_cache(maxsize=256)  # a client asks for the same again and again
def _drawing(asked: tuple[tuple[str, tuple[str, ...]], ...]) -> Drawing:
    drawing: Drawing = parse(SegmentOptions, dict(asked)).drawing()
    return drawing


def parse(kind: type[BaseModel], texts: Mapping[str, Sequence[str]]) -> Any:
    """Return the parameters in ``texts`` as an object of ``kind``.

    Raises:
        ValidationError: an unknown name or a wrong value.
        Refusal: a value given twice.
    """
    values: dict[str, Any] = {}
    for name, given in texts.items():
        repeatable = name == "option"
        if len(given) > 1 and not repeatable:
            raise Refusal(422, "bad_parameter", f"'{name}' is given {len(given)} times.")
        values[name] = tuple(given) if repeatable else given[0]
    return kind.model_validate(values)


def parameters_of(kind: type[BaseModel]) -> list[dict[str, Any]]:
    """Describe the fields of ``kind`` as query parameters, in OpenAPI's words."""
    properties = kind.model_json_schema()["properties"]
    required = kind.model_json_schema().get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": schema.pop("description", ""),
            "schema": schema,
        }
        for name, schema in properties.items()
    ]


@lru_cache(maxsize=256)
def _effect(name: str, options: tuple[str, ...]) -> Effect:
    given = split_assignments(options)
    files = {option.name for option in effect_kind(name).options if option.kind == "file"}
    if wrong := files & set(given):
        raise UserError(f"option '{min(wrong)}' names a file of the server, which no client may do.")
    return build_effect(name, **given)
