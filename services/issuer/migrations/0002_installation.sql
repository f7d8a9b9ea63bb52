-- Truth that belongs to no tenant: the address under which everything here was signed. At most one row.
CREATE TABLE installation (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    public_url text NOT NULL
);

-- An issuer that has signed already: the first status list, which stands before anything else, tells.
INSERT INTO installation (public_url)
SELECT regexp_replace(
    (convert_from(data, 'UTF8')::jsonb ->> 'credential')::jsonb ->> 'id', '/status/[^/]*$', ''
)
FROM event WHERE type = 'status-list.published.v1' ORDER BY position LIMIT 1;
