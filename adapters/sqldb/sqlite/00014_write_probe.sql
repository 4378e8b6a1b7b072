-- +goose Up
CREATE TABLE IF NOT EXISTS write_probe (
  id         INTEGER PRIMARY KEY,
  written_at INTEGER NOT NULL
);
