"""SoftHSM 2, the program that behaves like a hardware module: where it is, and a token for the session."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
SOFTHSM_REQUIRED = "SOFTHSM_REQUIRED"
CONFIGURATION = "SOFTHSM2_CONF"
COMMAND_WAIT_S = 30


@dataclass(frozen=True)
class SoftToken:
    """A token and how it is opened."""

    module: Path
    label: str
    pin_file: Path

    def settings(self) -> dict[str, object]:
        """The issuer's settings that name it."""
        return {
            "pkcs11_module": self.module,
            "pkcs11_token": self.label,
            "pkcs11_pin_file": self.pin_file,
        }


@cache
def found() -> tuple[Path | None, str]:
    """SoftHSM's library, or None and why there is none."""
    module = next((Path(path) for path in MODULES if Path(path).exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        return None, "SoftHSM 2 is not here; on Debian and Ubuntu it is the package softhsm2"
    return module, ""


def make_token(folder: Path) -> SoftToken:
    """Make a token in `folder`. The library reads the folder from the environment when it is loaded: once."""
    module, why_not = found()
    assert module is not None, why_not
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n", "utf-8")
    os.environ[CONFIGURATION] = str(configuration)
    pin, label = "5678", "microcred"
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "1234", "--pin", pin],
        check=True,
        capture_output=True,
        timeout=COMMAND_WAIT_S,
    )
    pin_file = folder / "pin"
    pin_file.write_text(f"{pin}\n", "ascii")
    pin_file.chmod(0o600)
    return SoftToken(module, label, pin_file)
