"""The assessor alone in a process."""

from services.process import main

main(["assessor"])
