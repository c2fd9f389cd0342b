"""Proposals from a similarity map, refined by an autoregressive decoder."""

from __future__ import annotations

import torch
from mmpose.registry import MODELS
from torch import nn

from ...utils.value_checks import check_choice, check_options, check_probability
from ..layers import zero_layer
from .autoregressive_decoder import AutoregressiveDecoder
from .base import EpisodeContext, Estimate, Prediction, QueryTargets
from .decode_order import fixed_random_order, mixed_order, skeleton_order
from .decoding import decode_in_passes, decode_in_steps
from .prefix_mix import History, PrefixMix
from .proposal_head import ProposalHead

TEST_ORDERS = ('skeleton', 'random')
TEST_DECODINGS = ('steps', 'passes')


@MODELS.register_module()
class AutoregressiveHead(ProposalHead):
    """Finds the keypoints in parallel, then again one by one.

    The similarity of every keypoint token with the fine query map is a heat map, its
    peak the *proposal*. The decoder then visits the keypoints along the skeleton; each
    step sees the coordinates that were emitted before it and corrects the keypoint's
    token, from which the same similarity reads the final heat map. The correction
    starts at zero: an untrained decoder returns its proposals. There are exactly as
    many steps as support-visible keypoints; the same result is had in a few passes over
    all of them, see :mod:`~cape_mm.models.heads.decoding`.

    Args:
        embed_dims: C.
        num_layers: decoder layers.
        num_heads: attention heads.
        max_hops: largest graph distance that is told apart; 0 leaves no graph.
        dropout: probability in the decoder's layers.
        prefix_mix: arguments of :class:`PrefixMix`.
        random_order_prob: share of training queries decoded in random order.
        test_order: 'skeleton', or 'random' (one draw for all queries, for ablation).
        test_decoding: 'steps', one after the other with a key-value cache; or 'passes',
            all at once until the points no longer move: the same points, more to
            compute and less to wait for. None: passes on a CPU, where they pay, and
            steps on a GPU, which they would wait for once in every pass, so that they
            are never recorded as a CUDA graph.
        use_proposals: the decoder is told the proposals, and they are trained. Without
            (for ablation), it has nothing but the keypoints and the history.
        **kwargs: arguments of :class:`ProposalHead`.

    Raises:
        ConfigError: a value can't be.
    """

    modes = ('parallel', 'ar', 'ar+refine')
    never_adapted = ('reliability',)  # pairs of the same picture are too easy

    def __init__(
        self,
        embed_dims: int = 256,
        num_layers: int = 3,
        num_heads: int = 8,
        max_hops: int = 4,
        dropout: float = 0.0,
        prefix_mix: dict | None = None,
        random_order_prob: float = 0.5,
        test_order: str = 'skeleton',
        test_decoding: str | None = None,
        use_proposals: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(embed_dims, **kwargs)
        check_choice('test_order', test_order, TEST_ORDERS)
        if test_decoding is not None:
            check_choice('test_decoding', test_decoding, TEST_DECODINGS)
        check_probability('random_order_prob', random_order_prob)
        self.random_order_prob = random_order_prob
        self.test_order = test_order
        self.test_decoding = test_decoding
        # a graph can't take numbers from the CPU, nor decide that it is done
        self.capturable = test_order != 'random' and test_decoding != 'passes'
        self.use_proposals = use_proposals
        self.prefix_mix = PrefixMix(
            **check_options('prefix_mix', prefix_mix, PrefixMix)
        )
        self.decoder = AutoregressiveDecoder(
            embed_dims, num_layers, num_heads, max_hops, dropout
        )
        self.correction = nn.Linear(embed_dims, embed_dims)
        zero_layer(self.correction)

    def refine(
        self,
        context: EpisodeContext,
        proposals: torch.Tensor | None,
        emitted: History,
        order: torch.Tensor,
        sees_all: bool = False,
    ) -> tuple[torch.Tensor, Estimate]:
        """All decoder steps in one pass, given the history they would have.

        Arguments as in :meth:`AutoregressiveDecoder.forward`.

        Returns:
            The corrected tokens (N, K, C) and what they find.
        """
        answers = self.decoder(context, proposals, emitted, order, sees_all)
        return self._search(context.keypoint_tokens, answers, context.fine_map)

    def _search(
        self, tokens: torch.Tensor, answers: torch.Tensor, fine_map: torch.Tensor
    ) -> tuple[torch.Tensor, Estimate]:
        tokens = tokens + self.correction(answers)
        return tokens, self.readout(tokens, fine_map)

    def decode(
        self,
        context: EpisodeContext,
        proposals: torch.Tensor | None,
        order: torch.Tensor,
    ) -> tuple[torch.Tensor, Estimate]:
        """One cached step per known keypoint, see :func:`decode_in_steps`."""
        return decode_in_steps(self.decoder, self._search, context, proposals, order)

    def loss(
        self, context: EpisodeContext, targets: QueryTargets
    ) -> dict[str, torch.Tensor]:
        """Losses of proposals, decoder, confidence and visibility.

        Scored are keypoints visible in the query and in some support.

        Returns:
            ``loss_proposal_*`` and ``loss_decoder_*`` with ``heatmap`` and
            ``coordinate``; ``loss_confidence``; ``loss_visibility``.
        """
        proposal = self.propose(context)
        first = proposal.points.detach()
        order = mixed_order(
            context.hops,
            self._order_scores(proposal),
            context.is_known,
            self.random_order_prob,
        )
        emitted = self.prefix_mix(first, targets)
        if not self.use_proposals:
            first = None
            # there is no guess to stand in for what the query does not show
            is_unknown = emitted.is_unknown | ~targets.is_visible
            emitted = History(emitted.points, is_unknown)
        tokens, decoded = self.refine(context, first, emitted, order)
        is_scored = targets.is_visible & context.is_known
        losses = self.readout.loss(decoded, targets, is_scored, 'decoder')
        if self.use_proposals:
            losses |= self.readout.loss(proposal, targets, is_scored, 'proposal')
        guess = proposal if self.use_proposals else decoded
        return losses | self.reliability.loss(context, tokens, decoded, guess, targets)

    def predict(self, context: EpisodeContext, mode: str = 'ar') -> Prediction:
        """Find the keypoints.

        Args:
            context: encoded episodes.
            mode: 'parallel' returns the proposals, 'ar' decodes step by step,
                'ar+refine' adds a pass in which every keypoint sees all others;
                training never takes that pass.

        Returns:
            The prediction; an unknown keypoint gets the crop's centre and zeros.

        Raises:
            ConfigError: unknown mode.
        """
        self.check_mode(mode)
        if mode == 'parallel':
            return super().predict(context, mode)
        proposal = self.propose(context)
        first = proposal.points if self.use_proposals else None
        order = self._test_order(context, proposal)
        on_cpu = context.fine_map.device.type == 'cpu'
        if (self.test_decoding or TEST_DECODINGS[on_cpu]) == 'steps':
            tokens, found = self.decode(context, first, order)
        else:
            tokens, found = decode_in_passes(
                self.decoder, self._search, context, first, order, proposal.points
            )
        if mode == 'ar+refine':
            emitted = History(found.points)
            start = found.points if self.use_proposals else None
            tokens, found = self.refine(context, start, emitted, order, sees_all=True)
        guess = proposal if self.use_proposals else found
        return self.reliability.judge(context, tokens, found, guess)

    def _order_scores(self, proposal: Estimate) -> torch.Tensor:
        scores = proposal.scores.detach()
        return scores if self.use_proposals else torch.zeros_like(scores)

    def _test_order(self, context: EpisodeContext, proposal: Estimate) -> torch.Tensor:
        if self.test_order == 'random':
            return fixed_random_order(context.is_known)
        scores = self._order_scores(proposal)
        return skeleton_order(context.hops, scores, context.is_known)
