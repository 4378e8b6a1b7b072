-- +goose Up
INSERT OR IGNORE INTO history_position (id, last) VALUES (1, 0);
