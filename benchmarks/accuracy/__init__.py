"""How well leaks are found: records and leaks of every kind, invented by a seed; see docs/accuracy.md."""
