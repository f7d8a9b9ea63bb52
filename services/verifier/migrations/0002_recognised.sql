-- Issuers elsewhere that operators vouch for. Unlike the rest of this schema no event holds it: it is what an
-- operator signed or imported, and a replay leaves it alone. It belongs to the installation and to no tenant.
CREATE TABLE recognised_list (
    operator      text PRIMARY KEY,
    operator_name text NOT NULL,
    credential    text NOT NULL,
    valid_from    timestamptz NOT NULL,
    valid_until   timestamptz
);

CREATE TABLE recognised_issuer (
    operator text NOT NULL REFERENCES recognised_list ON DELETE CASCADE,
    did      text NOT NULL,
    name     text NOT NULL,
    since    timestamptz NOT NULL,
    PRIMARY KEY (operator, did)
);
CREATE INDEX recognised_issuer_by_did ON recognised_issuer (did);
