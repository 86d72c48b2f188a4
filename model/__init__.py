"""The nouns of Spillwatch: frozen dataclasses and the error tree. Standard library only."""
