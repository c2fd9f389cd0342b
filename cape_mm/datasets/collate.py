"""Batches of episodes."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.registry import FUNCTIONS

from ..structures import ImageStack


@FUNCTIONS.register_module()
def collate_episodes(items: Sequence[dict]) -> dict:
    """Collate data set items so that a batch travels as two tensors.

    The result reads like that of MMEngine's ``pseudo_collate``:
    ``inputs['support'][i]`` are the images of episode ``i``.

    Args:
        items: what :class:`MP100EpisodeDataset` returns, B of them.

    Returns:
        ``inputs`` with :class:`ImageStack` ``support`` and ``query``, and
        ``data_samples``, a list of B.
    """
    inputs = [item['inputs'] for item in items]
    return dict(
        inputs=dict(
            support=ImageStack.from_list([part['support'] for part in inputs]),
            query=ImageStack.from_list([part['query'] for part in inputs]),
        ),
        data_samples=[item['data_samples'] for item in items],
    )
