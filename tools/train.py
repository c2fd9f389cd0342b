"""Train a model from a config."""

from __future__ import annotations

import argparse
import sys

from command_line import (
    add_cfg_options,
    add_launcher,
    add_trust_option,
    library_arguments,
    new_parser,
    run_tool,
)

EXAMPLE = """example:
  python tools/train.py configs/cape_tiny.py --work-dir work_dirs/tiny
  python tools/train.py configs/cape_tiny.py --work-dir work_dirs/tiny --resume
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line; the argument names are MMPose's."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir', help='folder for logs and checkpoints (work_dirs/<config>)'
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from this checkpoint, or from the latest in the work directory',
    )
    add_trust_option(parser)
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument(
        '--no-validate', action='store_true', help='no validation during training'
    )
    add_cfg_options(parser, 'train_cfg.max_epochs=3 data_root=/data/x')
    add_launcher(parser)
    return parser.parse_args()


def main() -> int:
    """Train."""
    args = parse_args()

    def work() -> None:
        from cape_mm.apis import train

        train(**library_arguments(args))

    hint = 'Finished epochs are saved: run the same command with --resume.'
    return run_tool(work, hint)


if __name__ == '__main__':
    sys.exit(main())
