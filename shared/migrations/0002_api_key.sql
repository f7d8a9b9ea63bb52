-- API keys as every service knows them from the issuer's events: hashes, never keys.
CREATE TABLE api_key (
    prefix     text PRIMARY KEY,
    issuer_id  text NOT NULL,
    sha256     text NOT NULL,
    label      text NOT NULL,
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
