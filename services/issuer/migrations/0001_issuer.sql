-- Truth that no event holds: secrets of tenants, what has been reserved, who holds what.

-- `places_taken` counts the status entries that were ever reserved; reserving is one UPDATE of this row.
CREATE TABLE tenant (
    issuer_id      text PRIMARY KEY,
    wrapped_secret bytea NOT NULL,
    places_taken   bigint NOT NULL DEFAULT 0 CHECK (places_taken >= 0)
);

-- The learner's newest credential of an achievement. The row is the lock that makes two passes take turns.
CREATE TABLE holding (
    issuer_id      text NOT NULL,
    learner_id     uuid NOT NULL,
    achievement_id uuid NOT NULL,
    credential_id  uuid,
    PRIMARY KEY (issuer_id, learner_id, achievement_id)
) WITH (fillfactor = 50);  -- every row is changed once, soon: on its page, without a new index entry

-- Read models: projections.py writes them from events, and can write them again.

CREATE TABLE profile (
    issuer_id    text NOT NULL,
    version      integer NOT NULL,
    did          text NOT NULL,
    profile      bytea NOT NULL,
    published_at timestamptz NOT NULL,
    PRIMARY KEY (issuer_id, version)
);

CREATE TABLE issuer_key (
    issuer_id            text NOT NULL,
    key_id               text NOT NULL,
    public_key_multibase text NOT NULL,
    valid_from           timestamptz NOT NULL,
    PRIMARY KEY (issuer_id, key_id)
);

CREATE TABLE achievement (
    issuer_id      text NOT NULL,
    achievement_id uuid NOT NULL,
    version        integer NOT NULL,
    definition     bytea NOT NULL,
    published_at   timestamptz NOT NULL,
    PRIMARY KEY (issuer_id, achievement_id, version)
);
CREATE INDEX achievement_address ON achievement (achievement_id, version);

CREATE TABLE credential (
    issuer_id           text NOT NULL,
    credential_id       uuid NOT NULL,
    assessment_id       text NOT NULL,
    learner_id          uuid NOT NULL,
    achievement_id      uuid NOT NULL,
    achievement_version integer NOT NULL,
    list_id             uuid NOT NULL,
    list_index          integer NOT NULL,
    supersedes          uuid,
    issued_at           timestamptz NOT NULL,
    valid_until         timestamptz,
    signed_at           timestamptz,
    revoked_at          timestamptz,
    revocation_reason   text,
    PRIMARY KEY (credential_id, issuer_id),  -- the public address names no tenant
    UNIQUE (issuer_id, assessment_id),
    UNIQUE (issuer_id, list_id, list_index)
) WITH (fillfactor = 50);  -- every row is changed once, soon: on its page, without a new index entry

-- `bits` is the fold of all revocations that `version` of the list shows. Whoever publishes a list locks its
-- row first: one writer per list.
CREATE TABLE status_list (
    issuer_id    text NOT NULL,
    list_id      uuid NOT NULL,
    version      integer NOT NULL,
    bits         bytea NOT NULL,
    published_at timestamptz NOT NULL,
    valid_until  timestamptz NOT NULL,
    PRIMARY KEY (issuer_id, list_id)
);
CREATE INDEX status_list_due ON status_list (valid_until);
