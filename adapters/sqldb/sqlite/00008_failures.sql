-- +goose Up
CREATE TABLE IF NOT EXISTS failures (
  consumer        TEXT NOT NULL,
  event_id        BLOB NOT NULL,
  round           INTEGER NOT NULL,
  attempts        INTEGER NOT NULL,
  first_failed_at INTEGER NOT NULL,
  last_failed_at  INTEGER NOT NULL,
  PRIMARY KEY (consumer, event_id)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS failures_last ON failures (last_failed_at);
