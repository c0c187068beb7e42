"""Procedural portraits with exact alpha: samples to try everything with, and training data without anybody's photos."""

from __future__ import annotations

from paddle_portrait.data.synthesis.portrait import render_empty_room, render_portrait
from paddle_portrait.data.synthesis.video import write_background_video, write_video
from paddle_portrait.data.synthesis.writer import write_portraits

__all__ = ["render_empty_room", "render_portrait", "write_background_video", "write_portraits", "write_video"]
