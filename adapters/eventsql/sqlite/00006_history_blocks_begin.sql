-- +goose Up
INSERT OR REPLACE INTO history_blocks (block, earliest, latest)
  SELECT (position - 1) / 200, MIN(time), MAX(time) FROM history WHERE position IS NOT NULL GROUP BY 1;
