"""The verifier: answers "is this credential good?" and serves the status lists that the issuer signs.

A read model: it keeps lists and issuers' public keys from events, holds no private key and no learner's data,
and can be rebuilt from the log at will.
"""
