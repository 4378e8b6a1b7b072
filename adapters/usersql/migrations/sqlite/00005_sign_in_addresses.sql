-- +goose Up
CREATE TABLE IF NOT EXISTS sign_in_addresses (
  mark       BLOB NOT NULL PRIMARY KEY,
  user_id    BLOB NOT NULL,
  expires_at INTEGER NOT NULL
);

CREATE INDEX IF NOT EXISTS sign_in_addresses_user ON sign_in_addresses (user_id);
CREATE INDEX IF NOT EXISTS sign_in_addresses_expiry ON sign_in_addresses (expires_at);
