-- What the verifier keeps of the issuers' events. Nothing here is a source of truth: it can be rebuilt.
CREATE TABLE status_list (
    issuer_id    text NOT NULL,
    list_id      text NOT NULL,
    version      integer NOT NULL,
    credential   text NOT NULL,
    sha256       text NOT NULL,
    ttl_ms       bigint,
    valid_until  timestamptz NOT NULL,
    PRIMARY KEY (issuer_id, list_id)
);
CREATE INDEX status_list_by_id ON status_list (list_id);

CREATE TABLE issuer (
    issuer_id       text PRIMARY KEY,
    did             text NOT NULL,
    name            text NOT NULL,
    profile_version integer NOT NULL
);
CREATE INDEX issuer_by_did ON issuer (did);

-- Keys are never removed: a credential signed with one must verify for ever.
CREATE TABLE issuer_key (
    issuer_id            text NOT NULL,
    key_id               text NOT NULL,
    did                  text NOT NULL,
    public_key_multibase text NOT NULL,
    valid_from           timestamptz NOT NULL,
    PRIMARY KEY (issuer_id, key_id)
);
CREATE INDEX issuer_key_by_did ON issuer_key (did);
