"""The reports: what a study came to, for people."""
