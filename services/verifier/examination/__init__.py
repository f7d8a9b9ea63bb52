"""From bytes to facts: opens, reads and examines what was handed in, and judges nothing."""
