"""Matches → alerts, evidence and messages that can never leak the record again. The only room that speaks SMTP."""
