"""The CDS client's FHIR server, asked for what prefetch did not bring. Never trusted with more than the question.

fhir_client   one for the service: which servers may be asked, connections kept per server
session       one for the call: its token, its deadline, the queries of one round side by side
search        one query: GET or POST, retries, redirects and pages, until its answer is whole or has failed
transfer      one exchange: bytes within limits, JSON, or the reason why not
network       one connection: to an address that may be asked, judged after DNS
documents     one document at an address that was registered, such as a client's public keys
scopes        what the token allows to ask
"""
