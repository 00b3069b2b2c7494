"""A simulated WSL 2 VM on this Linux machine: see tests/support/README.md, "The simulated WSL VM"."""
