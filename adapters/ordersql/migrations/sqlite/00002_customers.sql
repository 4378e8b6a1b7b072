-- +goose Up
-- version 0 and an empty role: nothing is known of the user yet but that there is one. A row is never deleted, or the orders of a
-- deleted user would be taken again.
CREATE TABLE IF NOT EXISTS customers (
  user_id    BLOB NOT NULL PRIMARY KEY,
  role       TEXT NOT NULL,
  version    INTEGER NOT NULL,
  deleted_at INTEGER NULL
) WITHOUT ROWID;
