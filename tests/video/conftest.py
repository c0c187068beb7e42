"""Videos and a network made by hand: whatever is red is a person, so that every mask is known beforehand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import yaml

av = pytest.importorskip("av", reason="videos need PyAV")

TICK = Fraction(1, 90000)
SIZE_HW = (96, 160)
RED, GREY, GREEN = (230, 20, 20), (90, 90, 90), (20, 200, 30)


def scene(step: int, size_hw: tuple[int, int] = SIZE_HW) -> np.ndarray:
    """Return a red square on grey that moves on by eight pixels a step."""
    picture = np.full((*size_hw, 3), GREY, np.uint8)
    top, left = square_at(step, size_hw)
    picture[top : top + 32, left : left + 32] = RED
    return picture


def square_at(step: int, size_hw: tuple[int, int] = SIZE_HW) -> tuple[int, int]:
    """Return top and left of the square."""
    return 32, 8 * step % (size_hw[1] - 32)


def write_video(
    path: Path,
    pictures: Sequence[np.ndarray],
    durations: Sequence[int] | None = None,
    sound: str | None = None,
    rotation: int = 0,
    codec: str = "libx264",
    pixels: str = "yuv420p",
) -> Path:
    """Write pictures, each for so many ticks of 1/90000 s (default: 3000), with a tone beside them."""
    durations = durations or [3000] * len(pictures)
    starts = np.concatenate([[0], np.cumsum(durations)]).tolist()
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], pixels
        stream.time_base = stream.codec_context.time_base = TICK if codec != "gif" else Fraction(1, 100)
        if rotation:
            stream.set_display_rotation(rotation)
        audio = container.add_stream(sound, rate=48000, layout="mono") if sound else None
        lengths = dict(zip(starts, durations, strict=False))

        def mux(packets) -> None:
            for packet in packets:
                packet.duration = lengths.get(packet.pts, packet.duration)
                container.mux(packet)

        for picture, start in zip(pictures, starts, strict=False):
            frame = av.VideoFrame.from_ndarray(picture).reformat(format=pixels)
            frame.pts, frame.time_base = start, TICK
            if codec == "gif":
                frame.pts, frame.time_base = start // 900, Fraction(1, 100)
            mux(stream.encode(frame))
        mux(stream.encode(None))
        if audio is not None:
            wave = 0.2 * np.sin(np.arange(int(starts[-1] / 90000 * 48000)) * 0.05)
            block = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], format="fltp", layout="mono")
            block.sample_rate, block.pts = 48000, 0
            for packet in [*audio.encode(block), *audio.encode(None)]:
                container.mux(packet)
    return path


@dataclass
class Facts:
    """What is in a video file, read without any code of ours."""

    times: list[Fraction] = field(default_factory=list)
    pictures: list[np.ndarray] = field(default_factory=list)
    sound: list[tuple[Fraction, str]] = field(default_factory=list)
    seconds: Fraction = Fraction(0)
    size_hw: tuple[int, int] = (0, 0)
    codec: str = ""
    pixels: str = ""


def facts(path: Path | str, decoder: str | None = None) -> Facts:
    """Read a file; ``decoder`` is one of FFmpeg's decoders in place of the usual one."""
    found = Facts()
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        found.codec, found.size_hw = video.codec_context.name, (video.height, video.width)
        found.seconds = Fraction(video.duration or 0) * video.time_base
        context = av.CodecContext.create(decoder, "r") if decoder else None
        if context is not None:
            context.extradata = video.codec_context.extradata
        for packet in container.demux():
            if packet.stream.type == "audio" and packet.dts is not None:
                found.sound.append((packet.pts * packet.time_base, hashlib.md5(bytes(packet)).hexdigest()))
            elif packet.stream.type == "video":
                for frame in context.decode(packet if packet.dts is not None else None) if context else packet.decode():
                    found.pixels = frame.format.name
                    found.times.append(frame.pts * (frame.time_base or packet.time_base))
                    found.pictures.append(frame.to_ndarray(format="rgba" if decoder else "rgb24"))
    return found


def write_red_network(directory: Path, size_hw: tuple[int, int] = (48, 80), batch: int | str = "n") -> Path:
    """Write an export whose person probability is near 1 where a pixel is red, and near 0 elsewhere."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    (directory / "onnx").mkdir(parents=True, exist_ok=True)
    weight = np.array([12.0, -12.0, -12.0], np.float32).reshape(1, 3, 1, 1)
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["z"]), helper.make_node("Sigmoid", ["z"], ["y"])]
    shape = [batch, 3, *size_hw]
    graph = helper.make_graph(
        nodes,
        "red is a person",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.float32([-4.0]), "b")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7),
        str(directory / "onnx" / "model.onnx"),
    )
    content = {
        "model": "onnx/model.onnx",
        "transforms": [
            {"type": "Resize", "target_size": [80, 48] if isinstance(size_hw[0], str) else [size_hw[1], size_hw[0]]},
            {"type": "Normalize", "mean": [0.0] * 3, "std": [1.0] * 3},
        ],
        "input_shape": [-1 if isinstance(side, str) else side for side in shape],
        "output_op": "sigmoid",
    }
    (directory / "deploy.yaml").write_text(yaml.safe_dump({"Deploy": content}))
    return directory


@pytest.fixture
def red_network(tmp_path: Path) -> Path:
    """Return an exported directory of the network that takes red for a person."""
    return write_red_network(tmp_path / "red_network")


class Clips:
    """What the tests make and look at: the moving square, files of it, and what is in a file."""

    scene, square_at = staticmethod(scene), staticmethod(square_at)
    write, facts, network = staticmethod(write_video), staticmethod(facts), staticmethod(write_red_network)
    red, grey, green = RED, GREY, GREEN

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def square(self, name: str = "in.mp4", count: int = 20, size_hw: tuple[int, int] = SIZE_HW, **options) -> Path:
        """Write the moving square."""
        return write_video(self.folder / name, [scene(step, size_hw) for step in range(count)], **options)

    def picture(self, name: str = "green.png", colour: tuple[int, int, int] = GREEN) -> Path:
        """Write a picture of one colour."""
        from paddle_portrait.preprocess import write_image

        write_image(self.folder / name, np.full((50, 70, 3), colour, np.uint8))
        return self.folder / name


@pytest.fixture
def clips(tmp_path: Path) -> Clips:
    """Return the maker of clips, which writes into the test's folder."""
    return Clips(tmp_path)
