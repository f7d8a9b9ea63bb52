-- The four tables of every service: what happened, what was heard, how far, and what could not be taken.
-- What is unique across tenants and why: docs/adr/0008-tenants-and-addresses.md.
CREATE TABLE event (
    position  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id text NOT NULL,
    stream    text NOT NULL,
    version   integer NOT NULL CHECK (version >= 1),
    type      text NOT NULL,
    data      bytea NOT NULL,
    meta      jsonb NOT NULL,
    id        uuid NOT NULL,
    at        timestamptz NOT NULL,
    UNIQUE (issuer_id, stream, version)
);

-- Rows stay whole up to a page: what is sealed does not compress, and a row that is written aside is written
-- and read at twice the cost.
ALTER TABLE event SET (toast_tuple_target = 8160);

-- lz4 is several times cheaper than the default; a server built without it keeps the default.
DO $$ BEGIN
    ALTER TABLE event ALTER COLUMN data SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$;

CREATE FUNCTION refuse_change_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are immutable: % refused', TG_OP;
END
$$;
CREATE TRIGGER event_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_event();

CREATE TABLE inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);
-- A few bytes a page: rows are only ever added in this order, and looked up by it only to be pruned.
CREATE INDEX inbox_seen_at ON inbox USING brin (seen_at);

CREATE TABLE cursor (
    name       text PRIMARY KEY,
    position   bigint NOT NULL DEFAULT 0,
    held_until timestamptz NOT NULL DEFAULT '-infinity',
    epoch      bigint NOT NULL DEFAULT 0,
    moved_at   timestamptz NOT NULL DEFAULT now()
);

-- The tenant is read off the record key `{issuer_id}/{stream}`, so that the two can never differ; of a record
-- that was written by hand, without a slash, it is the whole key.
CREATE TABLE dead_letter (
    issuer_id   text NOT NULL GENERATED ALWAYS AS (split_part(key, '/', 1)) STORED,
    consumer    text NOT NULL,
    topic       text NOT NULL,
    partition   integer NOT NULL,
    "offset"    bigint NOT NULL,
    key         text NOT NULL,
    state       text NOT NULL CHECK (state IN ('buried', 'parked')),
    value       bytea NOT NULL,
    headers     jsonb NOT NULL,
    error       text NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    asked_at    timestamptz,
    resolved_at timestamptz,
    PRIMARY KEY (issuer_id, consumer, topic, partition, "offset")
);
CREATE INDEX dead_letter_open ON dead_letter (consumer, key) WHERE resolved_at IS NULL;
