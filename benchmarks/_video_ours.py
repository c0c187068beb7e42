"""A child process of the video benchmarks: one job by paddle_portrait.video; prints its cost as a line of JSON."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from _record import peak_mib
from _thread_cpu import CodecThreads

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_portrait.effects import build_effect
from paddle_portrait.video.model import load_model
from paddle_portrait.video.pipeline import PipelineReport
from paddle_portrait.video.session import VideoJob, VideoSession


def main() -> None:
    """Run the job."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("model", "video", "background", "output"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--preset", default="veryfast")
    parser.add_argument("--smoothing", default="none")
    arguments = parser.parse_args()
    threads = CodecThreads()
    session = VideoSession(
        VideoJob(
            load_model(model=arguments.model, backend="onnx"),
            build_effect("replace"),
            [arguments.video],
            background=arguments.background,
            outputs=[Path(arguments.output)],
            smoothing=arguments.smoothing,
            encoder_options={"preset": arguments.preset},
        )
    )
    started, cpu_started = time.perf_counter(), time.process_time()
    with threads:
        report = session.run()  # to the end of the file, with what the encoder has looked ahead
    cost = {
        "frames": report.pictures,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu_started,
        "stages_ms": {name: round(stage.per_picture_ms()[0], 2) for name, stage in report.stages.items()},
        "peak_mib": peak_mib(),
    }
    cost["stages_cpu_ms"] = stages_cpu_ms(report, threads, cost["cpu_seconds"])
    print(json.dumps(cost))


def stages_cpu_ms(report: PipelineReport, threads: CodecThreads, total_seconds: float) -> dict[str, float]:
    """Return processor milliseconds a frame of each stage, the codecs' own threads in theirs, and of all the rest."""
    seconds = {name: stage.cpu_seconds for name, stage in report.stages.items()}
    seconds["decode"] += threads.decoder_seconds
    seconds["encode"] += threads.encoder_seconds
    seconds["queues, last frames"] = total_seconds - sum(seconds.values())
    return {name: round(1000 * spent / report.pictures, 2) for name, spent in seconds.items()}


if __name__ == "__main__":
    main()
