-- +goose Up
-- The relay asks for the rows of one stream: those that wait, by ID, and the highest and lowest places that were acknowledged. A
-- generated column is filled by the change itself, in one statement that either happened or not. MySQL knows no IF NOT EXISTS here.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
  WHERE table_schema = DATABASE() AND table_name = 'outbox' AND column_name = 'stream');
SET @change = IF(@missing, 'ALTER TABLE outbox
  ADD COLUMN stream VARBINARY(255) AS (SUBSTRING_INDEX(topic, ''.'', 1)) STORED,
  DROP KEY outbox_stream,
  ADD KEY outbox_stream (stream, stream_sequence, id)', 'DO 0');
PREPARE add_stream FROM @change;
EXECUTE add_stream;
DEALLOCATE PREPARE add_stream;
