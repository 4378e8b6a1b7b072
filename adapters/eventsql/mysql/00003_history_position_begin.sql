-- +goose Up
INSERT IGNORE INTO history_position (id, last) VALUES (1, 0);
