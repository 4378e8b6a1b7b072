-- +goose Up
-- What deleted users, or others about them, gave as the reason of a cancellation: with the notes it is erased since.
UPDATE orders SET cancel_reason = '', version = version + 1
WHERE status = 'cancelled' AND cancel_reason NOT IN ('', 'user_deleted')
  AND user_id IN (SELECT user_id FROM customers WHERE deleted_at IS NOT NULL);
