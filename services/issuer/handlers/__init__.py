"""What the issuer does with a batch: one file a verb. Fetch for the whole batch, decide, append, project.

    issue         assessment.passed → credential.issued, the intent
    sign          credential.issued → credential.signed
    revoke        a caller's command → credential.revoked
    status_lists  credential.revoked → status-list.published; new lists; lists that end soon
    forget        learner.erased → the key leaves the cache
    achievements, tenants, api_keys   commands of callers and operators
    pages         what stands at the public addresses of credentials

They share: `rendering` (from intents to documents), `linting` (what may be signed), `proving` (hash, sign,
verify), `tenant_secrets` (ids and shuffles that cannot be guessed), `skips` (what was passed over).
"""
