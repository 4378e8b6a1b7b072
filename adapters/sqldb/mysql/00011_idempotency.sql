-- +goose Up
CREATE TABLE IF NOT EXISTS idempotency (
  id          BINARY(32) NOT NULL PRIMARY KEY,
  fingerprint BINARY(32) NOT NULL,
  owner       BINARY(16) NOT NULL,
  status      SMALLINT NOT NULL,
  location    VARBINARY(255) NOT NULL,
  etag        VARBINARY(255) NOT NULL,
  body        MEDIUMBLOB NOT NULL,
  created_at  BIGINT NOT NULL,
  KEY idempotency_created (created_at),
  KEY idempotency_owner (owner, location)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
