-- +goose Up
CREATE TABLE IF NOT EXISTS limit_buckets (
  bucket  BLOB NOT NULL PRIMARY KEY,
  full_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS limit_buckets_full ON limit_buckets (full_at);
