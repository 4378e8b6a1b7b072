-- +goose Up
-- Each index is in the order of the list and has the columns of the other filters.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.statistics
  WHERE table_schema = DATABASE() AND table_name = 'poison' AND index_name = 'poison_by_failure');
SET @change = IF(@missing, 'ALTER TABLE poison DROP KEY poison_status, DROP KEY poison_key, DROP KEY poison_fingerprint,
  ADD KEY poison_by_failure (last_failed_at, number, status, consumer, type),
  ADD KEY poison_by_status (status, last_failed_at, number, consumer, type),
  ADD KEY poison_by_consumer (consumer, last_failed_at, number, status, type),
  ADD KEY poison_by_type (type, last_failed_at, number, status, consumer),
  ADD KEY poison_by_fingerprint (fingerprint, last_failed_at, number, status, consumer, type),
  ADD KEY poison_by_key (partition_key, last_failed_at, number, status, consumer, type)', 'DO 0');
PREPARE change_indexes FROM @change;
EXECUTE change_indexes;
DEALLOCATE PREPARE change_indexes;
