-- +goose Up
-- The earliest and the latest time of the events of each 200 positions: what a time window reads instead of an index.
CREATE TABLE IF NOT EXISTS history_blocks (
  block    INTEGER PRIMARY KEY,
  earliest INTEGER NOT NULL,
  latest   INTEGER NOT NULL
);
