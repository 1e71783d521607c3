"""FHIR behind ports: reading facts from resources, writing the resources that cards suggest.

Read with `reader.RecordReader`, write with `order_writer.OrderWriter`. Nothing here imports fhir.resources: the hot
path decodes only the members that facts need (`shapes`), and what we emit is validated in tests.
"""
