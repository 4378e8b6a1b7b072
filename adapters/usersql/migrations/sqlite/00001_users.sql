-- +goose Up
-- email is kept and compared as bytes: it is normalised before it comes here.
CREATE TABLE IF NOT EXISTS users (
  id            BLOB NOT NULL PRIMARY KEY,
  email         BLOB NOT NULL UNIQUE,
  name          TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  role          TEXT NOT NULL,
  version       INTEGER NOT NULL,
  sequence      INTEGER NOT NULL,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL
);

CREATE INDEX IF NOT EXISTS users_role ON users (role, id);
