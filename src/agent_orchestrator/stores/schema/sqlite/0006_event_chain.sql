-- Each event carries a hash over the one before it and its own content, so that a changed, removed or inserted row shows.
-- What was written before has none: the chain begins behind it.

ALTER TABLE events ADD COLUMN hash TEXT;
INSERT INTO sequences SELECT 'unchained_events', coalesce(max(seq), 0) FROM events;
