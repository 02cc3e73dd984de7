"""Contract suites that any part, ours or another's, proves itself by."""
