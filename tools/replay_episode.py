"""Run the batches of a skipped update again: same episodes, same augmentation.

Training writes FILE where a loss or gradient was NaN or infinite. Every part of the
loss is printed, and which gradients are bad. The exit code is 1 if any still is.
"""

from __future__ import annotations

import argparse
import sys

EXAMPLE = """example:
  python tools/replay_episode.py work_dirs/tiny/bad_steps/iter_0000123.json \\
      configs/cape_tiny.py work_dirs/tiny/epoch_4.pth
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('file', help='record of a skipped update')
    parser.add_argument('config', help='config file of the training')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='weights (those written with the record, else initial ones)',
    )
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='load a checkpoint that could run code; only for files of your own',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        metavar='KEY=VALUE',
        help='the overrides that the training had, e.g. data_root=/data/x',
    )
    return parser.parse_args()


def main() -> int:
    """Replay."""
    args = parse_args()
    # Not at the top: --help should not wait for torch and mmpose.
    from cape_mm.apis import parse_cfg_options, run_cli
    from cape_mm.apis.replay import describe_replays, replay
    from cape_mm.compat.checkpoint_file import trusting

    results = []

    def work() -> None:
        options = parse_cfg_options(args.cfg_options)
        results.extend(replay(args.file, args.config, args.checkpoint, options))
        print(describe_replays(results))

    with trusting(args.trust_checkpoint):
        code = run_cli(work)
    return code or int(any(result.is_bad() for result in results))


if __name__ == '__main__':
    sys.exit(main())
