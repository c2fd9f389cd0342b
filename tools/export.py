"""Write a trained model as ONNX files with a runner that needs no torch."""

from __future__ import annotations

import argparse
import sys

from command_line import (
    add_cfg_options,
    add_model,
    add_trust_option,
    library_arguments,
    new_parser,
    run_tool,
)

EXAMPLE = """example:
  python tools/export.py --out work_dirs/onnx

The folder then holds the model and its runner (numpy, OpenCV, onnxruntime):
  >>> from onnx_runner import OnnxCape
  >>> cape = OnnxCape('work_dirs/onnx')
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    add_model(parser)
    parser.add_argument(
        '--out', dest='out_dir', required=True, metavar='DIR', help='folder to write'
    )
    parser.add_argument(
        '--no-check',
        dest='check',
        action='store_false',
        help='do not compare the files with PyTorch afterwards',
    )
    add_trust_option(parser)
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> int:
    """Export."""
    args = parse_args()

    def export() -> None:
        from cape_mm.deploy import export_checkpoint

        values = library_arguments(args)
        values.pop('trust_checkpoint')
        print(export_checkpoint(**values))

    return run_tool(export, trust_checkpoint=args.trust_checkpoint)


if __name__ == '__main__':
    sys.exit(main())
