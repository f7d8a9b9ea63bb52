"""Tells a container runtime whether the process beside it is ready: exit code 0, or 1 with what it said."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

ASK_WAIT_S = 4.0


def main() -> int:
    """Ask /health/ready on this machine."""
    address = f"http://127.0.0.1:{os.environ.get('HTTP_PORT', '8080')}/health/ready"
    try:
        with urllib.request.urlopen(address, timeout=ASK_WAIT_S):
            return 0
    except urllib.error.HTTPError as refusal:
        print(refusal.read().decode(errors="replace"))
    except OSError as away:
        print(f"It does not answer: {away}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
