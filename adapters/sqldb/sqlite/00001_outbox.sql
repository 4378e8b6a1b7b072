-- +goose Up
CREATE TABLE IF NOT EXISTS outbox (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id      BLOB NOT NULL UNIQUE,
  topic           TEXT NOT NULL,
  partition_key   TEXT NOT NULL,
  sequence        INTEGER NOT NULL,
  metadata        BLOB NOT NULL,
  payload         BLOB NOT NULL,
  created_at      INTEGER NOT NULL,
  published_at    INTEGER NULL,
  stream_sequence INTEGER NULL
);

CREATE INDEX IF NOT EXISTS outbox_stream ON outbox (stream_sequence, id);
