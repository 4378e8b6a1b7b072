-- +goose Up
CREATE TABLE IF NOT EXISTS inbox_seen (
  consumer TEXT NOT NULL,
  source   TEXT NOT NULL,
  event_id BLOB NOT NULL,
  seen_at  INTEGER NOT NULL,
  PRIMARY KEY (consumer, source, event_id)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS inbox_seen_at ON inbox_seen (seen_at);
