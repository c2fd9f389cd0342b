"""Write a trained model as ONNX files with a runner that needs no torch."""

from __future__ import annotations

import argparse
import sys

EXAMPLE = """example:
  python tools/export.py work_dirs/cape_tiny/epoch_4.pth --out work_dirs/onnx

The folder then holds the model and its runner (numpy, OpenCV, onnxruntime):
  >>> from onnx_runner import OnnxCape
  >>> cape = OnnxCape('work_dirs/onnx')
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--config', help='config file (the config stored in the checkpoint)'
    )
    parser.add_argument('--out', required=True, metavar='DIR', help='folder to write')
    parser.add_argument(
        '--no-check',
        action='store_true',
        help='do not compare the files with PyTorch afterwards',
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
        default=None,
        help='override config values',
    )
    return parser.parse_args()


def main() -> int:
    """Export."""
    args = parse_args()
    # Not at the top: --help should not wait for torch and mmpose.
    from cape_mm.apis import parse_cfg_options, run_cli
    from cape_mm.compat.checkpoint_file import trusting
    from cape_mm.deploy import export_checkpoint

    def export() -> None:
        options = parse_cfg_options(args.cfg_options)
        check = not args.no_check
        print(export_checkpoint(args.checkpoint, args.out, args.config, options, check))

    with trusting(args.trust_checkpoint):
        return run_cli(export)


if __name__ == '__main__':
    sys.exit(main())
