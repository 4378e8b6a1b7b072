-- +goose Up
CREATE TABLE IF NOT EXISTS sign_in_addresses (
  mark       BINARY(32) NOT NULL PRIMARY KEY,
  user_id    BINARY(16) NOT NULL,
  expires_at BIGINT NOT NULL,
  KEY sign_in_addresses_user (user_id),
  KEY sign_in_addresses_expiry (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
