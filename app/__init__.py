"""The roof: doors and stories."""
