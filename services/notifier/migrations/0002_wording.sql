-- The version of the message that a delivery carries, at every attempt the same.
ALTER TABLE delivery ADD COLUMN wording integer NOT NULL DEFAULT 1;
