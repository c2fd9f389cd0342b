"""Score stored predictions (tools/test.py --dump) again, without the model.

Prints the metrics table, and writes the metrics and the file of results that
compare_results.py reads. The figures equal those of the run that wrote the dump.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import new_parser, run_tool  # noqa: E402

EXAMPLE = """example:
  python tools/test.py configs/cape_tiny.py work_dirs/tiny/epoch_4.pth \\
      --work-dir work_dirs/tiny --dump work_dirs/tiny/preds.json
  python tools/analysis_tools/score_dump.py work_dirs/tiny/preds.json \\
      data/synthetic_tiny/annotations/synthetic_split1_test.json
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument('dump', help='file of tools/test.py --dump')
    parser.add_argument('ann_file', help='annotation file that was tested on')
    parser.add_argument('--out', help='metrics file (<dump>.metrics.json)')
    return parser.parse_args()


def main() -> int:
    """Score."""
    args = parse_args()

    def score() -> None:
        from cape_mm.evaluation.rescoring import score_dump

        score_dump(args.dump, args.ann_file, args.out)

    return run_tool(score)


if __name__ == '__main__':
    sys.exit(main())
