-- Who a caller's own reference (or e-mail) stands for. The hash is keyed, so that the table tells no names;
-- erasing a learner deletes the row. The row is also the lock under which a learner's attempts are counted.
CREATE TABLE learner (
    issuer_id      text NOT NULL,
    reference_hmac bytea NOT NULL CHECK (length(reference_hmac) = 32),
    learner_id     text NOT NULL,
    created_at     timestamptz NOT NULL,
    PRIMARY KEY (issuer_id, reference_hmac),
    UNIQUE (issuer_id, learner_id)
);

-- Read model of assessment.submitted: attempts that a learner has taken at an achievement, any version.
CREATE TABLE attempt (
    issuer_id      text NOT NULL,
    learner_id     text NOT NULL,
    achievement_id text NOT NULL,
    taken          integer NOT NULL CHECK (taken >= 1),
    PRIMARY KEY (issuer_id, learner_id, achievement_id)
);

-- Read model of achievement.published: the bars that assessments are held against.
CREATE TABLE achievement (
    issuer_id      text NOT NULL,
    achievement_id text NOT NULL,
    version        integer NOT NULL CHECK (version >= 1),
    definition     jsonb NOT NULL,
    PRIMARY KEY (issuer_id, achievement_id, version)
);
