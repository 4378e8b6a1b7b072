-- +goose Up
INSERT INTO history_blocks (block, earliest, latest)
  SELECT (position - 1) DIV 200, MIN(time), MAX(time) FROM history WHERE position IS NOT NULL GROUP BY (position - 1) DIV 200
  ON DUPLICATE KEY UPDATE earliest = LEAST(earliest, VALUES(earliest)), latest = GREATEST(latest, VALUES(latest));
