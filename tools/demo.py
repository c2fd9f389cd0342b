"""Open a web page to mark keypoints on one picture and get them on others.

The page is on this machine only.
"""

from __future__ import annotations

import argparse
import sys

from command_line import add_model, add_trust_option, new_parser, run_tool

EXAMPLE = """examples:
  python tools/demo.py
  python tools/demo.py work_dirs/cape_tiny/epoch_4.pth --port 8000
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    add_model(parser)
    parser.add_argument('--device', help="e.g. 'cuda:1' (a GPU if there is one)")
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen at; 0.0.0.0 lets everybody use the page (127.0.0.1)',
    )
    parser.add_argument('--port', type=int, default=7860, help='port (7860)')
    add_trust_option(parser)
    return parser.parse_args()


def main() -> int:
    """Serve."""
    args = parse_args()

    def open_page() -> None:
        from cape_mm.demo import serve

        serve(args.checkpoint, args.config, args.device, args.host, args.port)

    return run_tool(open_page, 'The page is closed.', args.trust_checkpoint)


if __name__ == '__main__':
    sys.exit(main())
