-- +goose Up
CREATE TABLE IF NOT EXISTS idempotency (
  id          BLOB NOT NULL PRIMARY KEY,
  fingerprint BLOB NOT NULL,
  owner       BLOB NOT NULL,
  status      INTEGER NOT NULL,
  location    TEXT NOT NULL,
  etag        TEXT NOT NULL,
  body        BLOB NOT NULL,
  created_at  INTEGER NOT NULL
);

CREATE INDEX IF NOT EXISTS idempotency_created ON idempotency (created_at);

CREATE INDEX IF NOT EXISTS idempotency_owner ON idempotency (owner, location);
