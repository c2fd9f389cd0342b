"""CapeFormer's head and GraphCape's: match keypoints, then refine all together."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import nn

from ...errors import ConfigError
from ...utils.value_checks import (
    check_at_least,
    check_choice,
    check_options,
    check_positive,
    check_probability,
)
from ..encoders import pool_shots
from ..layers import mask_to_bias, zero_layer
from ..layers.heatmap import (
    local_soft_argmax,
    pool_windows,
    resized_windows,
    window_profiles,
)
from ..layers.refinement import (
    GraphFeedForward,
    PlainFeedForward,
    PostNormEncoderLayer,
    RefinementLayer,
    SimilarityProposals,
    encode_cells,
    encode_places,
    graph_weights,
    inverse_sigmoid,
    soft_argmax,
)
from ..losses import coordinate_l1, mean_over_pairs
from .base import BaseHead, EpisodeContext, Estimate, Prediction, QueryTargets

SHOT_RULES = ('all', 'any')


@MODELS.register_module()
class CapeFormerHead(BaseHead):
    """Finds keypoints as "Matching Is Not Enough" does (Shi et al., CVPR 2023).

    Support features under the keypoints' heat maps become tokens; tokens and query map
    see each other in a transformer; their similarity gives a first place of each
    keypoint, and every layer of a decoder moves it. A sine encoding of its index tells
    a keypoint from the others: permuted keypoints do *not* permute the prediction.

    Convention:
        - inside, places are pixels of the input divided by its side, as the published
          weights expect them; outside, (pixel + 0.5) / side as everywhere

    Args:
        in_channels: of the backbone's map.
        embed_dims: C.
        num_layers: of the encoder and of the decoder.
        num_heads: attention heads.
        hidden_dims: width of the feed-forward networks.
        dropout: probability in every layer.
        input_size: side of the images in pixels.
        heatmap_size: side of the heat maps in cells.
        heatmap_sigma: their standard deviation in cells.
        max_keypoints: largest K.
        shots: 'all': a token is the mean of all supports, and a keypoint is known that
            all of them show, as published; 'any': the mean of those that show it.
        loss_weights: factors of the losses ``heatmap``, ``proposal`` and ``refined``.
        init_cfg: initialisation, as everywhere in MMEngine.

    Raises:
        ConfigError: a value can't be.
    """

    modes = ('parallel',)
    encodes_index = True
    feed_forward = PlainFeedForward

    def __init__(
        self,
        in_channels: int = 2048,
        embed_dims: int = 256,
        num_layers: int = 3,
        num_heads: int = 8,
        hidden_dims: int = 2048,
        dropout: float = 0.1,
        input_size: int = 256,
        heatmap_size: int = 64,
        heatmap_sigma: float = 2.0,
        max_keypoints: int = 100,
        shots: str = 'all',
        loss_weights: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        for name in ('num_layers', 'hidden_dims', 'heatmap_size', 'max_keypoints'):
            check_at_least(name, locals()[name], 1)
        check_probability('dropout', dropout)
        check_positive('heatmap_sigma', heatmap_sigma)
        check_choice('shots', shots, SHOT_RULES)
        self.embed_dims, self.in_channels = embed_dims, in_channels
        self.input_size, self.heatmap_size = input_size, heatmap_size
        self.heatmap_sigma = heatmap_sigma
        self.max_keypoints = max_keypoints
        self.shots = shots
        defaults = dict(heatmap=2.0, proposal=1.0, refined=1.0)
        self.loss_weights = defaults | check_options(
            'loss_weights', loss_weights, defaults
        )
        self.project_map = nn.Conv2d(in_channels, embed_dims, 1)
        self.project_tokens = nn.Linear(in_channels, embed_dims)
        self.encoder = nn.ModuleList(
            PostNormEncoderLayer(embed_dims, num_heads, hidden_dims, dropout)
            for _ in range(num_layers)
        )
        self.similarity = SimilarityProposals(embed_dims)
        self.embed_places = _mlp(embed_dims, [embed_dims] * 2)
        self.decoder = nn.ModuleList(
            RefinementLayer(
                embed_dims,
                num_heads,
                dropout,
                self.feed_forward(embed_dims, hidden_dims, dropout),
            )
            for _ in range(num_layers)
        )
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.xavier_uniform_(weight)
        self.norm = nn.LayerNorm(embed_dims)
        self.moves = nn.ModuleList(
            _mlp(embed_dims, [embed_dims] * 3 + [2]) for _ in range(num_layers)
        )
        for move in self.moves:
            zero_layer(move[-1])

    def pool(self, feature_map: torch.Tensor, keypoints: torch.Tensor) -> torch.Tensor:
        """What support maps (R, in_channels, H, W) show at keypoints (R, K, 2).

        Returns:
            (R, K, in_channels).
        """
        return pool_windows(feature_map, self._profiles(keypoints))

    def known_keypoints(self, is_visible: torch.Tensor) -> torch.Tensor:
        """Which keypoints supports tell, see ``shots``: bool (B, S, K) -> (B, K)."""
        rule = torch.all if self.shots == 'all' else torch.any
        return rule(is_visible, dim=1)

    def merge_shots(
        self, pooled: torch.Tensor, is_visible: torch.Tensor
    ) -> torch.Tensor:
        """One token per keypoint, the mean of the shots that show it.

        Args:
            pooled: (B, S, K, in_channels).
            is_visible: bool (B, S, K).

        Returns:
            (B, K, in_channels), zero where not known.
        """
        is_known = self.known_keypoints(is_visible)
        return pool_shots(pooled, is_visible) * is_known[..., None]

    def match(
        self, context: EpisodeContext
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Let both sides see each other, and compare them.

        Returns:
            Cells (N, H*W, C), tokens (N, K, C), similarities (N, K, H, W).

        Raises:
            ConfigError: more keypoints than ``max_keypoints``.
        """
        num_keypoints = context.is_known.shape[1]
        largest = self.max_keypoints
        # a batch may be padded beyond it
        if num_keypoints > largest and context.is_known[:, largest:].any():
            raise ConfigError(
                f'a category has more than {largest} keypoints: published '
                f'weights are made for so many (model.head.max_keypoints)'
            )
        cells = self.project_map(context.fine_map)
        size = cells.shape[-2:]
        cells = cells.flatten(2).transpose(1, 2)
        tokens = self.project_tokens(context.keypoint_tokens)
        places = torch.cat([self._cell_places(size, cells), self._index_places(tokens)])
        is_key = F.pad(context.is_known, (cells.shape[1], 0), value=True)
        bias = mask_to_bias(is_key, torch.float32)[:, None, None]
        joined = torch.cat([cells, tokens], dim=1)
        for layer in self.encoder:
            joined = layer(joined, places, bias)
        cells, tokens = joined.split([cells.shape[1], num_keypoints], dim=1)
        return cells, tokens, self.similarity(cells, tokens, size)

    def refine(
        self,
        context: EpisodeContext,
        cells: torch.Tensor,
        tokens: torch.Tensor,
        similarity: torch.Tensor,
    ) -> tuple[Estimate, list[torch.Tensor]]:
        """Read first places from the similarities, and move them layer by layer.

        Arguments but for ``context`` are those that :meth:`match` returns.

        Returns:
            The proposals, and the points (N, K, 2) after every layer.
        """
        proposal = Estimate(similarity, *local_soft_argmax(similarity, radius=1))
        cell_places = self._cell_places(similarity.shape[-2:], cells)
        bias = mask_to_bias(context.is_known, torch.float32)[:, None, None]
        graph = graph_weights(context.hops, context.is_known)
        index_places = self._index_places(tokens)
        start, found = proposal.points.detach(), []
        for layer, move in zip(self.decoder, self.moves):
            encoded = encode_places(start, self.embed_dims).to(cells.dtype)
            places = self.embed_places(encoded) + index_places
            tokens = layer(tokens, places, cells, cell_places, bias, graph)
            logits = inverse_sigmoid(start)
            found.append((logits + move(self.norm(tokens)).float()).sigmoid())
            # the next layer starts where the tokens lead as they are
            start = (logits + move(tokens).float()).sigmoid().detach()
        return proposal, found

    def loss(
        self, context: EpisodeContext, targets: QueryTargets
    ) -> dict[str, torch.Tensor]:
        """Losses over keypoints visible in the query and known.

        Returns:
            ``loss_heatmap`` (mean square of the similarities' sigmoid), and the L1 of
            ``loss_proposal`` (the whole map's mean place) and ``loss_refined_<i>``.
        """
        cells, tokens, similarity = self.match(context)
        _, found = self.refine(context, cells, tokens, similarity)
        is_scored = targets.is_visible & context.is_known
        truth = targets.points - self._half_pixel
        weight = self.loss_weights
        wanted = resized_windows(self._profiles(targets.points), similarity.shape[-2:])
        errors = (similarity.float().sigmoid() - wanted).square().mean(dim=(2, 3))
        first = coordinate_l1(soft_argmax(similarity), truth, is_scored)
        losses = dict(
            loss_heatmap=weight['heatmap'] * mean_over_pairs(errors, is_scored),
            loss_proposal=weight['proposal'] * first,
        )
        for index, points in enumerate(found):
            distance = coordinate_l1(points, truth, is_scored)
            losses[f'loss_refined_{index}'] = weight['refined'] * distance
        return losses

    def predict(self, context: EpisodeContext, mode: str = 'parallel') -> Prediction:
        """Find the keypoints.

        Args:
            context: encoded episodes; ``keypoint_tokens`` are pooled support features
                (N, K, in_channels), ``fine_map`` is (N, in_channels, H, W).
            mode: 'parallel', the only one.

        Returns:
            The prediction; the confidence is the similarity's mass about its peak.
        """
        self.check_mode(mode)
        proposal, found = self.refine(context, *self.match(context))
        points = found[-1] + self._half_pixel
        return Prediction(points, proposal.scores).hide_unknown(context.is_known)

    @property
    def _half_pixel(self) -> float:
        return 0.5 / self.input_size

    def _profiles(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return window_profiles(
            points, self.heatmap_size, self.heatmap_sigma, self.input_size
        )

    def _cell_places(self, size: tuple[int, int], like: torch.Tensor) -> torch.Tensor:
        return encode_cells(*size, self.embed_dims, like.device).to(like.dtype)

    def _index_places(self, tokens: torch.Tensor) -> torch.Tensor:
        if not self.encodes_index:
            return torch.zeros_like(tokens[0])
        places = encode_cells(
            *(1, tokens.shape[1], self.embed_dims),
            device=tokens.device,
            whole_width=self.max_keypoints,
        )
        return places.to(tokens.dtype)


@MODELS.register_module()
class GraphCapeHead(CapeFormerHead):
    """Finds keypoints as "Pose Anything" does (Hirschorn and Avidan, ECCV 2024).

    The decoder's feed-forward networks mix a keypoint with its neighbours on the
    skeleton, and no encoding of the index is left: permuted keypoints permute the
    prediction. An empty skeleton is one without neighbours.

    Args:
        heatmap_sigma: see :class:`CapeFormerHead`.
        **kwargs: its other arguments.
    """

    encodes_index = False
    feed_forward = GraphFeedForward

    def __init__(self, heatmap_sigma: float = 1.0, **kwargs) -> None:
        super().__init__(heatmap_sigma=heatmap_sigma, **kwargs)


def _mlp(in_dims: int, widths: list[int]) -> nn.Sequential:
    """Linear layers with a GELU between them."""
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(in_dims, width), nn.GELU()]
        in_dims = width
    return nn.Sequential(*layers[:-1])
