-- +goose Up
CREATE TABLE IF NOT EXISTS failures (
  consumer        VARBINARY(64) NOT NULL,
  event_id        BINARY(16) NOT NULL,
  round           INT NOT NULL,
  attempts        INT NOT NULL,
  first_failed_at BIGINT NOT NULL,
  last_failed_at  BIGINT NOT NULL,
  PRIMARY KEY (consumer, event_id),
  KEY failures_last (last_failed_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
