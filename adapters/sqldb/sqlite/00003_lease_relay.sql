-- +goose Up
INSERT OR IGNORE INTO lease (name, holder, epoch, expires_at) VALUES ('relay', '', 0, 0);
