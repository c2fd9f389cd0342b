"""Two configs in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import ConfigError
from ...utils.devices import check_device
from .settings import BenchmarkSettings
from .stages import StepTimer, warm_up
from .subject import prepare
from .timing import PeakMemory, alternate, ratio, summarise


def compare(
    configs: Sequence[str | Path],
    settings: BenchmarkSettings,
    cfg_options: Mapping | None,
) -> dict:
    """Run two configs A B A B and relate every pair of neighbours.

    Convention:
        - a turn is ``settings.steps`` steps; its time is divided by its episodes, or in
          prediction by its queries, so configs may differ in batch size
        - a ratio is B's time over A's: above 1, B is slower
        - memory on a GPU is each config's own; on a CPU the process has one peak

    Returns:
        ``A`` and ``B`` with results as of a single run, ``order`` of the turns,
        ``turn_ms`` per item, ``b_over_a`` and ``unit``, the item.

    Raises:
        CapeError: what a config makes impossible.
    """
    if len(configs) != 2:
        raise ConfigError(f'--compare needs two configs, got {len(configs)}')
    if settings.mode not in ('train', 'predict'):
        raise ConfigError('--compare takes --mode train or predict')
    device = check_device(settings.device)
    timers: dict[str, StepTimer] = {}
    memories: dict[str, PeakMemory] = {}
    for name, config in zip('AB', configs):
        memories[name] = PeakMemory(device)
        timers[name] = StepTimer(prepare(config, settings, cfg_options))
        warm_up(timers[name], settings.warmup, memories[name])
    turns = {
        name: lambda timer=timer: timer.run(settings.steps)
        for name, timer in timers.items()
    }
    times, order = alternate(turns, settings.pairs, device)
    unit = 'episode' if settings.mode == 'train' else 'query'
    per_item = {
        name: [time / _items_per_turn(timers[name], unit, settings) for time in values]
        for name, values in times.items()
    }
    results = {
        name: dict(
            config=timer.subject.config,
            input=timer.subject.sizes,
            **timer.results(),
            peak_memory_mib=memories[name].phases,
        )
        for name, timer in timers.items()
    }
    return results | dict(
        order=order,
        unit=unit,
        turn_ms={name: summarise(values) for name, values in per_item.items()},
        b_over_a=ratio(per_item['B'], per_item['A']),
    )


def _items_per_turn(timer: StepTimer, unit: str, settings: BenchmarkSettings) -> float:
    total = timer.num_episodes if unit == 'episode' else timer.num_queries
    return total / settings.pairs
