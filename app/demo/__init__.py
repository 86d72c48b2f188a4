"""The world of `make demo`: invented patients, a small site of our own, and the leaks planted in it."""
