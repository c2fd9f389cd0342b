"""How a documented command must end, what it must say and which files it must leave."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path

from prepared_process import Finished

CODES = {'check_dataset': (0, 1), 'prepare_mp100': (0, 1)}
"""Exit codes that are no failure, 1: usable with gaps; elsewhere 0 alone."""
FILES = {
    'train': ('{work_dir}/epoch_*.pth', '{work_dir}/*/vis_data/scalars.json'),
    'test': ('{work_dir}/metrics.json', '{work_dir}/metrics.pairs.json'),
    'kfold': ('{work_dir}/kfold.json', '{work_dir}/kfold.tex'),
    'robustness': ('{work_dir}/robustness/*.json', '{work_dir}/robustness/*.png'),
    'freeze_episodes': ('{out}/*_1shot.json', '{out}/*_5shot.json'),
    'prepare_mp100': ('data/mp100/images/quokka_face/*.jpg',),
    'browse_episodes': ('{out}/*.png',),
    'score_dump': ('*.metrics.json', '*.metrics.pairs.json'),
    'predict': ('{out}/*.json', '{out}/*.csv', '{out}/*/*.*'),
    'export': ('{out}/*.onnx', '{out}/onnx_runner.py'),
    'make_synthetic': ('{out}/annotations/*.json', '{out}/images/*/*.jpg'),
}
"""Patterns of what a script makes, in the current folder."""
OPTION_FILES = {
    '--out': ('{out}',),
    '--dump': ('{dump}',),
    '--report': ('{report}/report.html', '{report}/report.md'),
    '--show-dir': ('{show_dir}/*.png',),
    '--slurm': ('{slurm}/submit.sh',),
    '--fix-skeletons': ('data/mp100/annotations/*_fixed_skeletons.json',),
}
"""Patterns of what an option adds to that."""
INSTEAD = ('--dry-run', '--print-commands', '--slurm')
"""With one of these a script makes nothing but what the option adds."""
WORDS = {
    'train': 'Epoch(train)',
    'test': 'PCK@0.2',
    'kfold': 'mp100',
    'robustness': 'query occluded',
    'freeze_episodes': 'sha256',
    'prepare_mp100': 'ambiguous',
    'check_dataset': 'verdict',
    'compare_results': 'categories won',
    'score_dump': 'PCK@0.2',
    'plot_logs': 'best',
    'benchmark': 'ms',
    'predict': 'found',
    'replay_episode': 'loss',
    'cape_mm.compat': 'shims in force',
    'kill_and_resume': 'all equal to the uninterrupted one',
    'memory_over_epochs': 'growth:',
}
"""What a script says on one of its streams."""
EXTRAS = {'demo': ('gradio', 'gradio>=6,<7'), 'export': ('onnx', 'onnxruntime')}
"""Scripts that need a package of an extra, and what their message then names."""


def lacks_extra(name: str) -> bool:
    """Whether a script's extra is not installed."""
    return name in EXTRAS and importlib.util.find_spec(EXTRAS[name][0]) is None


def expected_files(name: str, arguments: Sequence[str]) -> list[str]:
    """Patterns, relative to the current folder, of what a command must leave there."""
    patterns = [] if {*INSTEAD} & {*arguments} else [*FILES.get(name, ())]
    patterns += [p for a in arguments for p in OPTION_FILES.get(a, ())]
    configs = [Path(a).stem for a in arguments if a.startswith('configs/')]
    suffix = '_kfold' if name == 'kfold' else ''
    places = dict(
        work_dir=f'work_dirs/{"".join(configs[:1])}{suffix}', out='work_dirs/episodes'
    )
    for option, value in zip(arguments, arguments[1:]):
        if option.startswith('--'):
            places[option[2:].replace('-', '_')] = value
    return [pattern.format(**places) for pattern in patterns]


def remove_earlier(folder: Path, patterns: Sequence[str]) -> None:
    """Remove what another command left, so that what is found later is this one's."""
    for path in [path for pattern in patterns for path in folder.glob(pattern)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def check_result(name: str, result: Finished, folder: Path, files: list[str]) -> None:
    """Assert that a command did what its page says.

    Args:
        name: of the script, without folder and suffix.
        result: how it ended.
        folder: where it ran.
        files: patterns of what must be there.
    """
    told = f'{result.out[-3000:]}\n{result.err[-3000:]}'
    assert 'Traceback' not in result.out + result.err, told
    if lacks_extra(name):
        assert result.code == 2, told
        assert EXTRAS[name][1] in result.err
        return
    assert result.code in CODES.get(name, (0,)), f'exit code {result.code}\n{told}'
    assert WORDS.get(name, '') in result.out + result.err, told
    missing = [pattern for pattern in files if not any(folder.glob(pattern))]
    assert not missing, f'not written: {missing}\n{told}'
