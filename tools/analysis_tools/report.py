"""Write the report of a finished test from its files, without the model.

tools/test.py --report writes the same report with pictures of episodes and the config.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import new_parser, run_tool  # noqa: E402

EXAMPLE = """example:
  python tools/analysis_tools/report.py work_dirs/tiny
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument('result', help='metrics file, or the folder of metrics.json')
    parser.add_argument('--out', help='folder of the report (report, beside it)')
    return parser.parse_args()


def main() -> int:
    """Write the report."""
    args = parse_args()

    def write() -> None:
        from cape_mm.analysis.report import report_stored

        print(f'report: {report_stored(args.result, args.out)}')

    return run_tool(write)


if __name__ == '__main__':
    sys.exit(main())
