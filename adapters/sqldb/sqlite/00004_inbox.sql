-- +goose Up
CREATE TABLE IF NOT EXISTS inbox (
  consumer      TEXT NOT NULL,
  source        TEXT NOT NULL,
  partition_key TEXT NOT NULL,
  sequence      INTEGER NOT NULL,
  applied       INTEGER NOT NULL,
  early_since   INTEGER NULL,
  updated_at    INTEGER NOT NULL,
  PRIMARY KEY (consumer, source, partition_key)
) WITHOUT ROWID;
