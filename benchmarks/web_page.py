"""Milliseconds per frame of the web page in Chromium, for every runtime that this machine has.

python benchmarks/web_page.py                 # a portrait of 640 x 480, 60 frames; the page must be built: make web

A frame is: pixels read, scaled as OpenCV does it, the network, the mask brought back, composed onto a canvas. Graphics
cards are asked for; where there is none, WebGL and WebGPU are drawn in software, which the table says.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import shutil
import threading
from typing import Any

from _page import write_between
from _record import ROOT, record

NAME = "web_page"
DIST = ROOT / "deploy" / "paddlejs" / "dist"
LABELS = {"wasm": "WebAssembly (ONNX Runtime Web)", "webgpu": "WebGPU (ONNX Runtime Web)", "webgl": "WebGL (Paddle.js)"}
FLAGS = ("--no-sandbox", "--enable-unsafe-swiftshader", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
READY_S = 300
BUDGET_S = 45  # a runtime in software gets no further than this
RUN = """async ([frames, budget]) => {
    const {studio, segment, blurBackground} = paddlePortrait;
    const picture = await (await fetch('./example.jpg')).blob();
    const size = {resizeWidth: 640, resizeHeight: 480};
    const image = await createImageBitmap(picture, size);
    const canvas = document.createElement('canvas');
    const rows = [];
    const start = performance.now();
    while (rows.length < frames + 3 && (rows.length < 5 || performance.now() - start < budget)) {
        const before = performance.now();
        const mask = await segment(studio.session, await createImageBitmap(image));
        const masked = performance.now();
        blurBackground(canvas, image, mask, {radius: 0.03});
        canvas.getContext('2d').getImageData(0, 0, 1, 1);
        const now = performance.now();
        const {before: prepared, network, after} = mask.milliseconds;
        rows.push({prepared, network, after, drawn: now - masked, frame: now - before});
    }
    rows.splice(0, 3);
    const median = (key) => rows.map((row) => row[key]).sort((a, b) => a - b)[rows.length >> 1];
    return {frames: rows.length, ...Object.fromEntries(Object.keys(rows[0]).map((key) => [key, median(key)]))};
}"""


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Requests are not worth telling."""


def measure(browser: Any, url: str, runtime: str, frames: int) -> dict[str, Any]:
    """Return one runtime's medians in milliseconds, or why it does not run here."""
    from playwright.sync_api import TimeoutError

    page = browser.new_page()
    page.goto(f"{url}?runtime={runtime}")
    row = page.locator(f"#trials tr[data-runtime={runtime}]")
    try:
        page.wait_for_selector("html[data-settled], #message:not([hidden])", state="attached", timeout=1000 * READY_S)
    except TimeoutError:
        found = {"missing": f"not ready after {READY_S} seconds"}
    else:
        if page.is_visible("#message"):
            found = {"missing": row.locator("td").first.inner_text()}
        else:
            found = page.evaluate(RUN, [frames, 1000 * BUDGET_S])
            found["golden_difference"] = float(row.get_attribute("data-difference"))
    page.close()
    return {key: round(value, 6 if key == "golden_difference" else 2) if isinstance(value, float) else value
            for key, value in found.items()}  # fmt: skip


def renderer_of(browser: Any) -> str:
    """Return what draws WebGL here."""
    page = browser.new_page()
    name = page.evaluate("""() => {
        const gl = document.createElement('canvas').getContext('webgl2');
        const named = gl?.getExtension('WEBGL_debug_renderer_info');
        return gl ? gl.getParameter(named ? named.UNMASKED_RENDERER_WEBGL : gl.RENDERER) : 'none';
    }""")
    page.close()
    return name


def table(figures: dict[str, Any]) -> str:
    """Return the figures as a table of Markdown, with what they were taken of."""
    lines = ["| runtime | prepare | network | mask back | draw | whole frame | from Python |", "|---|" + "---|" * 6]
    for runtime, found in figures["runtimes"].items():
        if "missing" in found:
            lines.append(f"| {LABELS[runtime]} | {found['missing']} | | | | | |")
            continue
        times = " | ".join(f"{found[key]:.1f}" for key in ("prepared", "network", "after", "drawn", "frame"))
        lines.append(f"| {LABELS[runtime]} | {times} | {found['golden_difference']:.0e} |")
    made_of = f"Model `{figures['model']}`, Chromium {figures['chromium']}, graphics by {figures['renderer']}."
    return "\n".join([*lines, "", made_of])


def main() -> None:
    """Measure every runtime, record, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=60, help="frames for each runtime (default: 60)")
    parser.add_argument("--runtimes", nargs="+", choices=list(LABELS), default=list(LABELS), help="default: all")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    if not (DIST / "index.html").is_file():
        raise SystemExit("the page is not built: make web")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(DIST)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    figures: dict[str, Any] = {"picture": [640, 480], "model": "", "renderer": "", "runtimes": {}}
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        figures["chromium"], figures["renderer"] = browser.version, renderer_of(browser)
        for runtime in arguments.runtimes:
            url = f"http://127.0.0.1:{server.server_port}/"
            figures["runtimes"][runtime] = measure(browser, url, runtime, arguments.frames)
        browser.close()
    figures["model"] = json.loads((DIST / "model" / "golden.json").read_text(encoding="utf-8"))["name"]
    record(NAME, figures)
    write_between("benchmarks.md", "web_page.py", table(figures))


if __name__ == "__main__":
    main()
