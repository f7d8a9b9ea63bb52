"""`python -m services.conformance --port P`: the profile over https on 127.0.0.1, until it is told to stop.

The certificate is made at start, signed by itself and forgotten: the suites take any. Refuses to start under
ENVIRONMENT=production.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.conformance.app import conformance_app, conformance_suites
from shared import clock
from shared.program import EXIT_REFUSED
from shared.proofs.workers import CanonicalWorkers

HOST = "127.0.0.1"
CERTIFICATE_VALID_FOR = timedelta(days=7)
WORKERS = 2


def main(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The port to listen on.")] = 40_443,
) -> None:
    """Serve the conformance profile. It signs whatever it is given: for test suites on this machine alone."""
    if os.environ.get("ENVIRONMENT") == "production":
        print("The conformance profile signs whatever it is given: not in production.", file=sys.stderr)  # noqa: T201
        raise typer.Exit(EXIT_REFUSED)
    asyncio.run(_serve(port))


async def _serve(port: int) -> None:
    async with CanonicalWorkers(WORKERS, suites=conformance_suites()) as workers:
        app = conformance_app(workers, f"https://{HOST}:{port}")
        with tempfile.TemporaryDirectory(prefix="microcred-conformance-") as folder:
            pem = Path(folder) / "certificate.pem"
            pem.touch(0o600)
            pem.write_bytes(self_signed())
            config = uvicorn.Config(
                app, host=HOST, port=port, ssl_certfile=pem, lifespan="off", server_header=False
            )
            config.load()  # The key is in memory now, and its file is gone before anyone is answered.
        await uvicorn.Server(config).serve()


def self_signed() -> bytes:
    """A new key and a certificate for localhost by itself, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(IPv4Address(HOST))]
    now = clock.now()
    certificate = (
        x509.CertificateBuilder(
            issuer_name=name,
            subject_name=name,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(minutes=5),
            not_valid_after=now + CERTIFICATE_VALID_FOR,
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


if __name__ == "__main__":
    typer.run(main)
