"""Shims that let MMPose 1.3 import on a current PyTorch, each only where it is needed.

``cape_mm/__init__.py`` calls :func:`apply` before anything imports MMPose.
``python -m cape_mm.compat`` prints versions, devices and the shims in force, for bug
reports; it runs in a broken environment too.
"""

from __future__ import annotations

import sys

from . import doctor, shims

_in_force: dict[str, str] = {}


def apply() -> None:
    """Apply every shim that this environment needs; calling it again changes nothing.

    Raises:
        ImportError: a required package is absent or OpenCV does not load; the message
            says how to get it.
    """
    if _is_doctor_run():  # python -m cape_mm.compat imports the package first
        raise SystemExit(main())
    _apply_needed()


def _apply_needed() -> None:
    shims.require_packages()
    for shim in shims.SHIMS:
        if shim.__name__ not in _in_force:
            reason = shim()
            if reason is not None:
                _in_force[shim.__name__] = reason


def report() -> list[str]:
    """The shims in force, one line ``name: reason`` each; empty if none was needed."""
    return [f'{name}: {reason}' for name, reason in _in_force.items()]


def _is_doctor_run() -> bool:
    """Whether this import is the first half of ``python -m cape_mm.compat``.

    Answering here, before the package's own imports, keeps the report working in a
    broken environment and avoids a second copy of this module as ``__main__``.
    """
    asked = ('-m', 'cape_mm.compat') in zip(sys.orig_argv, sys.orig_argv[1:])
    return sys.argv[:1] == ['-m'] and asked


def main() -> int:
    """Print versions, devices and shims in force; 0 if all is well, else 1."""
    return doctor.describe(_apply_needed, report)
