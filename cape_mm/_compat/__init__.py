"""Stand-ins that :mod:`cape_mm.compat` puts in place; import that module instead."""
