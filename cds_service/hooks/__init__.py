"""The CDS Hooks standard as types.

Reading is tolerant where clients differ and strict where it matters whose data it is; what we send is
valid because an invalid value cannot be built. Nothing here knows of foot drop, FHIR resources or the web.
Row ids such as REQ-3 are those of the table of normative statements that the tests refer to.
"""
