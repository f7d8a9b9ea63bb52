-- Truth that no event holds: the key of each credential that a caller posted, wrapped under the master key.
-- Deleting the row forgets what was posted. Backups of it are kept like those of the vault.
CREATE TABLE posted_key (
    issuer_id     text NOT NULL,
    credential_id uuid NOT NULL,
    wrapped_key   bytea NOT NULL,
    PRIMARY KEY (issuer_id, credential_id)
);

-- A read model: posted_projections.py writes it from events.
CREATE TABLE posted_credential (
    issuer_id         text NOT NULL,
    credential_id     uuid NOT NULL,
    list_id           uuid NOT NULL,
    list_index        integer NOT NULL,
    issued_at         timestamptz NOT NULL,
    signed_at         timestamptz,
    revoked_at        timestamptz,
    revocation_reason text,
    forgotten_at      timestamptz,
    PRIMARY KEY (issuer_id, credential_id),
    UNIQUE (issuer_id, list_id, list_index)
);
