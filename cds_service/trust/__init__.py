"""Who calls, and what was agreed with each client."""
