"""Processes, database and broker are killed; what is left is held against the submitter's journal."""

import pytest

# What judges them is no test module: without this a failure would not tell what is missing.
pytest.register_assert_rewrite("tests.chaos.checks", "tests.chaos.site_on_kafka")
