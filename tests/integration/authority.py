"""A certificate authority of the tests' own, for servers on loopback that answer to names."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass
class Authority:
    """A certificate authority of the test's own, and the contexts made from it."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def made(cls, folder: Path) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(folder, key, signed("Test authority", key.public_key(), "Test authority", key))

    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.pem().decode())

    def pem(self) -> bytes:
        """What whoever trusts this authority is given."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def proof_of(self, name: str) -> tuple[bytes, bytes]:
        """Return a private key and its certificate for `name`, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        issued = signed(name, key.public_key(), "Test authority", self.key)
        pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
        private = key.private_bytes(*pem, serialization.NoEncryption())
        return private, issued.public_bytes(serialization.Encoding.PEM)

    def server(self, name: str) -> ssl.SSLContext:
        path = self.folder / f"{name}.pem"
        path.write_bytes(b"".join(self.proof_of(name)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def signed(
    name: str, public_key: ec.EllipticCurvePublicKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    start = datetime.now(UTC) - timedelta(minutes=1)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder(
            issuer_name=x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]),
            subject_name=subject,
            public_key=public_key,
            serial_number=x509.random_serial_number(),
            not_valid_before=start,
            not_valid_after=start + timedelta(hours=1),
        )
        .add_extension(x509.BasicConstraints(ca=name == issuer, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name.replace(" ", "-"))]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
