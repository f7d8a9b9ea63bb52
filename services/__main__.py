"""All services in one process."""

from services import SERVICES
from services.process import main

main(list(SERVICES))
