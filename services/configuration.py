"""The settings of each service, read from variables."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic

from services import SERVICES
from shared.errors import Invalid
from shared.settings import KafkaSettings, Settings


def settings_class(name: str) -> type[Settings]:
    """Return the settings class of service `name`."""
    module = importlib.import_module(f"{SERVICES[name]}.settings")
    found: type[Settings] = getattr(module, f"{name.capitalize()}Settings")
    return found


def settings_from(name: str, environment: Mapping[str, Any]) -> Settings:
    """Read the settings of service `name` from variables; raises Invalid naming each one that is amiss."""
    try:
        return settings_class(name).model_validate(_by_field(settings_class(name), environment))
    except pydantic.ValidationError as refusal:
        reasons = tuple(
            f"{'.'.join(str(part) for part in error['loc']).upper() or 'settings'}: {error['msg']}"
            for error in refusal.errors()
        )
        message = f"The settings of the {name} are not complete; docs/SETTINGS.md describes them."
        raise Invalid("settings-invalid", message, reasons) from None


def variable_names(settings: type[KafkaSettings]) -> dict[str, str]:
    """Return the environment variable of each field: its alias, or its name in capitals."""
    names: dict[str, str] = {}
    for field, facts in settings.model_fields.items():
        alias = facts.validation_alias
        if isinstance(alias, pydantic.AliasChoices):
            alias = alias.choices[0]
        names[field] = str(alias).upper() if alias is not None else field.upper()
    return names


def _by_field(settings: type[Settings], environment: Mapping[str, Any]) -> dict[str, Any]:
    values = {
        field: _value(environment[variable])
        for field, variable in variable_names(settings).items()
        if environment.get(variable) not in (None, "")
    }
    for field, variable in variable_names(settings).items():
        path = environment.get(f"{variable}_FILE")
        if path and field not in values and "SecretStr" in str(settings.model_fields[field].annotation):
            values[field] = _secret(Path(path), f"{variable}_FILE")
    return values


def _secret(path: Path, variable: str) -> str:
    """Read a secret that a container is given as a file."""
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        raise Invalid("settings-invalid", f"The file that {variable} names cannot be read.") from None


def _value(text: Any) -> Any:
    """Return the value of a variable: lists are written as JSON, everything else as it is."""
    if isinstance(text, str) and text.startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text
