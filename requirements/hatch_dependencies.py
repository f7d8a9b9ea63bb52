"""Reads the project's direct dependencies from run.in, so that they are named in one place."""

from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface


class DependenciesFromRunIn(MetadataHookInterface):
    """Fills `dependencies` of the package from requirements/run.in."""

    def update(self, metadata: dict[str, object]) -> None:
        """Set `dependencies` to the lines of run.in that are not comments."""
        lines = (Path(self.root) / "requirements" / "run.in").read_text(encoding="utf-8").splitlines()
        named = (line.strip() for line in lines)
        metadata["dependencies"] = [name for name in named if name and not name.startswith("#")]
