"""Training: of the base network, and what it works on."""
