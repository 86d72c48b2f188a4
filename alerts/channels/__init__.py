"""Ways out for messages: one file, one channel. Each has `deliver(notice)` of `alerts.interface.Channel`."""
