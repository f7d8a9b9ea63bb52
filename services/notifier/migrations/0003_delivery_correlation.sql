-- What the log lines of an attempt name, so that a request can be followed to them. It stands in the event
-- too, but to read that for every attempt costs more than to copy it once. NULL where a release that did not
-- know the column asked for the delivery.
ALTER TABLE delivery ADD COLUMN correlation text;
