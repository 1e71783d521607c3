"""Synthetic patients, golden calls about them, and a demonstration that fires the calls at the real service."""
