-- +goose Up
CREATE TABLE IF NOT EXISTS outbox (
  id              BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  message_id      BINARY(16) NOT NULL,
  topic           VARBINARY(255) NOT NULL,
  partition_key   VARBINARY(255) NOT NULL,
  sequence        BIGINT NOT NULL,
  metadata        MEDIUMBLOB NOT NULL,
  payload         MEDIUMBLOB NOT NULL,
  created_at      BIGINT NOT NULL,
  published_at    BIGINT NULL,
  stream_sequence BIGINT NULL,
  UNIQUE KEY outbox_message (message_id),
  KEY outbox_stream (stream_sequence, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
