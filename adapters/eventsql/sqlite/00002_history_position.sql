-- +goose Up
CREATE TABLE IF NOT EXISTS history_position (
  id   INTEGER PRIMARY KEY,
  last INTEGER NOT NULL
);
