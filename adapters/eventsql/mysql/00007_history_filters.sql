-- +goose Up
-- Each filter has an index in the order of the list. MySQL knows no IF NOT EXISTS here: a start that was cut off right behind it must find
-- its way.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.statistics
  WHERE table_schema = DATABASE() AND table_name = 'history' AND index_name = 'history_source');
SET @change = IF(@missing, 'ALTER TABLE history DROP KEY history_time, DROP KEY history_correlation,
  ADD KEY history_correlation (correlation_id, position), ADD KEY history_key_position (partition_key, position),
  ADD KEY history_source (source, position)', 'DO 0');
PREPARE change_indexes FROM @change;
EXECUTE change_indexes;
DEALLOCATE PREPARE change_indexes;
