"""The lease of a cursor: one holder at a time, and a number that tells a holder from the one before it.

A lease ends by the database's clock. Whoever takes it gets the next epoch, and every later statement of an
earlier holder changes nothing: a process that comes back after a pause finds out when it writes, not before.
"""

from __future__ import annotations

TAKE_LEASE = """
INSERT INTO cursor AS held (name, held_until, epoch)
VALUES ($1, now() + make_interval(secs => $2), 1)
ON CONFLICT (name) DO UPDATE
  SET epoch = held.epoch + 1, held_until = now() + make_interval(secs => $2)
  WHERE held.held_until < now()
RETURNING position, epoch
"""
KEEP_LEASE = """
UPDATE cursor SET held_until = now() + make_interval(secs => $3), position = greatest(position, $4)
WHERE name = $1 AND epoch = $2 RETURNING position
"""
MARK = """
UPDATE cursor
SET position = greatest(position, $3), moved_at = now(), held_until = now() + make_interval(secs => $4)
WHERE name = $1 AND epoch = $2 RETURNING 1
"""
RELEASE = "UPDATE cursor SET held_until = '-infinity' WHERE name = $1 AND epoch = $2"
