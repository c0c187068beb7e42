"""Other people's data sets turned into this project's layout: images, masks and lists.

One module per source; each has ``scan(root, arguments) -> Source``, which only looks at names and annotations.
:func:`prepare` then reads, checks and writes one picture after the other.
"""

from __future__ import annotations

from paddle_portrait.data.prepare.item import Item, Made, SkipItem, Source
from paddle_portrait.data.prepare.run import Options, Outcome, prepare

__all__ = ["Item", "Made", "Options", "Outcome", "SkipItem", "Source", "prepare"]
