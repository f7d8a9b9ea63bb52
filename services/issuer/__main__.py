"""The issuer alone in a process, or one half of it: `python -m services.issuer [--only desk|signer]`."""

import argparse
import os

from services.process import main

parser = argparse.ArgumentParser(
    prog="python -m services.issuer",
    description="Run the issuer until it is told to stop; docs/SETTINGS.md has its settings.",
)
parser.add_argument(
    "--only",
    choices=("desk", "signer"),
    help="run one half, as ISSUER_ONLY does: the desk answers callers and issues; the signer signs and alone"
    " reaches the private keys",
)
only = parser.parse_args().only
if only is not None:
    os.environ["ISSUER_ONLY"] = only
main(["issuer"])
