-- +goose Up
-- Each filter has an index in the order of the list.
DROP INDEX IF EXISTS history_time;
DROP INDEX IF EXISTS history_key;

CREATE INDEX IF NOT EXISTS history_key_position ON history (partition_key, position);

CREATE INDEX IF NOT EXISTS history_source ON history (source, position);
