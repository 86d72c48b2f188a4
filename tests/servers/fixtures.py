"""Fixtures of the real servers (placeholder until each server's file is here)."""
