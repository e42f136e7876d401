"""Faults on real hosts: what breaks when, and what must have become of it."""
