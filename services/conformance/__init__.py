"""The conformance profile: what the public test suites of the W3C are pointed at, on this machine alone.

The suites want an issuer that signs whatever is well-formed, under names that are not its own, and a verifier
that refuses with 400. No installation may do that, so this is an application of its own over the same core
(services/verifier, shared/proofs), with throw-away keys made at start. It belongs to no service, has no
database, listens on loopback only, and does not start under `ENVIRONMENT=production`; nothing imports it.

`python -m services.conformance` serves it; `python -m services.conformance.jose` is the command line of the
suite for VC-JOSE-COSE, whose cases with keys of P-384 and P-521, SD-JWT and COSE are `indeterminate`.
"""
