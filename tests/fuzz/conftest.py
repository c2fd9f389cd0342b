"""Property tests: the same examples in every run, few enough to be quick."""

from __future__ import annotations

try:
    from hypothesis import HealthCheck, settings
except ImportError:  # the tests themselves skip, and say so
    pass
else:
    settings.register_profile(
        'cape_mm',
        derandomize=True,
        deadline=None,
        database=None,
        max_examples=100,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile('cape_mm')
