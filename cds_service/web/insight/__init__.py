"""The pages of `/insight`: what became of advice, as charts and tables, as JSON and as CSV."""
