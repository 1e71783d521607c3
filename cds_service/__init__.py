"""A CDS Hooks service for foot drop. Nothing in it has been clinically validated."""

__version__ = "0.1.0"
