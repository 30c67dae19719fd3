"""Networks, and how they are trained, kept and asked."""
