"""Loading of batches, in threads: OpenCV and file reading release Python's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from paddle_portrait.data.batch import Batch
from paddle_portrait.data.datasets.base import EvalItem, PortraitDataset
from paddle_portrait.data.datasets.foreign import as_dataset
from paddle_portrait.data.sample import Sample
from paddle_portrait.data.sampling import batch_size_wh, epoch_order
from paddle_portrait.data.transforms.foreign import as_transform, name_of
from paddle_portrait.data.transforms.moving import resize_sample
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.steps import size_pair

_BATCHES_AHEAD_PER_WORKER = 2

LoadableDataset = PortraitDataset | Any  # ours, or one of the installed paddleseg package


class _Prefetcher:
    """Runs ``make(k)`` for k = first, first + 1, … in threads and hands the results out in order."""

    def __init__(self, make: Callable[[int], list[Batch]], first: int, stop: int | None, num_workers: int) -> None:
        self._make, self._next, self._stop = make, first, stop
        self._pool = ThreadPoolExecutor(num_workers, thread_name_prefix="loader") if num_workers else None
        self._depth = num_workers * _BATCHES_AHEAD_PER_WORKER
        self._pending: deque[Future[list[Batch]]] = deque()

    def __iter__(self) -> Iterator[list[Batch]]:
        try:
            while self._stop is None or self._next < self._stop or self._pending:
                yield self._pop()
        finally:
            self.close()

    def close(self) -> None:
        """Stop the threads; batches not yet handed out are dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._pending.clear()

    def _pop(self) -> list[Batch]:
        if self._pool is None:
            self._next += 1
            return self._make(self._next - 1)
        while len(self._pending) < self._depth and (self._stop is None or self._next < self._stop):
            self._pending.append(self._pool.submit(self._make, self._next))
            self._next += 1
        return self._pending.popleft().result()


class _Loader:
    """Context management that both loaders share."""

    def __init__(self, num_workers: int) -> None:
        if num_workers < 0:
            raise UserError(f"num_workers must be 0 or more, got {num_workers}.")
        self.num_workers = num_workers
        self._running: list[_Prefetcher] = []
        # The loader's own threads are the parallelism; OpenCV's, on small images, only get in their way.
        cv2.setNumThreads(1)

    def _start(self, make: Callable[[int], list[Batch]], first: int, stop: int | None) -> Iterator[Batch]:
        prefetcher = _Prefetcher(make, first, stop, self.num_workers)
        self._running.append(prefetcher)
        try:
            for batches in prefetcher:
                yield from batches
        finally:
            self._running.remove(prefetcher)

    def close(self) -> None:
        """Stop all threads. A closed loader can be iterated anew."""
        for prefetcher in list(self._running):
            prefetcher.close()

    def __enter__(self) -> _Loader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class BatchLoader(_Loader):
    """Training batches without end; the batch of iteration k depends on seed and k alone.

    Every epoch is a new permutation; each sample's randomness comes from (seed, epoch, index, repetition). With
    several processes, ``batch_size`` is that of all together: each takes its share of the same global batch.

    Args:
        dataset: what to load.
        batch_size: samples of an iteration over all processes.
        seed: start of all randomness.
        num_workers: threads that load ahead; 0 loads when a batch is asked for.
        rank: number of this process.
        world_size: number of processes.
        start_iteration: first iteration (0-based) to give out; costs no loading of earlier ones.
        drop_last: leave out the samples at an epoch's end that fill no batch; else the last batch is smaller.
        texture: photometric transforms that make a second view of each crop (``Batch.textured``); ours, or the
            installed paddleseg's.
        batch_sizes_wh: [width, height] pairs; each batch is stretched to one of them, drawn from (seed, iteration).
            LikeUnet (github.com/toytag/humanMatting) was trained so, for frames of any aspect. A pair may be listed
            twice to be drawn more often. Empty: the transforms decide the size.

    Raises:
        UserError: fewer samples than a batch needs, or a batch that cannot be split evenly over the processes.
    """

    def __init__(
        self,
        dataset: LoadableDataset,
        batch_size: int,
        seed: int,
        num_workers: int = 0,
        rank: int = 0,
        world_size: int = 1,
        start_iteration: int = 0,
        drop_last: bool = True,
        texture: Sequence[Any] = (),
        batch_sizes_wh: Sequence[Sequence[int]] = (),
    ) -> None:
        super().__init__(num_workers)
        self.dataset, self.batch_size, self.seed = as_dataset(dataset), batch_size, seed
        self.rank, self.world_size, self.start_iteration = rank, world_size, start_iteration
        self._texture = tuple(as_transform(item) for item in texture)
        self._sizes_wh = [size_pair("batch_sizes_wh", "each size", size) for size in batch_sizes_wh]
        self._parts = self.dataset.parts()
        length = sum(part.length for part in self._parts)
        _check_batch(length, batch_size, rank, world_size)
        rest = 0 if drop_last else length % batch_size
        if rest and rest < world_size:
            raise UserError(f"the last batch of an epoch has {rest} samples for {world_size} processes; use drop_last.")
        self.iterations_per_epoch = length // batch_size + (rest > 0)
        self._order: tuple[int, tuple[np.ndarray, np.ndarray]] = (-1, (np.empty(0), np.empty(0)))

    def __iter__(self) -> Iterator[Batch]:
        return self._start(lambda k: [self.batch(k)], self.start_iteration, None)

    def batch(self, iteration: int) -> Batch:
        """Return this process's share of the batch of ``iteration`` (0-based)."""
        epoch, position = divmod(iteration, self.iterations_per_epoch)
        order, repeats = self._epoch(epoch)
        here = slice(position * self.batch_size, (position + 1) * self.batch_size)
        mine = np.array_split(np.arange(len(order))[here], self.world_size)[self.rank]
        samples, views = [], []
        for place in mine:
            rng = np.random.default_rng([self.seed, epoch, int(order[place]), int(repeats[place])])
            samples.append(self._fit(self.dataset.sample(int(order[place]), rng), iteration))
            if self._texture:
                views.append(self._second_view(samples[-1], rng))
        return self.dataset.collate(samples, views)

    def _fit(self, sample: Sample, iteration: int) -> Sample:
        if not self._sizes_wh:
            return sample
        if sample.image.dtype != np.uint8:
            raise UserError("batch_sizes_wh: this data set normalises its images on its own. Use type: Dataset.")
        return resize_sample(sample, batch_size_wh(self._sizes_wh, self.seed, iteration)[::-1])

    def _second_view(self, sample: Sample, rng: np.random.Generator) -> Sample:
        view = sample
        for transform in self._texture:
            view = transform(view, rng)
            moved = view.label is not sample.label
            if moved and not np.array_equal(np.asarray(view.label), np.asarray(sample.label)):
                raise UserError(
                    f"consistency_transforms: {name_of(transform)} moves the picture. Both views of a crop must "
                    "have one geometry; use transforms of colour, blur and noise."
                )
        return view

    def _epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        known, order = self._order  # one read: another thread may put the next epoch in its place meanwhile
        if known != epoch:
            order = epoch_order(self._parts, self.seed, epoch)
            self._order = (epoch, order)
        return order


class EvalLoader(_Loader):
    """Each sample once, in order, with its label at the label's own size and the way back to it.

    Images whose tensors differ in size go into separate batches. With several processes, rank r takes the
    samples r, r + world_size, ….

    Args:
        dataset: what to load; its transforms must be deterministic.
        batch_size: largest number of samples in a batch.
        num_workers: threads that load ahead.
        rank: number of this process.
        world_size: number of processes.
    """

    def __init__(
        self,
        dataset: LoadableDataset,
        batch_size: int = 1,
        num_workers: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(num_workers)
        if batch_size < 1:
            raise UserError(f"batch_size must be 1 or more, got {batch_size}.")
        self.dataset, self.batch_size = as_dataset(dataset), batch_size
        self.dataset.check_evaluation()
        self._indices = range(rank, len(self.dataset), world_size)

    def __len__(self) -> int:
        """Samples that this process sees."""
        return len(self._indices)

    def __iter__(self) -> Iterator[Batch]:
        groups = -(-len(self._indices) // self.batch_size)
        return self._start(self._group, 0, groups)

    def _group(self, number: int) -> list[Batch]:
        indices = self._indices[number * self.batch_size : (number + 1) * self.batch_size]
        items = [(index, self.dataset.eval_item(index)) for index in indices]
        return [_eval_batch(list(alike)) for _, alike in groupby(items, key=lambda item: item[1].tensor.shape)]


def _eval_batch(items: Sequence[tuple[int, EvalItem]]) -> Batch:
    return Batch(
        images=np.stack([item.tensor for _, item in items]),
        labels=[item.label for _, item in items],
        paths=[item.path for _, item in items],
        indices=[index for index, _ in items],
        geometries=[item.geometry for _, item in items],
    )


def _check_batch(length: int, batch_size: int, rank: int, world_size: int) -> None:
    if batch_size < 1:
        raise UserError(f"batch_size must be 1 or more, got {batch_size}.")
    if batch_size % world_size:
        raise UserError(f"a batch of {batch_size} cannot be split evenly over {world_size} processes.")
    if not 0 <= rank < world_size:
        raise UserError(f"rank {rank} is outside 0..{world_size - 1}.")
    if length < batch_size:
        raise UserError(
            f"the training set gives {length} samples an epoch, fewer than a batch of {batch_size}. "
            "Lower batch_size, add photos, or give the data set a larger weight."
        )
