-- +goose Up
-- Each index is in the order of the list and has the columns of the other filters.
DROP INDEX IF EXISTS poison_status;
DROP INDEX IF EXISTS poison_key;
DROP INDEX IF EXISTS poison_fingerprint;

CREATE INDEX IF NOT EXISTS poison_by_failure ON poison (last_failed_at, number, status, consumer, type);

CREATE INDEX IF NOT EXISTS poison_by_status ON poison (status, last_failed_at, number, consumer, type);

CREATE INDEX IF NOT EXISTS poison_by_consumer ON poison (consumer, last_failed_at, number, status, type);

CREATE INDEX IF NOT EXISTS poison_by_type ON poison (type, last_failed_at, number, status, consumer);

CREATE INDEX IF NOT EXISTS poison_by_fingerprint ON poison (fingerprint, last_failed_at, number, status, consumer, type);

CREATE INDEX IF NOT EXISTS poison_by_key ON poison (partition_key, last_failed_at, number, status, consumer, type);
