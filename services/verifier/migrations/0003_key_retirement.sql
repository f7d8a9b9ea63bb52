-- When a key ended: what bears a later moment is not its work. It stays: what it signed before stays good.
ALTER TABLE issuer_key
    ADD COLUMN ends_at timestamptz,
    ADD COLUMN compromised boolean NOT NULL DEFAULT false;
