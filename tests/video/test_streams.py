"""Streams over the loopback, received by another process."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

av = pytest.importorskip("av", reason="videos need PyAV")

from paddle_portrait.cli.bg_replace import main  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]

# Counts what it can decode: "pictures sound size". An error at the end is how senders hang up.
RECEIVER = """
import sys, av
url, kind, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
options = {"listen": "1", "timeout": "40"} if kind == "flv" else {}
source = sys.stdin.buffer if url == "stdin" else url
pictures = sound = 0
container = av.open(source, format=kind, options=options, timeout=40)
try:
    for packet in container.demux():
        if packet.stream.type == "audio":
            sound += packet.dts is not None
        else:
            pictures += len(packet.decode())
        if pictures >= most:
            break
except av.FFmpegError:
    pass
video = container.streams.video[0]
print(pictures, sound, video.width, video.height, video.codec_context.name)
"""


def free_port(kind: int) -> int:
    """Return a port of the loopback that nobody uses."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def receive(url: str, kind: str, most: int) -> subprocess.Popen[str]:
    """Start a receiver that ends after ``most`` pictures."""
    command = [sys.executable, "-c", RECEIVER, url, kind, str(most)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def listens(port: int) -> bool:
    """Tell from the kernel's tables whether a TCP port is listened on: to try it out would be the one connection."""
    table = Path("/proc/net/tcp")
    return not table.exists() or f":{port:04X} 00000000:0000 0A" in table.read_text()


def test_rtmp_with_sound_and_a_file_beside_it(clips, red_network: Path) -> None:
    port = free_port(socket.SOCK_STREAM)
    url = f"rtmp://127.0.0.1:{port}/live/x"
    receiver = receive(url, "flv", 40)
    deadline = time.monotonic() + 30
    while not listens(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    source, target = clips.square(count=40, sound="aac"), clips.folder / "beside.mp4"
    arguments = ["--model", str(red_network), "--video_path", str(source), "--stream", url, "--output", str(target)]
    started = time.monotonic()
    assert main(arguments) == 0
    assert time.monotonic() - started > 1.2  # 40 pictures play for 1.33 s: a file is sent no faster
    pictures, sound, *rest = receiver.communicate(timeout=60)[0].split()
    assert (int(pictures), rest) == (40, ["160", "96", "h264"])
    assert int(sound) > 50
    assert clips.facts(target).times == clips.facts(source).times


def test_udp(clips, red_network: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    url = f"udp://127.0.0.1:{port}"
    receiver = receive(url + "?timeout=40000000", "mpegts", 10)
    time.sleep(3)  # UDP has no sign of being listened to
    source = clips.square(count=90, sound="aac")
    assert main(["--model", str(red_network), "--video_path", str(source), "--stream", url]) == 0
    out, errors = receiver.communicate(timeout=60)
    pictures, _, *rest = out.split()
    assert int(pictures) >= 10, errors
    assert rest == ["160", "96", "h264"]


def test_a_pipe_carries_pictures_and_sound_and_nothing_else(clips, red_network: Path) -> None:
    source = clips.square(count=20, sound="aac")
    command = [sys.executable, "tools/bg_replace.py", "--model", str(red_network), "--video_path", str(source)]
    done = subprocess.run([*command, "--stream", "pipe:1"], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    path = clips.folder / "piped.mkv"
    path.write_bytes(done.stdout)
    after = clips.facts(path)
    assert len(after.times) == 20
    assert len(after.sound) == len(clips.facts(source).sound)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stream", "ftp://127.0.0.1/x"], "rtmp"),
        (["--stream", "nothing"], "rtmp"),
        (["--effect", "cutout", "--stream", "pipe:1"], "transparency"),
    ],
)
def test_streams_that_cannot_be_are_refused(clips, red_network: Path, capsys, arguments, message) -> None:
    assert main(["--model", str(red_network), "--video_path", str(clips.square(count=2)), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_nobody_listening_is_said(clips, red_network: Path, capsys) -> None:
    url = f"rtmp://127.0.0.1:{free_port(socket.SOCK_STREAM)}/live/x"
    assert main(["--model", str(red_network), "--video_path", str(clips.square(count=2)), "--stream", url]) == 2
    assert "refused" in capsys.readouterr().err
