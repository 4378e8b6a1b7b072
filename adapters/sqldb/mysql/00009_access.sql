-- +goose Up
-- Users whose rights changed lately. version 0 and an empty role: only the deletion is known. noted_at is the database's clock.
CREATE TABLE IF NOT EXISTS access_changes (
  user_id    BINARY(16) NOT NULL PRIMARY KEY,
  version    BIGINT NOT NULL,
  role       VARBINARY(32) NOT NULL,
  deleted    BOOLEAN NOT NULL,
  changed_at BIGINT NOT NULL,
  noted_at   BIGINT NOT NULL,
  KEY access_changes_noted (noted_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
