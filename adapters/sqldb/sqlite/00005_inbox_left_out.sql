-- +goose Up
CREATE TABLE IF NOT EXISTS inbox_left_out (
  consumer       TEXT NOT NULL,
  source         TEXT NOT NULL,
  partition_key  TEXT NOT NULL,
  first_sequence INTEGER NOT NULL,
  last_sequence  INTEGER NOT NULL,
  PRIMARY KEY (consumer, source, partition_key, first_sequence)
) WITHOUT ROWID;
