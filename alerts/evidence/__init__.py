"""Evidence: what is kept of a page that matched, who handled it, and how anybody can verify it."""
