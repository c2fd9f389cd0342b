"""The history that an autoregressive head sees in training."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...utils.value_checks import check_not_negative, check_probability
from .base import QueryTargets


@dataclass(frozen=True)
class History:
    """Coordinates that were emitted, or pretended to be.

    Attributes:
        points: (x, y) in [0, 1], (N, K, 2); carries no gradient.
        is_unknown: the entry is hidden from the decoder, bool (N, K); None hides none.
    """

    points: torch.Tensor
    is_unknown: torch.Tensor | None = None


@dataclass(frozen=True)
class PrefixMix:
    """Mixes true and self-made histories, against exposure bias.

    A decoder that only ever saw the truth behind it trusts a past that it will not
    have at test time. So a share of the queries gets noisy truth, the others the
    model's own proposals, and single entries are hidden. The truth of a keypoint that
    is invisible in the query never enters: its proposal stands in.

    Args:
        truth_prob: share of queries whose history is noisy truth.
        noise_std: standard deviation of the noise on the truth, as a fraction of the
            crop's side.
        drop_prob: share of entries that are hidden.

    Raises:
        ConfigError: a share is none, or the noise negative.
    """

    truth_prob: float = 0.5
    noise_std: float = 0.02
    drop_prob: float = 0.15

    def __post_init__(self) -> None:
        """Check the values."""
        check_probability('prefix_mix.truth_prob', self.truth_prob)
        check_not_negative('prefix_mix.noise_std', self.noise_std)
        check_probability('prefix_mix.drop_prob', self.drop_prob)

    def __call__(
        self,
        proposals: torch.Tensor,
        targets: QueryTargets,
        generator: torch.Generator | None = None,
    ) -> History:
        """Make the history of a batch.

        Args:
            proposals: the model's own points, (N, K, 2).
            targets: the truth.
            generator: source of the choices; None is PyTorch's default.
        """
        own = proposals.detach()
        shape, device = own.shape[:2], own.device
        rows = torch.rand(shape[0], 1, device=device, generator=generator)
        use_truth = (rows < self.truth_prob) & targets.is_visible
        noise = torch.randn(own.shape, device=device, generator=generator)
        noisy = (targets.points + noise * self.noise_std).clamp(0, 1).to(own.dtype)
        points = torch.where(use_truth[..., None], noisy, own)
        hidden = torch.rand(shape, device=device, generator=generator) < self.drop_prob
        return History(points, hidden)
