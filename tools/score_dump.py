"""Score stored predictions (tools/test.py --dump) again, without the model.

Prints the metrics table, and writes the metrics and the file of pairs that
tools/compare_results.py reads. The figures equal those of the run that wrote the dump.
"""

from __future__ import annotations

import argparse
import sys

EXAMPLE = """example:
  python tools/test.py configs/cape_tiny.py work_dirs/tiny/epoch_4.pth \\
      --work-dir work_dirs/tiny --dump work_dirs/tiny/preds.json
  python tools/score_dump.py work_dirs/tiny/preds.json \\
      data/synthetic_tiny/annotations/synthetic_split1_test.json
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('dump', help='file of tools/test.py --dump')
    parser.add_argument('ann_file', help='annotation file that was tested on')
    parser.add_argument('--out', help='metrics file (<dump>.metrics.json)')
    return parser.parse_args()


def main() -> int:
    """Score."""
    args = parse_args()
    # Not at the top: --help should not wait for torch and mmpose.
    from cape_mm.apis import run_cli
    from cape_mm.evaluation.rescoring import score_dump

    return run_cli(lambda: score_dump(args.dump, args.ann_file, args.out))


if __name__ == '__main__':
    sys.exit(main())
