"""FastAPI routes, one table from error to status, and the middleware in front."""
