"""The entries of registered clients: what is refused, with file, line and what would be right."""

import pytest

from cds_service.errors import SettingsError
from cds_service.knowledge.loader import load_knowledge
from cds_service.settings import Settings
from cds_service.trust.clients import read_clients

GOOD = """\
clients:
  general-hospital:
    issuer: https://ehr.example.org
    keys url: https://ehr.example.org/jwks.json
    services: [foot-drop-patient-view]
    fhir servers: [https://fhir.example.org/r4]
    networks: [10.20.0.0/16]
    cors origins: [https://ehr.example.org]
    ehr profile: epic
    needs:
      devices: {unavailable: yes}
      conditions: {queries: ["Condition?patient={{context.patientId}}&category=problem-list-item"]}
    local codes:
      - {system: "urn:oid:1.2.3.4", code: FD-L, same as: {system: ICD-10-CM, code: M21.371}, side: left}
    orthoses as: ServiceRequest
    order catalogue:
      ankle-foot orthosis: {system: "urn:oid:1.2.3.5", code: 4711}
    takes: {resources: [ServiceRequest], actions: [create]}
    in shadow: [FD-DM-04]
  clinic-north:
    issuer: urn:clinic-north
    keys:
      - kty: EC
        crv: P-384
        kid: n-1
        x: CZNr-ER5KrV_BR-E9Z10DsW3Xoy55VZjJPrOqSV8BEzGARGw7cQiJkF21MtsKU53
        y: 4CT8sQWLE0A1W4_N4eEs9maINiNSiRuF0G6vo-JHbCmZ9CKVLtNpa6eyqcL8MKOk
"""


@pytest.fixture(scope="module")
def knowledge():
    return load_knowledge(Settings().cards_dir)


@pytest.fixture
def read(tmp_path, knowledge):
    def reading(text):
        file = tmp_path / "clients.yaml"
        file.write_text(text)
        return read_clients(file, knowledge)

    return reading


def test_a_file_is_read_when_nothing_is_wrong_with_it(read):
    clients = read(GOOD)
    assert list(clients) == ["general-hospital", "clinic-north"]
    assert clients["general-hospital"].order_catalogue["ankle-foot orthosis"].code == "4711"
    assert clients["clinic-north"].algorithms == {"ES384", "RS384"}


NORTH = "    issuer: urn:clinic-north\n"
MISTAKES = {
    "no issuer": (NORTH, "", "clients.yaml:20: clients.clinic-north: it has no `issuer`"),
    "an issuer twice": ("urn:clinic-north", "https://ehr.example.org", "is the issuer of general-hospital too"),
    "no keys": ("    keys url: https://ehr.example.org/jwks.json\n", "", "it has neither `keys` nor `keys url`"),
    "keys over plain http": ("keys url: https:", "keys url: http:", "begins with https://"),
    "a private key": ("        kid: n-1\n", "        kid: n-1\n        d: secret\n", "holds the key itself"),
    "a shared secret": ("      - kty: EC\n", "      - kty: oct\n        k: secret\n", "holds the key itself"),
    "a key without kid": ("        kid: n-1\n", "", "has no kid"),
    "an algorithm that is symmetric": (NORTH, f"{NORTH}    algorithms: [HS256]\n", "input should be 'ES256'"),
    "no algorithm at all": (NORTH, f"{NORTH}    algorithms: []\n", "names no algorithm"),
    "none": (NORTH, f"{NORTH}    algorithms: [none]\n", "input should be 'ES256'"),
    "a service that is not": (
        "[foot-drop-patient-view]",
        "[foot-drop-patient-veiw]",
        "did you mean 'foot-drop-patient",
    ),
    "an origin with a path": (
        "cors origins: [https://ehr.example.org]",
        "cors origins: [https://e.org/x]",
        "is no origin",
    ),
    "an origin for all": ("cors origins: [https://ehr.example.org]", 'cors origins: ["*"]', "is no origin such as"),
    "no network": ("10.20.0.0/16", "10.20.0.0/99", "does not appear to be an IPv4 or IPv6 network"),
    "a profile that is not": ("ehr profile: epic", "ehr profile: epik", "did you mean 'epic'"),
    "a need that is not": ("      devices: {", "      device: {", "no need is called 'device'"),
    "a need that says both": ("{unavailable: yes}", "{unavailable: yes, queries: [a]}", "either `queries`, or"),
    "a query for others": (
        "Condition?patient={{context.patientId}}&",
        "Condition?",
        "no query for this patient's data",
    ),
    "a code that means nothing": ("code: M21.371}", "code: Z99.99}", '"Z99.99" is no code of ICD-10-CM in cards/'),
    "an orderable that is not": (
        "ankle-foot orthosis: {",
        "ankle foot orthosis: {",
        "did you mean 'ankle-foot orthosis'",
    ),
    "a resource that is not": ("resources: [ServiceRequest]", "resources: [Task]", "input should be 'ServiceRequest'"),
    "a key that is not": ("    orthoses as:", "    orthosis as:", "clients.yaml:15"),
    "open mode beside others": (
        "  clinic-north:\n",
        "  open: {}\n  clinic-north:\n",
        "no other client can stand beside",
    ),
    "a negative limit": (NORTH, f"{NORTH}    calls a minute: -1\n", "greater than or equal to 0"),
    "a recommendation that is not": ("[FD-DM-04]", "[FD-DM-40]", "did you mean 'FD-DM-04'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_place_and_what_would_be_right(read, mistake):
    old, new, said = MISTAKES[mistake]
    assert old in GOOD
    with pytest.raises(SettingsError, match=r"clients\.yaml:\d+") as refused:
        read(GOOD.replace(old, new))
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)


def test_the_client_of_open_mode_has_no_token(read):
    with pytest.raises(SettingsError, match="has no token"):
        read("clients:\n  open:\n    issuer: https://ehr.example.org\n")


def test_every_mistake_is_told_at_once(read):
    with pytest.raises(SettingsError) as refused:
        read(GOOD.replace("epic", "epik").replace("FD-DM-04", "FD-DM-40"))
    assert len(str(refused.value).splitlines()) == 2
