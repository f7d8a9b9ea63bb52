-- The local bus reads what happened, and nothing else of this schema.
GRANT SELECT ON event TO bus_reader;
