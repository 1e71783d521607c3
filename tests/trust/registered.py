"""The service with registered clients, and requests with tokens that they have signed."""

import yaml

from cds_service.app import create_app
from cds_service.settings import Settings
from tests.api.world import path_of
from tests.conftest import Client, Clock
from tests.trust.token_maker import PINNED, TokenMaker, bearer, issuers, key_set

PUBLIC = "https://cds.example.org"
ADMIN = "admin-" + "x" * 40


def entry(issuer):
    """What stands in the clients file for an issuer of the tests."""
    made = {"issuer": issuer.issuer, "algorithms": sorted(issuer.algorithms)}
    if issuer.keys_url:
        made["keys url"] = issuer.keys_url
    if issuer.issuer == PINNED:
        made["keys"] = key_set("es384")["keys"]
    if issuer.tenants:
        made["tenants"] = sorted(issuer.tenants)
    if issuer.audiences:
        made["audiences"] = sorted(issuer.audiences)
    return made


class Secured:
    """The running service, the file with its clients, and a clock."""

    def __init__(self, folder, keys_at, more=None, **settings):
        self.file = folder / "clients.yaml"
        self.keys_at = keys_at
        self.clients = {issuer.client: entry(issuer) for issuer in issuers(keys_at)}
        for client, members in (more or {}).items():
            self.clients[client] = self.clients.get(client, {}) | members
        self.write()
        self.clock = Clock()
        (folder / "admin").write_text(ADMIN)
        options = {"database_url": "sqlite://", "public_url": PUBLIC, "clients_file": self.file, "max_cards": 0}
        options["admin_token_file"] = folder / "admin"
        self.http = Client(create_app(Settings(**options | settings), self.clock), PUBLIC)

    def write(self):
        self.file.write_text(yaml.safe_dump({"clients": self.clients}))

    def maker(self, path="/cds-services/foot-drop-patient-view", send=None):
        return TokenMaker(PUBLIC + path, self.keys_at, self.seconds, send or (lambda headers: self.send(headers, path)))

    def seconds(self):
        return self.clock.at.timestamp()

    def send(self, authorization, path, made=None, method="POST", **headers):
        """A request with these values of its Authorization headers."""
        named = [(b"authorization", value) for value in authorization]
        named += [(name.encode(), value.encode()) for name, value in headers.items()]
        options = {} if made is None else {"json": made}
        return self.http.request(method, path, headers=named, **options)

    def fire(self, made, issuer, **headers):
        """A hook call of a registered client, with a fresh token."""
        path = path_of(made["hook"])
        return self.send(self.token(path, issuer), path, made, **headers)

    def token(self, path, issuer, **claims):
        maker = self.maker(path)
        return bearer(maker.token(claims=maker.claims(iss=issuer, **claims)))

    def discover(self, issuer):
        return self.send(self.token("/cds-services", issuer), "/cds-services", method="GET")

    def look(self, path):
        """A page, as whoever runs the service sees it."""
        answer = self.http.get(path, headers={"authorization": f"Bearer {ADMIN}"})
        assert answer.status_code == 200, answer.text
        return answer

    def close(self):
        self.http.close()
