"""Bytes → passages, in sandboxed child processes that hold no key and have no network."""
