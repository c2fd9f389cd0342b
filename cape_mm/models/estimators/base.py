"""What every estimator does with episodes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.model import BaseModel

from ...structures import EpisodeDataSample, EpisodeInputs, PackedSamples
from ...utils.value_checks import check_choice, check_options
from ..heads import Prediction, QueryTargets
from .loss_graphs import LossGraphs
from .parts import build_part, expect_pretrained
from .samples import collect_targets, fill_predictions

TEST_CFG = dict(mode='ar', cuda_graph=False)
TRAIN_CFG = dict(cuda_graph=False)
ROLES = ('support', 'query')


@dataclass(frozen=True)
class InstanceFeatures:
    """Features of N instances, by the role that they can play in an episode.

    A model decides what is in them; whoever keeps them only picks rows. Both roles may
    share a tensor.

    Attributes:
        as_support: tensors of N rows, what an episode needs of a support.
        as_query: tensors of N rows, what it needs of a query.
    """

    as_support: tuple[torch.Tensor, ...]
    as_query: tuple[torch.Tensor, ...]


class BaseEpisodeEstimator(BaseModel):
    """Base of the estimators: encode episodes, let the head find the points.

    Args:
        test_cfg: ``mode``: how the head predicts, by default 'ar'; ``cuda_graph``: on a
            GPU, replay the head's many small kernels as one CUDA graph.
        train_cfg: ``cuda_graph``: on a GPU, replay forward and backward pass as one
            CUDA graph per batch shape, see :class:`LossGraphs`.
        channels_last: keep images and feature maps of backbones in channels-last
            memory, which GPUs convolve faster in half precision.
        data_preprocessor: config of :class:`EpisodeDataPreprocessor`.
        init_cfg: initialisation, as everywhere in MMEngine.

    Raises:
        ConfigError: a part has no such option, or a value can't be.
    """

    adaptation_lr = 1e-3
    """Learning rate of a training on a user's own pictures."""

    def __init__(
        self,
        test_cfg: dict | None = None,
        train_cfg: dict | None = None,
        channels_last: bool = False,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        # built here: BaseModel would look in MMEngine's registry without a scope
        preprocessor = build_part(
            'data_preprocessor', data_preprocessor, type='EpisodeDataPreprocessor'
        )
        super().__init__(preprocessor, init_cfg)
        self.memory_format = (
            torch.channels_last if channels_last else torch.contiguous_format
        )
        self.test_cfg = TEST_CFG | check_options('model.test_cfg', test_cfg, TEST_CFG)
        self.train_cfg = TRAIN_CFG | check_options(
            'model.train_cfg', train_cfg, TRAIN_CFG
        )
        for name in ('test_cfg', 'train_cfg'):
            value = getattr(self, name)['cuda_graph']
            check_choice(f'model.{name}.cuda_graph', value, (True, False))
        self.loss_graphs = LossGraphs()

    def init_weights(self) -> None:
        """Initialise, and say clearly when pretrained weights can't be had.

        Raises:
            CheckpointError: the weights named in an ``init_cfg`` can't be read or do
                not fit.
        """
        if self.is_init:
            return
        with expect_pretrained(self):
            super().init_weights()

    @abstractmethod
    def encode(self, inputs: EpisodeInputs) -> Any:
        """Images and support keypoints to what the head works on."""

    @abstractmethod
    def encode_instances(
        self, inputs: EpisodeInputs, roles: Collection[str] = ROLES
    ) -> InstanceFeatures:
        """What later episodes need of N instances, each through the backbone once.

        Args:
            inputs: every instance as an episode of its own, which it is the one support
                and the one query of.
            roles: 'support', 'query' or both: what the instances can be later.

        Returns:
            The features, empty without the role.
        """

    @abstractmethod
    def relate_shots(
        self, as_support: tuple[torch.Tensor, ...], inputs: EpisodeInputs
    ) -> Any:
        """Make of a support, once, what all its queries need.

        Args:
            as_support: what :meth:`encode_instances` gave, B * S rows.
            inputs: the episodes; their images are not looked at.

        Returns:
            What :meth:`predict_from_features` takes as ``tokens``.
        """

    def join_features(
        self,
        features: InstanceFeatures,
        inputs: EpisodeInputs,
        tokens: Any | None = None,
    ) -> Any:
        """What the head works on, of images that were encoded before.

        Args:
            features: what :meth:`encode_instances` gave: ``as_support`` of the B * S
                supports, ``as_query`` of the N queries.
            inputs: the episodes; their images are not looked at.
            tokens: what :meth:`relate_shots` made of the supports before; None makes
                them here.
        """
        if tokens is None:
            tokens = self.relate_shots(features.as_support, inputs)
        return self._join(tokens, features.as_query, inputs)

    @abstractmethod
    def _join(
        self, tokens: Any, maps: tuple[torch.Tensor, ...], inputs: EpisodeInputs
    ) -> Any:
        """What the head works on, of related supports and encoded queries."""

    @torch.no_grad()
    def predict_from_features(
        self,
        features: InstanceFeatures,
        inputs: EpisodeInputs,
        tokens: Any | None = None,
    ) -> Prediction:
        """Predict episodes whose images were encoded before; equals :meth:`predict`.

        Args:
            features: see :meth:`join_features`, as for the others.
            inputs: the episodes.
            tokens: what :meth:`relate_shots` made of the supports.
        """
        return self.head(self.join_features(features, inputs, tokens), **self.test_cfg)

    def loss_from_features(
        self, features: InstanceFeatures, inputs: EpisodeInputs, targets: QueryTargets
    ) -> dict[str, torch.Tensor]:
        """Losses of episodes whose images were encoded before, for the head alone.

        Args:
            features: see :meth:`join_features`.
            inputs: the episodes.
            targets: labels of the N queries.
        """
        with torch.no_grad():
            context = self.join_features(features, inputs)
        return self.head.loss(context, targets)

    def adaptable_parameters(self) -> list[str]:
        """Names of the parameters that may follow a user's own pictures."""
        return [
            f'head.{name}'
            for name, weight in self.head.named_parameters()
            if weight.requires_grad and not name.startswith(self.head.never_adapted)
        ]

    def adaptation_loss(
        self, inputs: EpisodeInputs, targets: QueryTargets
    ) -> torch.Tensor:
        """What a user's own pictures train those parameters by, a scalar.

        Args:
            inputs: pairs of pictures, episodes of one support and one query.
            targets: labels of the queries.
        """
        with torch.no_grad():
            context = self.encode(inputs)
        losses = self.head.loss(context, targets)
        return sum(value for name, value in losses.items() if name.startswith('loss'))

    def forward(
        self,
        inputs: EpisodeInputs | None,
        data_samples: list[EpisodeDataSample] | None = None,
        mode: str = 'tensor',
    ):
        """Run the model.

        Args:
            inputs: what the data preprocessor made; None where nothing was loaded.
            data_samples: the episodes; labels of the queries are read in 'loss' only.
            mode: 'loss', 'predict' or 'tensor'.

        Returns:
            'loss': dictionary of scalars. 'predict': the data samples with
            ``pred_instances``. 'tensor': the head's :class:`Prediction`.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.head(self.encode(inputs), **self.test_cfg)
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def loss(
        self, inputs: EpisodeInputs, data_samples: PackedSamples
    ) -> dict[str, torch.Tensor]:
        """Losses of a batch, see the head."""
        targets = collect_targets(data_samples, inputs.hops.device)
        if inputs.features is not None:
            return self.loss_from_features(inputs.features, inputs, targets)
        if not self.train_cfg['cuda_graph']:
            return self.head.loss(self.encode(inputs), targets)

        def compute(*tensors: torch.Tensor) -> dict[str, torch.Tensor]:
            seen, labels = tensors[:num_inputs], tensors[num_inputs:]
            encoded = self.encode(EpisodeInputs(*seen, inputs.num_steps))
            return self.head.loss(encoded, QueryTargets(*labels))

        num_inputs = len(inputs.tensors())
        tensors = (*inputs.tensors(), *targets.tensors())
        return self.loss_graphs.run(self, compute, tensors)

    @torch.no_grad()
    def predict(
        self, inputs: EpisodeInputs | None, data_samples: list[EpisodeDataSample]
    ) -> list[EpisodeDataSample]:
        """Fill ``pred_instances``; coordinates in input pixels and source pixels.

        Raises:
            NonFinitePredictionError: a prediction is NaN or infinite.
        """
        predicted = None
        if inputs is not None:
            predicted = self.head(self.encode(inputs), **self.test_cfg)
        fill_predictions(data_samples, predicted)
        return data_samples
