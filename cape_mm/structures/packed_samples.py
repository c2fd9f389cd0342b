"""The data samples of a batch, as one piece between two processes."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence

from .episode_data_sample import EpisodeDataSample


class PackedSamples:
    """Reads like a list of data samples; once pickled, unpacked when first looked at.

    The loader's thread that moves batches to page-locked memory would unpack them while
    the training thread wants Python for itself. It is no ``Sequence`` and no ``list``,
    or that thread would look at every sample all the same.

    Args:
        samples: data samples of B episodes.
    """

    def __init__(self, samples: Sequence[EpisodeDataSample]) -> None:
        self._number = len(samples)
        self._packed = b''
        self._samples: list[EpisodeDataSample] | None = list(samples)

    def __reduce__(self) -> tuple:
        packed = self._packed
        if self._samples is not None:  # they may have been changed since
            packed = pickle.dumps(self._samples, pickle.HIGHEST_PROTOCOL)
        return _unpacked_later, (packed, self._number)

    @property
    def samples(self) -> list[EpisodeDataSample]:
        """The data samples themselves."""
        if self._samples is None:
            self._samples, self._packed = pickle.loads(self._packed), b''
        return self._samples

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, index: int | slice):
        return self.samples[index]

    def __iter__(self) -> Iterator[EpisodeDataSample]:
        return iter(self.samples)


def _unpacked_later(packed: bytes, number: int) -> PackedSamples:
    later = PackedSamples(())
    later._packed, later._number, later._samples = packed, number, None
    return later
