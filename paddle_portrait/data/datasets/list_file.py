"""Data sets described by a list file: one photo and its mask a line."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paddle_portrait.console import logger
from paddle_portrait.data.masks import MaskReader, choose_reader
from paddle_portrait.data.sample import Sample
from paddle_portrait.data.sampling import Part
from paddle_portrait.data.transforms.base import Pipeline
from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.preprocess.image_io import read_image
from paddle_portrait.registry import DATASETS

_MODES = ("train", "val", "test")


@DATASETS.register()
class Dataset:
    """Photos and masks named by a list file (PaddleSeg's ``Dataset``).

    Args:
        transforms: transforms, ``Normalize`` last.
        dataset_root: folder that the names in the list are relative to.
        num_classes: 2 for portraits.
        mode: ``train``, ``val`` or ``test``: which list is used. Masks may be missing in a test list only.
        train_path: list file of mode train, lines like ``images/x.jpg masks/x.png``.
        val_path: list file of mode val.
        test_path: list file of mode test.
        separator: what stands between the columns.
        ignore_index: mask value that losses and metrics leave out.
        mask_format: what mask values mean: ``auto``, ``binary01``, ``binary255`` or ``soft``.
        img_channels: 3, or 1 for grey batches.
        edge: give batches the person's outline, too (``Batch.edges``).
        weight: how often an epoch sees each photo (fractions allowed).
        cache_mb: memory for decoded photos, kept as they are after the leading transforms without chance.

    Raises:
        UserError: a folder or list is missing, a line is malformed, an argument is out of range.
    """

    def __init__(
        self,
        transforms: Sequence[Any] = (),
        dataset_root: str = ".",
        num_classes: int = 2,
        mode: str = "train",
        train_path: str | None = None,
        val_path: str | None = None,
        test_path: str | None = None,
        separator: str = " ",
        ignore_index: int = 255,
        mask_format: str = "auto",
        img_channels: int = 3,
        edge: bool = False,
        weight: float = 1.0,
        cache_mb: float = 0,
    ) -> None:
        if mode not in _MODES:
            raise UserError("data set: " + describe_unknown("mode", str(mode), _MODES))
        _check_numbers(num_classes, img_channels, weight, cache_mb)
        self.mode, self.num_classes, self.ignore_index = mode, num_classes, ignore_index
        self.dataset_root, self.mask_format, self.edge, self.weight = dataset_root, mask_format, edge, weight
        self.pipeline = Pipeline(transforms, img_channels)
        self.list_path = _list_path(mode, {"train": train_path, "val": val_path, "test": test_path}, dataset_root)
        self.files: list[tuple[str, str | None]] = read_list(self.list_path, dataset_root, separator, mode == "test")
        self._cache = _SampleCache(int(cache_mb * 2**20))
        self._reader: MaskReader | None = None
        self._choosing = threading.Lock()

    def __len__(self) -> int:
        return len(self.files)

    @property
    def masks(self) -> MaskReader:
        """How masks are read; decided at the first use, from a sample of them, and said in the log."""
        with self._choosing:
            if self._reader is None:
                files = [label for _, label in self.files if label is not None]
                self._reader = choose_reader(files, self.mask_format, self.num_classes, self.ignore_index)
                if files:
                    logger.info("%s: masks are %s (%s)", self.list_path, self._reader.describe(), self._reader.reason)
            return self._reader

    @property
    def soft_labels(self) -> bool:
        """Whether labels are float32 probabilities instead of class indices."""
        return self.masks.soft

    def parts(self) -> list[Part]:
        """Return size and weight, for the order of an epoch."""
        return [Part(len(self.files), self.weight)]

    def load(self, index: int) -> Sample:
        """Return photo and label of a line as they are on the disk.

        Raises:
            UserError: a file is missing, damaged, of another size than its partner, or of wrong values.
        """
        path, label_path = self.files[index]
        image = read_image(path)
        if label_path is None:
            return Sample(image, None, path, "", index)
        label = self.masks.read(label_path)
        if label.shape != image.shape[:2]:
            raise UserError(
                f"{label_path} is height {label.shape[0]}, width {label.shape[1]}, but its photo {path} is height "
                f"{image.shape[0]}, width {image.shape[1]} (EXIF orientation applied). Both must have one size."
            )
        return Sample(image, label, path, label_path, index)

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Return a sample after all transforms but ``Normalize``."""
        prepared = self._cache.get(index)
        if prepared is None:
            prepared = self._naming(index, lambda: self.pipeline.prepare(self.load(index)))
            self._cache.put(index, prepared)
        return self._naming(index, lambda: self.pipeline.augment(prepared, rng))

    def _naming(self, index: int, work: Any) -> Sample:
        """Do ``work``; whatever goes wrong in it names the photo."""
        path = self.files[index][0]
        try:
            return work()
        except UserError as error:
            if path in str(error):
                raise
            raise UserError(f"{path}: {error}") from error
        except Exception as error:
            error.add_note(f"while loading {path}") if hasattr(error, "add_note") else None
            raise


def read_list(path: str, root: str, separator: str, masks_optional: bool) -> list[tuple[str, str | None]]:
    """Read a list file.

    Names may contain the separator: of several ways to split a line, the rightmost whose files exist counts.

    Args:
        path: UTF-8 text, one ``image<separator>mask`` a line; empty lines are skipped.
        root: folder that the names are relative to.
        separator: what stands between the columns.
        masks_optional: whether a line may name the photo alone.

    Returns:
        (image, mask or None) for each line, ``root`` included.

    Raises:
        UserError: naming file and line.
    """
    if not separator:
        raise UserError("data set: separator is empty; the usual one is a space.")
    entries: list[tuple[str, str | None]] = []
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: the list is not UTF-8 text ({error.reason} at byte {error.start}).") from None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line:
            entries.append(_split_line(line, f"{path}:{number}", Path(root), separator, masks_optional))
    if not entries:
        raise UserError(f"{path}: the list is empty; it needs a line 'images/x.jpg{separator}masks/x.png' a photo.")
    return entries


def _split_line(line: str, where: str, root: Path, separator: str, masks_optional: bool) -> tuple[str, str | None]:
    columns = line.split(separator)
    splits = [
        (separator.join(columns[:cut]).strip(), separator.join(columns[cut:]).strip())
        for cut in range(len(columns) - 1, 0, -1)
    ]
    pairs = [(str(root / image), str(root / mask)) for image, mask in splits if image and mask]
    if masks_optional and (not pairs or (root / line).is_file()):
        return str(root / line), None
    if len(pairs) == 1:
        return pairs[0]
    for image, mask in pairs:
        if Path(image).is_file() and Path(mask).is_file():
            return image, mask
    if not pairs:
        raise UserError(f"{where}: '{line}' names no mask. Expected: images/x.jpg{separator}masks/x.png.")
    raise UserError(
        f"{where}: '{line}' has {len(columns)} columns, and no way to split it into a photo and a mask gives two "
        f"files that exist under {root}. Expected: images/x.jpg{separator}masks/x.png."
    )


def _list_path(mode: str, paths: dict[str, str | None], root: str) -> str:
    chosen = paths[mode]
    if chosen is None:
        raise UserError(f"data set: mode {mode} needs {mode}_path, the list file of its photos and masks.")
    if not Path(root).is_dir():
        raise UserError(
            f"data set: the folder dataset_root '{root}' does not exist (looked from {Path.cwd()}). "
            "data/README.md says how to fill the folders under data/."
        )
    if not Path(chosen).is_file():
        inside = Path(root) / chosen
        hint = f" '{inside}' does exist: write that." if inside.is_file() else ""
        raise UserError(f"data set: {mode}_path '{chosen}' does not exist (looked from {Path.cwd()}).{hint}")
    return chosen


def _check_numbers(num_classes: int, img_channels: int, weight: float, cache_mb: float) -> None:
    if num_classes < 2 or num_classes > 255:
        raise UserError(f"data set: num_classes must be from 2 to 255, got {num_classes}.")
    if img_channels not in (1, 3):
        raise UserError(f"data set: img_channels must be 1 or 3, got {img_channels}.")
    if not weight > 0:
        raise UserError(f"data set: weight must be over 0, got {weight}.")
    if cache_mb < 0:
        raise UserError(f"data set: cache_mb must be 0 or more, got {cache_mb}.")


class _SampleCache:
    """Samples up to a number of bytes; the first that come stay, for an epoch visits each once anyway."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._samples: dict[int, Sample] = {}
        self._lock = threading.Lock()

    def get(self, index: int) -> Sample | None:
        return self._samples.get(index)

    def put(self, index: int, sample: Sample) -> None:
        size = sample.image.nbytes + (0 if sample.label is None else sample.label.nbytes)
        with self._lock:
            if size <= self._left and index not in self._samples:
                self._left -= size
                self._samples[index] = sample
