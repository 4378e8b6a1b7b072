-- +goose Up
-- An admin's list of one status. MySQL knows no IF NOT EXISTS here: a start that was cut off right behind it must find its way.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.statistics
  WHERE table_schema = DATABASE() AND table_name = 'orders' AND index_name = 'orders_status');
SET @change = IF(@missing, 'ALTER TABLE orders ADD KEY orders_status (status, id)', 'DO 0');
PREPARE add_index FROM @change;
EXECUTE add_index;
DEALLOCATE PREPARE add_index;
