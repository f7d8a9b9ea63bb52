"""The notifier alone in a process."""

from services.process import main

main(["notifier"])
