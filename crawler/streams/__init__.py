"""Streams: sites that send what is new by themselves; one protocol = one file, named as `use:` names it."""
