-- +goose Up
-- Users whose rights changed lately. version 0 and an empty role: only the deletion is known. noted_at is the database's clock.
CREATE TABLE IF NOT EXISTS access_changes (
  user_id    BLOB NOT NULL PRIMARY KEY,
  version    INTEGER NOT NULL,
  role       TEXT NOT NULL,
  deleted    INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  noted_at   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS access_changes_noted ON access_changes (noted_at);
