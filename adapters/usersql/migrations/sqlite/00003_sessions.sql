-- +goose Up
CREATE TABLE IF NOT EXISTS sessions (
  id           BLOB NOT NULL PRIMARY KEY,
  user_id      BLOB NOT NULL,
  generation   INTEGER NOT NULL,
  issued       INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  last_used_at INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  agent        TEXT NOT NULL,
  address      TEXT NOT NULL
);

CREATE INDEX IF NOT EXISTS sessions_user ON sessions (user_id, id);
CREATE INDEX IF NOT EXISTS sessions_expiry ON sessions (expires_at);

-- What is left of a session that ended is purged when it would have ended by itself; without its session a token is nobody's.
CREATE TABLE IF NOT EXISTS refresh_tokens (
  hash       BLOB NOT NULL PRIMARY KEY,
  session_id BLOB NOT NULL,
  generation INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);

CREATE INDEX IF NOT EXISTS refresh_tokens_expiry ON refresh_tokens (expires_at);
