-- One key a learner, wrapped under the master key. Deleting the row is forgetting the learner.
CREATE TABLE vault.learner_key (
    issuer_id   text NOT NULL,
    learner_id  text NOT NULL,
    wrapped_key bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer_id, learner_id)
);
GRANT SELECT ON vault.learner_key TO vault_reader;
