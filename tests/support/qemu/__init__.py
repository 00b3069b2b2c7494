"""A guest with a kernel of its own: see guest.py."""
