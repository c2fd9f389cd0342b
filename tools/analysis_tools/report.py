"""Write the report of a finished test from its files, without the model.

tools/test.py --report writes the same report with pictures of episodes, the config and
the versions.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import new_parser, run_tool  # noqa: E402

EXAMPLE = """example:
  python tools/analysis_tools/report.py work_dirs/tiny \\
      --dump work_dirs/tiny/preds.json \\
      --ann-file data/synthetic_tiny/annotations/synthetic_split1_test.json
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument('result', help='metrics file, or the folder of metrics.json')
    parser.add_argument('--out', help='folder of the report (report, beside it)')
    parser.add_argument('--dump', help='file of tools/test.py --dump, for more curves')
    parser.add_argument('--ann-file', help='annotation file that the dump belongs to')
    return parser.parse_args()


def main() -> int:
    """Write the report."""
    args = parse_args()

    def write() -> None:
        from cape_mm.analysis.report import report_stored

        page = report_stored(args.result, args.out, args.dump, args.ann_file)
        print(f'report: {page}')

    return run_tool(write)


if __name__ == '__main__':
    sys.exit(main())
