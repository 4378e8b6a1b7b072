-- +goose Up
CREATE TABLE IF NOT EXISTS signing_keys (
  id         BLOB NOT NULL PRIMARY KEY,
  public     BLOB NOT NULL,
  sealed     BLOB NOT NULL,
  created_at INTEGER NOT NULL
);
