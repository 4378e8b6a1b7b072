-- +goose Up
-- A position is drawn after the recording commit, one transaction at a time: position IS NULL means that no reader sees the event yet.
CREATE TABLE IF NOT EXISTS history (
  id             BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  position       BIGINT NULL,
  event_id       BINARY(16) NOT NULL,
  type           VARBINARY(255) NOT NULL,
  source         VARBINARY(255) NOT NULL,
  partition_key  VARBINARY(255) NOT NULL,
  sequence       BIGINT NULL,
  time           BIGINT NOT NULL,
  recorded_at    BIGINT NOT NULL,
  correlation_id VARBINARY(255) NOT NULL,
  causation_id   VARBINARY(255) NOT NULL,
  metadata       MEDIUMBLOB NOT NULL,
  data           MEDIUMBLOB NOT NULL,
  UNIQUE KEY history_event (event_id, source),
  UNIQUE KEY history_by_position (position),
  KEY history_type (type, position),
  KEY history_key (partition_key, sequence),
  KEY history_correlation (correlation_id),
  KEY history_time (time)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
