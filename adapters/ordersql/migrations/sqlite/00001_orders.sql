-- +goose Up
-- One index beside the key, for every insert pays for each: it finds a user's orders of a status, in order, and those of all
-- statuses by asking for each.
CREATE TABLE IF NOT EXISTS orders (
  id            BLOB NOT NULL PRIMARY KEY,
  user_id       BLOB NOT NULL,
  status        TEXT NOT NULL,
  items         BLOB NOT NULL,
  currency      TEXT NOT NULL,
  total         INTEGER NOT NULL,
  note          TEXT NOT NULL,
  version       INTEGER NOT NULL,
  sequence      INTEGER NOT NULL,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  cancelled_at  INTEGER NULL,
  cancel_reason TEXT NOT NULL
);

CREATE INDEX IF NOT EXISTS orders_user ON orders (user_id, status, id);
