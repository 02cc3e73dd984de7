"""Where attempts are made."""
