"""The knowledge as FHIR R4 resources, for whoever keeps, compares or reviews it with FHIR tools.

`bundle.export_knowledge` makes the Bundle, `bundle.write` the files. The export tells what the service does; it does
not do it: nothing here is executable, and every resource that could be taken for logic says so.
"""
