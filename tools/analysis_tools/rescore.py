"""Score the stored predictions of a test again, without the model.

For instance after labels were corrected. Prints the metrics table, and writes the
metrics and the file of results that compare_results.py reads.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import new_parser, run_tool  # noqa: E402

EXAMPLE = """example:
  python tools/analysis_tools/rescore.py work_dirs/cape_tiny \\
      data/synthetic_tiny/annotations/synthetic_split1_test.json
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument('result', help='folder, metrics or results file of a test')
    parser.add_argument('ann_file', help='annotation file of what was tested on')
    parser.add_argument('--out', help='metrics file (rescored.json beside the results)')
    return parser.parse_args()


def main() -> int:
    """Score."""
    args = parse_args()

    def score() -> None:
        from cape_mm.evaluation.rescoring import rescore

        rescore(args.result, args.ann_file, args.out)

    return run_tool(score)


if __name__ == '__main__':
    sys.exit(main())
