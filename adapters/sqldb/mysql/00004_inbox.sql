-- +goose Up
CREATE TABLE IF NOT EXISTS inbox (
  consumer      VARBINARY(64) NOT NULL,
  source        VARBINARY(255) NOT NULL,
  partition_key VARBINARY(255) NOT NULL,
  sequence      BIGINT NOT NULL,
  applied       BIGINT NOT NULL,
  early_since   BIGINT NULL,
  updated_at    BIGINT NOT NULL,
  PRIMARY KEY (consumer, source, partition_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
