"""The commands ``unidiff conformance run | list | explain | probe | diff | update-waivers``."""

CONFORMANT, NON_CONFORMANT, USAGE, ENVIRONMENT, MALFORMED, LOST = range(6)
"""Exit codes; where several apply it is the first of `LOST`, `NON_CONFORMANT`, `MALFORMED`, `ENVIRONMENT`."""

EXIT_CODES = """exit codes:
  0  conformant: every case passed, or is waived, or is about what the backend does not claim
  1  not conformant: a case failed, or a waiver is expired, not needed, or about no case
  2  misuse: an unknown option, case, profile or combination of them
  3  something cannot be run here: a backend or another plugin is missing, too old or broken
  4  a file of waivers, or a report, cannot be read or is malformed
  5  not conformant, and a case took its process down or did not end in time
"""
