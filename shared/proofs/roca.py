"""RSA keys that a flawed chip generator made (ROCA, CVE-2017-15361): their private half can be computed.

The primes of such keys are powers of 65537 modulo a product of small primes, so their product is one too. A
modulus that is such a power modulo every small prime is one of theirs; an honest one is with a chance below
one in a hundred million.
"""

from __future__ import annotations

_GENERATOR = 65_537
_SMALL_PRIMES = tuple(p for p in range(3, 168) if all(p % d for d in range(2, p)))


def _powers(prime: int) -> frozenset[int]:
    return frozenset(pow(_GENERATOR, exponent, prime) for exponent in range(prime - 1))


_POWERS = {prime: _powers(prime) for prime in _SMALL_PRIMES}


def is_flawed(modulus: int) -> bool:
    """Whether an RSA modulus bears the mark of the flawed generator."""
    return all(modulus % prime in powers for prime, powers in _POWERS.items())
