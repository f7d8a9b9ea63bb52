"""The assessor: decides whether an assessment meets the bar, and keeps the keys that seal learners' data."""
