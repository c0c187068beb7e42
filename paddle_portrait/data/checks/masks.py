"""Findings about decoded photos and masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from paddle_portrait.data.checks.facts import PairFacts
from paddle_portrait.data.checks.report import CheckReport, Severity, named, share
from paddle_portrait.data.masks import MaskReader, show_values

_FULL_SHARE = 0.999
_SURE_SHARE = 0.9
_FEW_LEVELS = 8
# An inverted portrait is "person" along the top and both sides, and less so in its middle.
_INVERTED_FRAME = 0.6
_INVERTED_DIFFERENCE = 0.3


def find_unreadable(pairs: Sequence[PairFacts], report: CheckReport) -> None:
    """Report photos and masks that cannot be decoded."""
    for noun, path, problem in (
        ("images", lambda pair: pair.image, lambda pair: pair.image_problem),
        ("masks", lambda pair: pair.label, lambda pair: pair.label_problem),
    ):
        bad = [pair for pair in pairs if problem(pair)]
        if bad:
            files = [path(pair) for pair in bad]
            report.add(
                f"unreadable_{noun}",
                "error",
                f"{share(len(bad), len(pairs), noun)} cannot be read: {named(files)}. The first: {problem(bad[0])}",
                files,
            )


def find_swapped(pairs: Sequence[PairFacts], report: CheckReport) -> list[PairFacts]:
    """Report lines whose columns look exchanged, or whose photo is drawn; return the pairs that are not exchanged."""
    swapped = [pair for pair in pairs if pair.is_swapped]
    if swapped:
        report.add(
            "swapped_columns",
            "error",
            f"{share(len(swapped), len(pairs), 'lines')} have their columns swapped: the first file looks like a mask "
            f"and the second like a photo: {named([pair.image for pair in swapped])}. "
            "Lines must be 'images/x.jpg masks/x.png'.",
            [pair.image for pair in swapped],
        )
    flat = [pair.image for pair in pairs if pair.image_is_flat and not pair.is_swapped]
    if flat:
        report.add(
            "flat_images",
            "warning",
            f"{share(len(flat), len(pairs), 'images')} look like masks, not like photos: {named(flat)}.",
            flat,
        )
    return [pair for pair in pairs if not pair.is_swapped]


def find_wrong_kind(pairs: Sequence[PairFacts], mask_format: str, report: CheckReport) -> None:
    """Report masks in colours and masks saved as JPEG."""
    _add(
        report, "coloured_masks", "error", pairs, lambda pair: pair.label_is_coloured,
        "are pictures in colours", "Save masks with one channel: 0 background, 255 (or 1) person.",
    )  # fmt: skip
    spoils = mask_format in ("auto", "binary01")
    _add(
        report, "jpeg_masks", "error" if spoils else "warning", pairs,
        lambda pair: pair.label_is_jpeg,
        "are JPEG files, whose compression smears the values around every outline",
        "Save masks as PNG" + ("; or set mask_format: binary255, which splits them at half." if spoils else "."),
    )  # fmt: skip


def find_other_sizes(pairs: Sequence[PairFacts], report: CheckReport) -> None:
    """Report masks that are not as large as their photos."""
    other = [pair for pair in pairs if pair.image_hw and pair.label_hw and pair.image_hw != pair.label_hw]
    if not other:
        return
    notes = [
        "mask {} x {}, photo {} x {}".format(*(pair.label_hw or ())[::-1], *(pair.image_hw or ())[::-1])
        for pair in other
    ]
    turned = sum((pair.label_hw or ())[::-1] == pair.image_hw for pair in other)
    hint = f" {turned} are turned: made without regard to the photo's EXIF orientation." if turned else ""
    files = [str(pair.label) for pair in other]
    report.add(
        "size_mismatch",
        "error",
        f"{share(len(other), len(pairs), 'masks')} have another size (width x height) than their photos: "
        f"{named(files, notes)}.{hint} Make them anew at the size of the photo.",
        files,
    )


def find_wrong_values(pairs: Sequence[PairFacts], reader: MaskReader, report: CheckReport) -> list[PairFacts]:
    """Report masks whose values the data set's interpretation refuses, or takes for something that they hardly are.

    Returns:
        The pairs; without what was made of their masks where that cannot be believed.
    """
    # What a JPEG smeared is reported as that.
    read = [pair for pair in pairs if pair.mask is not None and not pair.label_is_jpeg]
    by_code: dict[str, list[PairFacts]] = {}
    for pair in read:
        if pair.mask is not None and pair.mask.rejected:
            by_code.setdefault(_code_of_values(pair.mask.values, reader), []).append(pair)
    for code, rejected in by_code.items():
        files, notes = _with_values(rejected)
        report.add(
            code,
            "error",
            f"{share(len(rejected), len(pairs), 'masks')} do not fit how masks are read here ({reader.describe()}; "
            f"{reader.reason}): {named(files, notes)}. {_ADVICE[code]}",
            files,
        )
    if reader.soft and read and not by_code and not _soft_is_credible(read, reader, report):
        return [replace(pair, mask=None) for pair in pairs]
    return list(pairs)


_ADVICE = {
    "masks_255_as_01": "255 would be ignored and no pixel would be a person. Set mask_format: binary255 (or auto).",
    "masks_01_as_255": "1 would be background, and no pixel a person. Set mask_format: binary01 (or auto).",
    "mask_values": "Convert these masks to 0 background, 255 person; or set the mask_format that all of them have.",
}


def _code_of_values(values: tuple[int, ...], reader: MaskReader) -> str:
    if reader.kind == "indices" and set(values) <= {0, 255}:
        return "masks_255_as_01"
    return "masks_01_as_255" if reader.kind != "indices" and values[-1] == 1 else "mask_values"


def _soft_is_credible(pairs: Sequence[PairFacts], reader: MaskReader, report: CheckReport) -> bool:
    """Report "soft" masks with a handful of levels, or without any sure person: these are not soft at all."""
    present = set().union(*(pair.mask.values for pair in pairs if pair.mask is not None))
    files, notes = _with_values(pairs)
    if 0 < max(present) < _SURE_SHARE * reader.full:
        report.add(
            "mask_values",
            "error",
            f"the masks hold {show_values(present)}, read as {reader.describe()} ({reader.reason}): none reaches "
            f"{reader.full}, so they look like class numbers: {named(files, notes)}. {_ADVICE['mask_values']}",
            files,
        )
        return False
    if 2 < len(present) <= _FEW_LEVELS:
        report.add(
            "few_levels",
            "warning",
            f"the masks hold only {show_values(present)}, read as {reader.describe()} ({reader.reason}): "
            f"{named(files, notes)}. If the values in between mean 'unsure' or another class, convert the masks.",
            files,
        )
    return True


def find_odd_contents(pairs: Sequence[PairFacts], report: CheckReport) -> None:
    """Report masks without a person, without a background, or with both exchanged."""
    read = [pair for pair in pairs if pair.mask is not None and not pair.mask.rejected]
    empty = [str(pair.label) for pair in read if pair.mask and pair.mask.person == 0]
    full = [str(pair.label) for pair in read if pair.mask and pair.mask.person > _FULL_SHARE]
    inverted = [str(pair.label) for pair in read if pair.mask and _looks_inverted(pair)]
    for code, files, what, advice in (
        ("no_person", empty, "hold no person", "Right for empty rooms; otherwise see what their values mean."),
        ("all_person", full, "are person all over", "See whether their values mean what mask_format says."),
    ):
        if not files:
            continue
        everywhere = len(files) == len(read) == len(pairs)
        report.add(
            f"{code}_anywhere" if everywhere else code,
            "error" if everywhere else "warning",
            f"{share(len(files), len(read), 'masks')} {what}: {named(files)}. {advice}",
            files,
        )
    if inverted:
        report.add(
            "inverted_masks",
            "warning",
            f"{share(len(inverted), len(read), 'masks')} look inverted, with the person along the top and both sides "
            f"and less in the middle: {named(inverted)}. 0 must be background.",
            inverted,
        )


def _looks_inverted(pair: PairFacts) -> bool:
    mask = pair.mask
    return mask is not None and mask.frame > _INVERTED_FRAME and mask.centre < mask.frame - _INVERTED_DIFFERENCE


def _with_values(pairs: Sequence[PairFacts]) -> tuple[list[str], list[str]]:
    files = [str(pair.label) for pair in pairs]
    return files, ["values " + show_values(pair.mask.values) if pair.mask else "" for pair in pairs]


def _add(
    report: CheckReport,
    code: str,
    severity: Severity,
    pairs: Sequence[PairFacts],
    is_bad: Callable[[PairFacts], bool],
    what: str,
    advice: str,
) -> None:
    files = [str(pair.label) for pair in pairs if is_bad(pair)]
    if files:
        report.add(code, severity, f"{share(len(files), len(pairs), 'masks')} {what}: {named(files)}. {advice}", files)
