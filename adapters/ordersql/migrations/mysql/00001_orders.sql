-- +goose Up
-- One index beside the key, for every insert pays for each: it finds a user's orders of a status, in order, and those of all
-- statuses by asking for each.
CREATE TABLE IF NOT EXISTS orders (
  id            BINARY(16) NOT NULL PRIMARY KEY,
  user_id       BINARY(16) NOT NULL,
  status        VARBINARY(16) NOT NULL,
  items         MEDIUMBLOB NOT NULL,
  currency      VARBINARY(3) NOT NULL,
  total         BIGINT NOT NULL,
  note          VARCHAR(1000) NOT NULL,
  version       BIGINT NOT NULL,
  sequence      BIGINT NOT NULL,
  created_at    BIGINT NOT NULL,
  updated_at    BIGINT NOT NULL,
  cancelled_at  BIGINT NULL,
  cancel_reason VARCHAR(500) NOT NULL,
  KEY orders_user (user_id, status, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
