"""The issuer alone in a process."""

from services.process import main

main(["issuer"])
