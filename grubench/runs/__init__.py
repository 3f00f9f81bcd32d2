"""Run folders on disk: their records, reading, atomic writes, locks, and the store of finished runs."""
