"""A fingerprint of an evaluation draw: do two results share their episodes?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from ..structures import Episode


def episodes_sha256(episodes: Iterable[Episode]) -> str:
    """SHA-256 of the ids that a list of episodes consists of.

    The hash is that of the UTF-8 JSON text
    ``[[category_id,[support_id,...],[query_id,...]],...]`` without white space. The
    order of episodes, supports and queries counts; seed and index of an episode do not.

    Args:
        episodes: the episodes of all ranks, in the order of evaluation.

    Returns:
        64 hexadecimal digits, the same in every process and on every machine.
    """
    ids = [
        [
            int(episode.category_id),
            [int(ann_id) for ann_id in episode.support_ids],
            [int(ann_id) for ann_id in episode.query_ids],
        ]
        for episode in episodes
    ]
    text = json.dumps(ids, separators=(',', ':'))
    return hashlib.sha256(text.encode('utf-8')).hexdigest()
