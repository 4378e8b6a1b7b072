-- +goose Up
-- version 0 and an empty role: nothing is known of the user yet but that there is one. A row is never deleted, or the orders of a
-- deleted user would be taken again.
CREATE TABLE IF NOT EXISTS customers (
  user_id    BINARY(16) NOT NULL PRIMARY KEY,
  role       VARBINARY(32) NOT NULL,
  version    BIGINT NOT NULL,
  deleted_at BIGINT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
