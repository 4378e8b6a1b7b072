-- +goose Up
-- email is kept and compared as bytes: it is normalised before it comes here.
CREATE TABLE IF NOT EXISTS users (
  id            BINARY(16) NOT NULL PRIMARY KEY,
  email         VARBINARY(320) NOT NULL,
  name          VARCHAR(200) NOT NULL,
  password_hash VARBINARY(512) NOT NULL,
  role          VARBINARY(32) NOT NULL,
  version       BIGINT NOT NULL,
  sequence      BIGINT NOT NULL,
  created_at    BIGINT NOT NULL,
  updated_at    BIGINT NOT NULL,
  UNIQUE KEY users_email (email),
  KEY users_role (role, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
