"""The sides that are compared: hpsearch and its peers, each of which does a job in a process of its own."""
