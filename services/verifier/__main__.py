"""The verifier alone in a process."""

from services.process import main

main(["verifier"])
