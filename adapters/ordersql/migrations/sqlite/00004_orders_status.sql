-- +goose Up
-- An admin's list of one status.
CREATE INDEX IF NOT EXISTS orders_status ON orders (status, id);
