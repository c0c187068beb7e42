"""Tables that a benchmark writes into a page of docs/, between two markers."""

from __future__ import annotations

from pathlib import Path

from _record import ROOT


def write_between(page: str, script: str, text: str) -> Path:
    """Replace what stands between the markers of ``script`` in ``docs/<page>``; return the page.

    Raises:
        SystemExit: the page lacks the markers.
    """
    begin, end = (f"<!-- {word}: made by benchmarks/{script} -->" for word in ("begin", "end"))
    path = ROOT / "docs" / page
    content = path.read_text(encoding="utf-8")
    if content.count(begin) != 1 or content.count(end) != 1:
        raise SystemExit(f"{path} must hold the lines '{begin}' and '{end}' once each.")
    head, rest = content.split(begin)
    path.write_text(f"{head}{begin}\n{text}\n{end}{rest.split(end)[1]}", encoding="utf-8")
    return path
