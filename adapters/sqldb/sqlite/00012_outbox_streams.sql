-- +goose Up
-- The relay asks for the rows of one stream: those that wait, by ID (which every index ends with), and the highest and lowest places that
-- were acknowledged.
ALTER TABLE outbox ADD COLUMN stream TEXT AS (substr(topic, 1, instr(topic || '.', '.') - 1)) VIRTUAL;

DROP INDEX outbox_stream;

CREATE INDEX outbox_stream ON outbox (stream, stream_sequence);
