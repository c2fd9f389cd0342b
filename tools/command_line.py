"""What the command lines of the tools share; imports neither torch nor cape_mm."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


def new_parser(description: str | None, example: str) -> argparse.ArgumentParser:
    """A parser that shows the tool's docstring and working examples as they are."""
    return argparse.ArgumentParser(
        description=description,
        epilog=example,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """``CHECKPOINT`` and ``--config`` of the tools that use a trained model."""
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='checkpoint file (the one that comes with cape_mm)',
    )
    parser.add_argument('--config', help='config file (that in the checkpoint)')


def add_cfg_options(parser: argparse.ArgumentParser, example: str = '') -> None:
    """``--cfg-options KEY=VALUE ...``."""
    hint = f', e.g. {example}' if example else ''
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=(),
        metavar='KEY=VALUE',
        help=f'override config values{hint}',
    )


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """``--trust-checkpoint``."""
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='load a checkpoint that could run code; only for files of your own',
    )


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """``--launcher``, and ``--local-rank`` for launchers that give it."""
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def export_local_rank(args: argparse.Namespace) -> None:
    """Hand ``--local-rank`` on as PyTorch expects it, and take it out of ``args``."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    del args.local_rank


def library_arguments(args: argparse.Namespace) -> dict:
    """What a tool's library call takes: the options parsed, the local rank exported.

    Imports ``cape_mm``; call it within :func:`run_tool`.

    Raises:
        ConfigError: a text of ``--cfg-options`` is no ``KEY=VALUE``.
    """
    from cape_mm.apis import parse_cfg_options

    if hasattr(args, 'local_rank'):
        export_local_rank(args)
    values = dict(vars(args))
    if 'cfg_options' in values:
        values['cfg_options'] = parse_cfg_options(values['cfg_options'])
    return values


def run_tool(
    work: Callable[[], object],
    interrupt_hint: str = 'Nothing was changed.',
    trust_checkpoint: bool = False,
) -> int:
    """Do a tool's work; what its user caused becomes one message and an exit code.

    Only here is ``cape_mm`` imported: ``--help`` does not wait for torch and mmpose.
    """
    if sys.stderr.isatty():
        print('loading PyTorch and MMPose ...', file=sys.stderr, flush=True)
    # threads that spin while they wait for one that a busy machine has put aside made
    # the demo's backbone up to 35 times slower there
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    from cape_mm.apis import run_cli
    from cape_mm.compat.checkpoint_file import trusting

    with trusting(trust_checkpoint):
        return run_cli(work, interrupt_hint)
