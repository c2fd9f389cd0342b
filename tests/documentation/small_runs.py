"""What is added to a documented command so that it takes seconds.

Sizes, counts and devices only. What the page's own line says is never overridden, save
for the keys of :data:`FORCED`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence

FORCED = {
    *('train_dataloader.batch_size', 'train_dataloader.num_workers'),
    'train_dataloader.sampler.episodes_per_epoch',
    'test_dataloader.sampler.episodes_per_category',
    'test_dataloader.sampler.num_queries',
}
"""Keys whose documented value would take too long."""
NARROW = (
    *('model.embed_dims=16', 'model.neck.out_channels=16'),
    *('model.neck.in_channels=[16,32,64]', 'model.backbone.depth=18'),
    *('model.backbone.stem_channels=8', 'model.backbone.base_channels=8'),
    'model.backbone.init_cfg=None',  # nothing is downloaded
)
FEW = (
    *('train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False'),
    *('val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False'),
    *('test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False'),
    *('train_dataloader.batch_size=2', 'train_dataloader.sampler.num_queries=1'),
    *('val_dataloader.sampler.num_queries=2', 'test_dataloader.sampler.num_queries=2'),
    'train_dataloader.sampler.episodes_per_epoch=4',
    'val_dataloader.sampler.episodes_per_category=1',
    'test_dataloader.sampler.episodes_per_category=1',
    *('default_hooks.logger.interval=1',),
)
PIXELS = (
    'train_dataloader.dataset.pipeline.4.input_size=(64,64)',
    'val_dataloader.dataset.pipeline.2.input_size=(64,64)',
    'test_dataloader.dataset.pipeline.2.input_size=(64,64)',
)
SINGLE = (
    'train_dataloader.dataset.pipeline.2.input_size=(64,64)',
    'val_dataloader.dataset.pipeline.2.input_size=(64,64)',
    'train_cfg.max_epochs=1',
)
GROUPS = 'model.backbone.norm_cfg.num_groups=4'
CONFIG_OPTIONS = {
    'configs/cape_tiny.py': (*NARROW, *FEW, *PIXELS, GROUPS),
    'configs/cape_synthetic.py': (*NARROW, *FEW, *PIXELS, GROUPS),
    'configs/cape_mp100.py': (*NARROW, *FEW, *PIXELS, 'train_cfg.max_epochs=1'),
    'configs/cape_custom.py': (*NARROW, *FEW, *PIXELS, 'train_cfg.max_epochs=1'),
    'configs/debug_single_image.py': (*NARROW, *FEW, *SINGLE, GROUPS),
}
"""For ``--cfg-options``, by config."""
ARGUMENTS = {
    'tools/benchmark.py': (
        *('--steps', '1', '--warmup', '0', '--pairs', '1', '--num-pictures', '6'),
        *('--plain-pairs', '4', '--device', 'cpu'),
    ),
    'tools/browse_episodes.py': ('--num', '2', '--panel-size', '64'),
    'tools/robustness.py': ('--episodes-per-category', '1'),
    'tools/dist_train.sh': ('--work-dir', 'work_dirs/distributed'),
    'tests/reliability/kill_and_resume.py': ('--kills', '1', '--epochs', '1'),
    'tests/reliability/memory_over_epochs.py': ('--epochs', '6'),
}
"""Other arguments, by script; the last one of a name counts."""
BEFORE = {
    'work_dirs/x': 'small_patches:spoil_seventh_loss',
    'tools/make_synthetic.py': 'small_patches:shrink_data_sets',
    'tools/kfold.py': 'small_patches:run_folds_in_forks',
}
"""What is called before a command that has this word."""


def free_port() -> int:
    """A port of this machine that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def shrink(words: Sequence[str]) -> list[str]:
    """A script and its arguments, with what makes them small.

    Raises:
        AssertionError: :data:`CONFIG_OPTIONS` has no line for a config.
    """
    script, *arguments = words
    if script == 'tools/demo.py':
        return [script, *arguments, '--port', str(free_port())]
    configs = [w for w in arguments if w.startswith('configs/') and w.endswith('.py')]
    unknown = [config for config in configs if config not in CONFIG_OPTIONS]
    assert not unknown, f'{__file__}: CONFIG_OPTIONS needs a line for {unknown}'
    added = [option for config in configs for option in CONFIG_OPTIONS[config]]
    options = merge(options_of(arguments), added)
    arguments = [*without_options(arguments), *ARGUMENTS.get(script, ())]
    return [script, *arguments, *(('--cfg-options', *options) if options else ())]


def merge(documented: Iterable[str], added: Iterable[str]) -> list[str]:
    """The documented ``key=value`` texts with the added ones.

    An added one replaces a documented one of its key only if that is :data:`FORCED`.
    """
    values = {key_of(option): option for option in documented}
    for option in added:
        if key_of(option) not in values or key_of(option) in FORCED:
            values[key_of(option)] = option
    return list(values.values())


def key_of(option: str) -> str:
    """``'a.b'`` of ``'a.b=3'``."""
    return option.partition('=')[0]


def options_of(arguments: Sequence[str]) -> list[str]:
    """What stands after ``--cfg-options``."""
    return [arguments[i] for i in _places_of_options(arguments)]


def without_options(arguments: Sequence[str]) -> list[str]:
    """All arguments but ``--cfg-options`` and what belongs to it."""
    left_out = {*_places_of_options(arguments)}
    return [
        word
        for place, word in enumerate(arguments)
        if place not in left_out and word != '--cfg-options'
    ]


def _places_of_options(arguments: Sequence[str]) -> list[int]:
    places, is_option = [], False
    for place, word in enumerate(arguments):
        if word.startswith('--'):
            is_option = word == '--cfg-options'
        elif is_option:
            places.append(place)
    return places


def find_patch(words: Sequence[str]) -> str | None:
    """Function to call before a command, as :data:`BEFORE` says."""
    return next((BEFORE[word] for word in words if word in BEFORE), None)
