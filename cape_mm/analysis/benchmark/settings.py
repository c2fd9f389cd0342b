"""What to measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...apis.config_checks import suggest
from ...errors import ConfigError
from ...utils.devices import check_device

MODES = ('train', 'predict', 'decode', 'evaluate', 'infer', 'load')
SMALLEST_INPUT = 32
"""The last stage of a backbone has stride 32."""
DECODE_QUERIES = 64
DECODE_KEYPOINTS = (17, 68)
"""A human pose, and the largest K of MP-100."""


@dataclass(frozen=True)
class BenchmarkSettings:
    """Size and length of a measurement; None takes the value of :meth:`complete`.

    Attributes:
        mode: 'train' (forward, backward, update), 'predict' (from uint8 images to
            keypoints), 'decode' (the head alone, in all of its modes), 'evaluate'
            (the config's whole test, beside the plain loop), 'infer' (pictures through
            :class:`CapeInferencer`, beside the backbone alone) or 'load' (the training
            data's loader, beside the plain loop).
        steps: timed steps; of a comparison, in every turn.
        warmup: steps before them.
        batch_size: episodes B.
        num_queries: Q of every episode.
        num_keypoints: K; several only in 'decode'.
        num_shots: S.
        input_size: side of the square network input in pixels.
        amp: mixed precision.
        device: 'cpu', 'cuda' or 'cuda:<n>'.
        seed: of the weights and of the input.
        loader: take batches from the config's train_dataloader.
        compare: two configs in turn.
        pairs: turns of either config in a comparison, or of either loader in 'load'.
        plain_pairs: support-query pairs of the plain loop in 'evaluate'.
        num_pictures: pictures of a turn in 'load', an even number.
        num_workers: processes of either loader in 'load'.

    Raises:
        ConfigError: a value that cannot be measured.
    """

    mode: str = 'train'
    steps: int = 20
    warmup: int = 5
    batch_size: int | None = None
    num_queries: int | None = None
    num_keypoints: tuple[int, ...] | None = None
    num_shots: int | None = None
    input_size: int | None = None
    amp: bool = False
    device: str | None = None
    seed: int = 0
    loader: bool = False
    compare: bool = False
    pairs: int = 5
    plain_pairs: int = 1000
    num_pictures: int = 200
    num_workers: int = 2

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigError(
                f'--mode must be one of {", ".join(MODES)}, got {self.mode!r}'
                f'{suggest(self.mode, MODES)}'
            )
        self._check_counts()
        self._check_loader()
        check_device(self.device)
        if self.num_pictures % 2:
            raise ConfigError(f'--num-pictures must be even, got {self.num_pictures}')
        if len(self.num_keypoints or ()) > 1 and self.mode != 'decode':
            raise ConfigError('several --num-keypoints need --mode decode')

    def _check_counts(self) -> None:
        lowest = dict(steps=1, warmup=0, pairs=1, plain_pairs=2, batch_size=1)
        lowest |= dict(num_queries=1, num_shots=1, input_size=SMALLEST_INPUT)
        lowest |= dict(num_pictures=6, num_workers=0, seed=0)
        counts = [(name, getattr(self, name)) for name in lowest]
        counts += [('num_keypoints', k) for k in self.num_keypoints or ()]
        for name, count in counts:
            least = lowest.get(name, 1)
            if count is not None and count < least:
                option = name.replace('_', '-')
                raise ConfigError(f'--{option} must be at least {least}, got {count}')

    def _check_loader(self) -> None:
        if not self.loader:
            return
        if self.mode not in ('train', 'predict'):
            raise ConfigError(f'--loader makes no sense with --mode {self.mode}')
        for name in ('num_keypoints', 'input_size'):
            if getattr(self, name) is not None:
                raise ConfigError(
                    f'--loader: the data set decides about --{name.replace("_", "-")}'
                )

    def complete(self, cfg: Mapping) -> dict:
        """Sizes of the made input: as asked, else the config's, else small ones.

        Returns:
            ``batch_size``, ``num_queries``, ``num_shots``, ``input_size`` and
            ``num_keypoints``, a list.
        """
        loader = cfg.get('train_dataloader') or {}
        sampler = loader.get('sampler') or {}
        batch_size, num_queries = 1, 1
        if self.mode == 'train':
            batch_size = loader.get('batch_size', 1)
            num_queries = sampler.get('num_queries', 1)
        elif self.mode == 'decode':
            num_queries = DECODE_QUERIES
        keypoints = DECODE_KEYPOINTS if self.mode == 'decode' else DECODE_KEYPOINTS[:1]
        return dict(
            batch_size=self.batch_size or batch_size,
            num_queries=self.num_queries or num_queries,
            num_shots=self.num_shots or 1,
            input_size=self.input_size or input_size_of(loader),
            num_keypoints=list(self.num_keypoints or keypoints),
        )


def input_size_of(loader: Mapping) -> int:
    """Larger side of what a loader's pipeline warps to; 256 if it does not say."""
    dataset = loader.get('dataset') or {}
    for transform in dataset.get('pipeline') or ():
        if 'input_size' in transform:
            return max(transform['input_size'])
    return 256
