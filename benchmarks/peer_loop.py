"""PP-HumanSeg's way of replacing a background, step for step, in one thread: the peer of benchmarks/video_speed.py.

python benchmarks/peer_loop.py --model DIR --video V --background B --output out.avi --runtime paddle

Each frame is read with OpenCV, turned to RGB at full size, resized, normalised, sent through the network (Paddle
Inference, or ONNX Runtime), its person score scaled to the frame, thresholded or taken as a soft mask, blended in
floating point with the background, which is resized anew, and written with OpenCV as Motion JPEG, without sound.
--optic_flow adds PP-HumanSeg's fusion with the mask of the frame before, followed by DIS optical flow.
Prints a line of JSON: frames, seconds, processor seconds, and the share of each step.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import yaml
from _record import peak_mib


def load_network(model: Path, runtime: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from the network's input to its output, set up as PP-HumanSeg does: with defaults."""
    if runtime == "onnx":
        import onnxruntime as ort

        session = ort.InferenceSession(str(model / "onnx" / "model.onnx"), providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda tensor: session.run(None, {name: tensor})[0]
    from paddle import inference

    config = inference.Config(str(model / "model.json"), str(model / "model.pdiparams"))
    config.disable_glog_info()
    config.disable_mkldnn()  # on by default in Paddle 3.3, where it cannot run this network's bilinear resize
    predictor = inference.create_predictor(config)
    source = predictor.get_input_handle(predictor.get_input_names()[0])
    result = predictor.get_output_handle(predictor.get_output_names()[0])

    def run(tensor: np.ndarray) -> np.ndarray:
        source.copy_from_cpu(tensor)
        predictor.run()
        return result.copy_to_cpu()

    return run


def preprocess(frame_bgr: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return float32 1×3×h×w, normalised to -1..1; the colours are turned at full size, as PaddleSeg's Compose does."""
    resized = cv2.resize(cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2RGB), size, interpolation=cv2.INTER_LINEAR)
    values = resized.astype(np.float32) / 255.0
    values -= np.float32([0.5, 0.5, 0.5])
    values /= np.float32([0.5, 0.5, 0.5])
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


class OpticFlow:
    """The mask of the frame before, moved along the motion and fused with the new one, with PP-HumanSeg's weights."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._flow.setFinestScale(1 if max(size) <= 64 else 2 if max(size) <= 160 else 3)
        self._grey: np.ndarray | None = None
        self._score: np.ndarray | None = None

    def __call__(self, frame_bgr: np.ndarray, score: np.ndarray) -> np.ndarray:
        """Return the fused score, float32 h×w in 0..1."""
        grey = cv2.resize(cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2GRAY), self._size)
        if self._grey is not None and self._score is not None:
            score = self._fuse(grey, score, self._grey, self._score)
        self._grey, self._score = grey, score
        return score

    def _fuse(self, grey: np.ndarray, score: np.ndarray, grey_before: np.ndarray, before: np.ndarray) -> np.ndarray:
        forward = np.rint(self._flow.calc(grey_before, grey, None)).astype(np.int32)
        backward = np.rint(self._flow.calc(grey, grey_before, None)).astype(np.int32)
        height, width = score.shape
        rows, columns = np.mgrid[:height, :width]
        to_x, to_y = columns + forward[..., 0], rows + forward[..., 1]
        inside = (to_x >= 0) & (to_x < width) & (to_y >= 0) & (to_y < height)
        x, y = np.clip(to_x, 0, width - 1), np.clip(to_y, 0, height - 1)
        gap = ((forward + backward[y, x]) ** 2).sum(axis=2)
        kept = inside & (gap < 8)
        still = kept & ~forward.any(axis=2) & ~backward[y, x].any(axis=2)
        tracked, weight, found = np.zeros_like(score), np.full_like(score, 1.0), np.zeros(score.shape, bool)
        tracked[y[kept], x[kept]] = before[kept]
        weight[y[kept], x[kept]] = 0.3
        weight[y[still], x[still]] = 0.05
        found[y[kept], x[kept]] = True
        fused = np.where(found, weight * score + (1 - weight) * tracked, score)
        certain = found & ((score > 0.9) | (score < 0.1))
        share = np.where(weight < 0.1, np.float32(0.3), np.float32(0.4))
        return np.where(certain, share * score + (1 - share) * tracked, fused).astype(np.float32)


class Clock:
    """Adds up the time between its calls, by the name of what has just been done."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._last = time.perf_counter()

    def __call__(self, done: str) -> None:
        now = time.perf_counter()
        self.seconds[done] += now - self._last
        self._last = now


def replace_background(arguments: argparse.Namespace) -> dict[str, object]:
    """Run the loop over a video; return what it cost."""
    model = Path(arguments.model)
    deploy = yaml.safe_load((model / "deploy.yaml").read_text(encoding="utf-8"))["Deploy"]
    height, width = deploy["input_shape"][2:]
    network = load_network(model, arguments.runtime)
    network(np.zeros((1, 3, height, width), np.float32))  # what a first run sets up is not part of the loop
    background = cv2.imread(arguments.background)
    capture = cv2.VideoCapture(arguments.video)
    size = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    code = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(arguments.output, code, capture.get(cv2.CAP_PROP_FPS), size)
    flow = OpticFlow((width, height)) if arguments.optic_flow else None
    frames, clock = 0, Clock()
    started, cpu_started = time.perf_counter(), time.process_time()
    while True:
        done, frame = capture.read()
        if not done:
            break
        clock("read")
        tensor = preprocess(frame, (width, height))
        clock("preprocess")
        score = network(tensor)[0, 1]
        clock("network")
        if flow is not None:
            score = flow(frame, score)
            clock("flow")
        mask = cv2.resize(score, size, interpolation=cv2.INTER_LINEAR)
        if arguments.hard:
            mask = (mask > 0.5).astype(np.float32)
        alpha = np.repeat(mask[..., None], 3, axis=2)
        fitted = cv2.resize(background, size)
        blended = (alpha * frame + (1 - alpha) * fitted).astype(np.uint8)
        clock("blend")
        writer.write(blended)
        clock("write")
        frames += 1
    writer.release()
    return {
        "frames": frames,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu_started,
        "stages_ms": {name: round(1000 * seconds / max(1, frames), 2) for name, seconds in clock.seconds.items()},
        "peak_mib": peak_mib(),
    }


def main() -> None:
    """Run and print the cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="exported directory with softmax output")
    parser.add_argument("--video", required=True)
    parser.add_argument("--background", required=True, help="a picture")
    parser.add_argument("--output", required=True, help="an .avi file")
    parser.add_argument("--runtime", choices=("paddle", "onnx"), default="paddle")
    parser.add_argument("--optic_flow", action="store_true")
    parser.add_argument("--hard", action="store_true", help="threshold the mask instead of blending softly")
    print(json.dumps(replace_background(parser.parse_args())))


if __name__ == "__main__":
    main()
