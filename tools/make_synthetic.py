"""Write the synthetic MP-100: procedural objects in MP-100's own layout.

Example:
    python tools/make_synthetic.py --out data/synthetic --size tiny
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', required=True, help='data root to create')
    parser.add_argument(
        '--size',
        default='tiny',
        choices=('tiny', 'standard'),
        help='tiny: 88 categories x 40 instances, 128 px; '
        'standard: 100 x 120, 256 px (default: tiny)',
    )
    parser.add_argument('--seed', type=int, default=0, help='default: 0')
    parser.add_argument(
        '--num-workers', type=int, help='processes (default: one per available core)'
    )
    parser.add_argument(
        '--force', action='store_true', help='replace an earlier output that differs'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from cape_mm.datasets.synthetic import write_synthetic_mp100
    from cape_mm.errors import CapeError

    try:
        summary = write_synthetic_mp100(
            args.out, args.size, args.seed, args.num_workers, args.force
        )
    except (CapeError, OSError) as error:
        sys.exit(f'{Path(__file__).name}: {error}')
    except KeyboardInterrupt:
        sys.exit(f'\n{Path(__file__).name}: interrupted, nothing was written')
    print(summary)


if __name__ == '__main__':
    main()
