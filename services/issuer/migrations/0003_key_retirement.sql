-- Keys are published before they sign, and end.
ALTER TABLE issuer_key
    ADD COLUMN published_at timestamptz,
    ADD COLUMN ends_at timestamptz,
    ADD COLUMN retired_as text;
UPDATE issuer_key SET published_at = valid_from;
ALTER TABLE issuer_key ALTER COLUMN published_at SET NOT NULL;

-- The key that signed the newest version: a list under a compromised key is published anew. Of lists that are
-- older than this column it is not known until their next version.
ALTER TABLE status_list ADD COLUMN key_id text NOT NULL DEFAULT '';
ALTER TABLE status_list ALTER COLUMN key_id DROP DEFAULT;
