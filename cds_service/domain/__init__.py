"""The clinical core: codes, facts, criteria, recommendations, evaluation.

Plain Python: no third party, no FHIR, no web, no clock. Time is handed in by the caller.
"""
