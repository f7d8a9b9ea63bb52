"""`microcred settings`: every setting, its variable and its meaning."""

from __future__ import annotations

from services import SERVICES
from services.cli.running import console, table
from services.configuration import settings_class, variable_names


def settings() -> None:
    """List the environment variables of every service, their defaults and meanings."""
    seen: set[str] = set()
    rows = table("variable", "service", "default", "meaning")
    for name in SERVICES:
        kind = settings_class(name)
        for field, variable in variable_names(kind).items():
            if variable in seen:
                continue
            seen.add(variable)
            facts = kind.model_fields[field]
            default = "required" if facts.is_required() else str(facts.default)
            shared_by_all = all(
                variable in variable_names(settings_class(other)).values() for other in SERVICES
            )
            rows.add_row(variable, "all" if shared_by_all else name, default, facts.description or "")
    console().print(rows)
