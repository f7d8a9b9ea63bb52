"""Measures speed and CPU by stage: `make bench`. Never part of the tests: machines are noisy."""
