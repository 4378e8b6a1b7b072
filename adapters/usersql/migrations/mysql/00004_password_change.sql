-- +goose Up
-- MySQL commits DDL at once and knows no IF NOT EXISTS here: a start that was cut off right behind it must find its way.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
  WHERE table_schema = DATABASE() AND table_name = 'users' AND column_name = 'must_change_password');
SET @change = IF(@missing, 'ALTER TABLE users ADD COLUMN must_change_password BOOLEAN NOT NULL DEFAULT FALSE', 'DO 0');
PREPARE add_column FROM @change;
EXECUTE add_column;
DEALLOCATE PREPARE add_column;
