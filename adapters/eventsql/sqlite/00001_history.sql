-- +goose Up
-- A position is drawn after the recording commit, one transaction at a time: position IS NULL means that no reader sees the event yet.
-- What comes from publishers is kept as bytes, because it need not be text.
CREATE TABLE IF NOT EXISTS history (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  position       INTEGER NULL UNIQUE,
  event_id       BLOB NOT NULL,
  type           BLOB NOT NULL,
  source         BLOB NOT NULL,
  partition_key  BLOB NOT NULL,
  sequence       INTEGER NULL,
  time           INTEGER NOT NULL,
  recorded_at    INTEGER NOT NULL,
  correlation_id BLOB NOT NULL,
  causation_id   BLOB NOT NULL,
  metadata       BLOB NOT NULL,
  data           BLOB NOT NULL,
  UNIQUE (event_id, source)
);

-- SQLite takes the index that was made last where several fit as well: here the one that leaves the fewest events.
CREATE INDEX IF NOT EXISTS history_time ON history (time);

CREATE INDEX IF NOT EXISTS history_sequence ON history (partition_key, sequence);

CREATE INDEX IF NOT EXISTS history_type ON history (type, position);

CREATE INDEX IF NOT EXISTS history_key ON history (partition_key, position);

CREATE INDEX IF NOT EXISTS history_correlation ON history (correlation_id, position);
