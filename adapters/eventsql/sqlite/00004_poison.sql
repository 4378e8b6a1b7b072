-- +goose Up
CREATE TABLE IF NOT EXISTS poison (
  number          INTEGER PRIMARY KEY AUTOINCREMENT,
  id              BLOB NOT NULL UNIQUE,
  status          BLOB NOT NULL,
  consumer        BLOB NOT NULL,
  type            BLOB NOT NULL,
  source          BLOB NOT NULL,
  partition_key   BLOB NOT NULL,
  event_id        BLOB NOT NULL,
  subject         BLOB NOT NULL,
  reason          BLOB NOT NULL,
  attempts        INTEGER NOT NULL,
  round           INTEGER NOT NULL,
  first_failed_at INTEGER NOT NULL,
  last_failed_at  INTEGER NOT NULL,
  fingerprint     BLOB NOT NULL,
  metadata        BLOB NOT NULL,
  data            BLOB NOT NULL,
  recorded_at     INTEGER NOT NULL
);

CREATE INDEX IF NOT EXISTS poison_status ON poison (status, number);

CREATE INDEX IF NOT EXISTS poison_event ON poison (event_id);

CREATE INDEX IF NOT EXISTS poison_key ON poison (partition_key);

CREATE INDEX IF NOT EXISTS poison_fingerprint ON poison (fingerprint, number);
