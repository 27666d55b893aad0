"""The commands ``unidiff conformance run | list | explain | probe | diff | update-waivers``.

All of them end with 0 if all is well, 1 if a backend is not conformant, 2 if they were misused, and 3 if something cannot be
run here, such as a backend that is not installed.
"""

CONFORMANT, NON_CONFORMANT, USAGE, ENVIRONMENT = range(4)
"""Exit codes."""
