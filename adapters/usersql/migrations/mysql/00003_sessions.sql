-- +goose Up
CREATE TABLE IF NOT EXISTS sessions (
  id           BINARY(16) NOT NULL PRIMARY KEY,
  user_id      BINARY(16) NOT NULL,
  generation   BIGINT NOT NULL,
  issued       BIGINT NOT NULL,
  created_at   BIGINT NOT NULL,
  last_used_at BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL,
  agent        VARCHAR(200) NOT NULL,
  address      VARBINARY(64) NOT NULL,
  KEY sessions_user (user_id, id),
  KEY sessions_expiry (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What is left of a session that ended is purged when it would have ended by itself; without its session a token is nobody's.
CREATE TABLE IF NOT EXISTS refresh_tokens (
  hash       BINARY(32) NOT NULL PRIMARY KEY,
  session_id BINARY(16) NOT NULL,
  generation BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  KEY refresh_tokens_expiry (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
