-- +goose Up
CREATE TABLE IF NOT EXISTS inbox_left_out (
  consumer       VARBINARY(64) NOT NULL,
  source         VARBINARY(255) NOT NULL,
  partition_key  VARBINARY(255) NOT NULL,
  first_sequence BIGINT NOT NULL,
  last_sequence  BIGINT NOT NULL,
  PRIMARY KEY (consumer, source, partition_key, first_sequence)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
