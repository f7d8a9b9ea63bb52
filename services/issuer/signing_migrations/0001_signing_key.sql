-- Sealed seeds, in a schema that the role `signer` alone may enter: whoever has them and the master key can sign.
CREATE TABLE signing_key (
    issuer_id text NOT NULL,
    key_id    text NOT NULL,
    envelope  bytea NOT NULL,
    PRIMARY KEY (issuer_id, key_id)
);
