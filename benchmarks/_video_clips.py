"""What the video benchmarks work on: clips of a given size and length, a background, and an exported network."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from _record import ROOT

CONFIG = "configs/pp_humanseg/lite_398x224_portraits.yml"
TRAINED = ROOT / "saved_model/lite_192x192_portraits/full_resolution/best_model/model.pdparams"
TALKING = ROOT / "data/videos/liveportrait_s32.mp4"


def make_export(directory: Path, input_hw: tuple[int, int]) -> str:
    """Export PP-HumanSeg-Lite with softmax for Paddle and ONNX; return whose weights it has.

    Speed does not depend on them, so that random ones do where no trained ones are.
    """
    import paddle

    from paddle_portrait.export import export_model
    from paddle_portrait.models import PPHumanSegLite

    paddle.seed(0)
    trained = TRAINED.is_file()
    network = PPHumanSegLite(pretrained=str(TRAINED) if trained else None)
    network.eval()
    height, width = input_hw
    transforms: list[dict[str, Any]] = [{"type": "Resize", "target_size": [width, height]}, {"type": "Normalize"}]
    export_model(network, transforms, directory, ("paddle", "onnx"), "softmax", (1, 3, height, width))
    return TRAINED.parent.parent.parent.name if trained else "random, seed 0"


def make_background(path: Path, size_hw: tuple[int, int]) -> None:
    """Write a generated place without people."""
    import numpy as np

    from paddle_portrait.data.synthesis.outdoors import outdoors
    from paddle_portrait.preprocess import write_image

    picture = np.clip(outdoors(np.random.default_rng(1), size_hw).astype(np.float32), 0, 1)
    write_image(path, (picture * 255).astype(np.uint8))


def make_clip(path: Path, size_hw: tuple[int, int], seconds: float) -> str:
    """Write a talking person with sound at a size and length: H.264 at 30 frames a second. Return where it is from.

    The first twenty seconds are encoded, then their packets are repeated: making ten minutes takes no longer.
    """
    source = TALKING if TALKING.is_file() else _generated(path.parent / "generated.mp4")
    once = path.with_name(f"once_{path.name}")
    _scale(source, once, size_hw, min(seconds, 20.0))
    _repeat(once, path, seconds)
    once.unlink()
    return source.name if source == TALKING else "generated portrait"


def _generated(path: Path) -> Path:
    from paddle_portrait.data.synthesis.video import write_video

    if not path.is_file():
        write_video(path, seed=3, seconds=6.0, fps=30)
    return path


def _scale(source: Path, target: Path, size_hw: tuple[int, int], seconds: float) -> None:
    """Encode the source's frames, again and again until ``seconds`` are full, with a melody beside them."""
    import av

    from paddle_portrait.data.synthesis.video import melody

    count = round(seconds * 30)
    with av.open(str(target), "w") as out:
        stream: Any = out.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": "20"})
        stream.height, stream.width, stream.pix_fmt = *size_hw, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 15360)
        audio: Any = out.add_stream("aac", rate=44100, layout="mono")
        done = 0
        while done < count:
            with av.open(str(source)) as reader:
                for frame in reader.decode(video=0):
                    if done == count:
                        break
                    scaled = frame.reformat(size_hw[1], size_hw[0], "yuv420p")
                    scaled.pts, scaled.time_base, scaled.pict_type = done * 512, Fraction(1, 15360), 0
                    out.mux(stream.encode(scaled))
                    done += 1
        out.mux(stream.encode(None))
        block = av.AudioFrame.from_ndarray(melody(seconds)[None], format="fltp", layout="mono")
        block.sample_rate, block.pts = 44100, 0
        out.mux([*audio.encode(block), *audio.encode(None)])


def _repeat(source: Path, target: Path, seconds: float) -> None:
    """Copy the packets of a clip one time after the other until ``seconds`` are full."""
    import av

    with av.open(str(target), "w") as out:
        shift, streams = 0.0, None
        while shift < seconds - 0.01:
            with av.open(str(source)) as reader:
                streams = streams or [out.add_stream_from_template(stream) for stream in reader.streams]
                for packet in reader.demux():
                    if packet.dts is None:
                        continue
                    ticks = round(shift / packet.time_base)
                    packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
                    packet.stream = streams[packet.stream.index]
                    out.mux(packet)
                # The longest stream's end, and room for the sound that its encoder puts before the first picture.
                shift += reader.duration / av.time_base + 0.1
