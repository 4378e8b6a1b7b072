-- +goose Up
CREATE TABLE IF NOT EXISTS limit_buckets (
  bucket  BINARY(16) NOT NULL PRIMARY KEY,
  full_at BIGINT NOT NULL,
  KEY limit_buckets_full (full_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
