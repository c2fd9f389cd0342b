"""Turn a published checkpoint of CapeFormer or GraphCape into one of ours."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import library_arguments, new_parser, run_tool  # noqa: E402

CONFIGS = Path(__file__).resolve().parents[2] / 'configs/peers'
EXAMPLE = """example:
  python tools/model_converters/convert_peer.py capeformer-split1-1shot.pth \\
      --method capeformer --out work_dirs/capeformer_split1.pth

Where the files come from: docs/peers.md. No code in them is run.
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument('checkpoint', help='file that the authors distribute')
    parser.add_argument('--method', required=True, help='capeformer or graphcape')
    parser.add_argument('--out', required=True, metavar='FILE', help='file to write')
    return parser.parse_args()


def main() -> int:
    """Convert."""
    args = parse_args()

    def convert() -> None:
        from cape_mm.compat.peer_checkpoint import convert_peer

        print(convert_peer(**library_arguments(args), config_dir=CONFIGS))

    return run_tool(convert)


if __name__ == '__main__':
    sys.exit(main())
