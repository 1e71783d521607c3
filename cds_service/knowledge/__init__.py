"""``cards/`` on disk → the domain: schema, loader, compiler, checks, pages."""
