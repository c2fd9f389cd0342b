"""Open a web page to mark keypoints on one picture and get them on others.

The page is on this machine only. Without a checkpoint it uses that of `make demo`.
"""

from __future__ import annotations

import argparse
import sys

EXAMPLE = """examples:
  python tools/demo.py
  python tools/demo.py work_dirs/cape_tiny/epoch_4.pth --port 8000
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'checkpoint', nargs='?', help='checkpoint file (the last one of `make demo`)'
    )
    parser.add_argument('--config', help='config file (that in the checkpoint)')
    parser.add_argument('--device', help="e.g. 'cuda:1' (a GPU if there is one)")
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen at; 0.0.0.0 lets everybody use the page (127.0.0.1)',
    )
    parser.add_argument('--port', type=int, default=7860, help='port (7860)')
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='load a checkpoint that could run code; only for files of your own',
    )
    return parser.parse_args()


def main() -> int:
    """Serve."""
    args = parse_args()
    # Not at the top: --help should not wait for torch and mmpose.
    from cape_mm.apis import run_cli
    from cape_mm.checkpoint_file import trusting
    from cape_mm.demo import serve

    with trusting(args.trust_checkpoint):
        return run_cli(
            lambda: serve(
                args.checkpoint, args.config, args.device, args.host, args.port
            ),
            interrupt_hint='The page is closed.',
        )


if __name__ == '__main__':
    sys.exit(main())
