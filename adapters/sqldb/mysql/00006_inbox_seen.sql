-- +goose Up
CREATE TABLE IF NOT EXISTS inbox_seen (
  consumer VARBINARY(64) NOT NULL,
  source   VARBINARY(255) NOT NULL,
  event_id BINARY(16) NOT NULL,
  seen_at  BIGINT NOT NULL,
  PRIMARY KEY (consumer, source, event_id),
  KEY inbox_seen_at (seen_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
