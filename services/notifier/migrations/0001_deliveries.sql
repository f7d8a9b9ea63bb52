-- Who is told, how far each telling has come, and what is needed to say it.

-- Truth. The secrets lie wrapped under the master key; a deleted subscription has none any more.
CREATE TABLE subscription (
    issuer_id       text NOT NULL,
    subscription_id uuid NOT NULL,
    url             text NOT NULL,
    events          text[] NOT NULL,
    state           text NOT NULL CHECK (state IN ('active', 'disabled', 'deleted')),
    secret          bytea,
    retiring_secret bytea,
    retiring_until  timestamptz,
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    PRIMARY KEY (issuer_id, subscription_id),
    CHECK ((state = 'deleted') = (secret IS NULL)),
    CHECK ((retiring_secret IS NULL) = (retiring_until IS NULL))
);
-- One address is told once: a repeated request is a conflict, not a second stream of messages.
CREATE UNIQUE INDEX subscription_active_url ON subscription (issuer_id, url) WHERE state = 'active';

-- Projection of credential.signed and credential.revoked: what a message says. `contact` stays sealed.
CREATE TABLE credential (
    issuer_id           text NOT NULL,
    credential_id       uuid NOT NULL,
    learner_id          uuid NOT NULL,
    achievement_id      uuid NOT NULL,
    achievement_version integer NOT NULL,
    achievement_name    text NOT NULL,
    issuer_name         text NOT NULL,
    contact             text NOT NULL,
    signed_at           timestamptz NOT NULL,
    revoked_at          timestamptz,
    revocation_reason   text,
    PRIMARY KEY (issuer_id, credential_id)
);

-- Truth, never rebuilt. `due_at` is when anyone may take the delivery; of a held one, when its lease ends.
-- `attempts` counts what was begun: it grows before the message leaves, so that no crash can repeat a
-- message more often than `attempts_max`.
CREATE TABLE delivery (
    issuer_id       text NOT NULL,
    notification_id uuid NOT NULL,
    channel         text NOT NULL CHECK (channel IN ('mail', 'webhook')),
    lane            text NOT NULL,
    about           text NOT NULL,
    event_id        uuid NOT NULL,
    credential_id   uuid NOT NULL,
    learner_id      uuid NOT NULL,
    subscription_id uuid,
    state           text NOT NULL CHECK (state IN ('due', 'held', 'sent', 'gave-up')),
    attempts        integer NOT NULL DEFAULT 0,
    attempts_max    integer NOT NULL,
    due_at          timestamptz NOT NULL,
    holder          uuid,
    last_reason     text,
    requested_at    timestamptz NOT NULL,
    PRIMARY KEY (issuer_id, notification_id),
    CHECK ((channel = 'webhook') = (subscription_id IS NOT NULL)),
    CHECK ((state = 'held') = (holder IS NOT NULL))
);
CREATE INDEX delivery_open ON delivery (channel, lane, due_at) WHERE state IN ('due', 'held');
CREATE INDEX delivery_credential ON delivery (issuer_id, credential_id);
