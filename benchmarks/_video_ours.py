"""A child process of the video benchmarks: one job by paddle_portrait.video; prints its cost as a line of JSON."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from _record import peak_mib

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_portrait.effects import build_effect
from paddle_portrait.video.model import load_model
from paddle_portrait.video.session import VideoJob, VideoSession


def main() -> None:
    """Run the job."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("model", "video", "background", "output"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--preset", default="veryfast")
    parser.add_argument("--smoothing", default="none")
    parser.add_argument("--backend", default="onnx")
    arguments = parser.parse_args()
    session = VideoSession(
        VideoJob(
            load_model(model=arguments.model, backend=arguments.backend),
            build_effect("replace"),
            [arguments.video],
            background=arguments.background,
            outputs=[Path(arguments.output)],
            smoothing=arguments.smoothing,
            encoder_options={"preset": arguments.preset},
        )
    )
    cpu_started = time.process_time()
    report = session.run()
    cost = {
        "frames": report.pictures,
        "seconds": report.seconds,
        "cpu_seconds": time.process_time() - cpu_started,
        "stages_ms": {name: round(stage.per_picture_ms()[0], 2) for name, stage in report.stages.items()},
        "stages_cpu_ms": {name: round(stage.per_picture_ms()[1], 2) for name, stage in report.stages.items()},
        "peak_mib": peak_mib(),
    }
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
