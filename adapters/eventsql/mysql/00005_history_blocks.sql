-- +goose Up
-- The earliest and the latest time of the events of each 200 positions: what a time window reads instead of an index.
CREATE TABLE IF NOT EXISTS history_blocks (
  block    BIGINT NOT NULL PRIMARY KEY,
  earliest BIGINT NOT NULL,
  latest   BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
