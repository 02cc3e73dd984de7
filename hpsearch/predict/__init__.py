"""Reads pictures with finished models."""
