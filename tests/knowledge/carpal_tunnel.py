"""A whole `cards/` on another subject, carpal tunnel syndrome, written without a line of Python."""

from pathlib import Path

FILES = {
    "code_systems/systems.yaml": """
        ICD-10-CM: {uri: "http://hl7.org/fhir/sid/icd-10-cm", ignore dots: yes, licence: public domain}
        SNOMED CT: {uri: "http://snomed.info/sct", licence: SNOMED International}
        wrist orders: {uri: "https://wrist.example.org/orders", licence: ours}
        wrist reasons: {uri: "https://wrist.example.org/reasons", licence: ours}
        wrist topics: {uri: "https://wrist.example.org/topics", licence: ours}
    """,
    "value_sets/carpal-tunnel.yaml": """
        name: carpal tunnel syndrome
        title: Carpal tunnel syndrome
        purpose: The median nerve pressed at the wrist.
        steward: hand team
        status: draft
        sources: [ICD-10-CM]
        codes:
          - {system: ICD-10-CM, code: "G56.01", side: right}
          - {system: ICD-10-CM, code: "G56.02", side: left}
    """,
    "value_sets/wrist-splint.yaml": """
        name: wrist splint
        title: Wrist splint
        purpose: A splint that keeps the wrist straight at night.
        steward: hand team
        status: draft
        sources: [ours]
        recorded in: [device requests]
        codes:
          - {system: wrist orders, code: night-splint}
    """,
    "parameters.yaml": """
        long enough to treat:
          {value: 14, unit: days, means: Milder spells pass., citation: W01, date: 2026-11-22, steward: hand team}
        encounter window:
          {value: 90, unit: days, means: It stays active., citation: W01, date: 2026-11-22, steward: hand team}
    """,
    "orderables.yaml": """
        wrist splint:
          resource: DeviceRequest
          text: Night splint for the wrist
          codings:
            - {system: wrist orders, code: night-splint, display: Night splint}
        chart note:
          resource: ServiceRequest
          text: Note in the chart
          codings:
            - {system: wrist orders, code: chart-note, display: Note in the chart}
          category: {system: wrist orders, code: clerical, display: Clerical}
          sided: no
    """,
    "override_reasons.yaml": """
        splint at home: {code: splint-at-home, display: Has a splint at home, to record: the splint at home}
        chart is right: {code: chart-is-right, display: The chart is right}
    """,
    "evidence.yaml": """
        W01:
          short: A made-up trial
          citation: "Nobody A. Splints at night. J Example 2026."
          url: https://wrist.example.org/trial
          says: Splints help.
          kind: trial
          quality: low
          seen: made up
    """,
    "services.yaml": """
        source: {label: Wrist advice, topics: wrist topics, override reasons: wrist reasons}
        services:
          - id: wrist-view
            hook: patient-view
            hook version: "1.0"
            title: Wrists
            description: Looks at wrists.
            usage requirements: None.
        groups: {splints: Splints}
        needs:
          patient:
            key: patient
            query: "Patient/{{context.patientId}}"
            resource: Patient
            shows: [patient]
            words: the patient
          conditions:
            key: problems
            query: "Condition?patient={{context.patientId}}"
            resource: Condition
            shows: [condition]
            words: the problems
          device requests:
            key: splints
            query: "DeviceRequest?patient={{context.patientId}}"
            resource: DeviceRequest
            shows: [order, refusal]
            words: the splints ordered
        concerns us: [{condition: carpal tunnel syndrome}]
        review grace: encounter window
        snooze:
          after info: encounter window
          after warning: long enough to treat
          episode of: [carpal tunnel syndrome]
        data gap card: {title: Gaps, summary: Something was not read., detail: "Not read: {missing}."}
        folded card: {title: More, summary: "{count} more", detail: "{cards}"}
        record correction card:
          title: Mend the chart
          hooks: [patient-view]
          order: chart note
          summary: "You said: {reason}. Write it down?"
          summary of several: "{count} things to write down"
          detail: "To write down: {corrections}"
          correction: "- {what} ({reason}, {advice})"
          suggestion: "Write down {what}"
          description: "Write down {what}, said of: {advice}."
          override reasons: [chart is right]
        gap reasons:
          not sent: not sent
          late: late
          denied: denied
          out of scope: out of scope
          not offered: not offered
          server error: server error
          unreadable: unreadable
          incomplete: incomplete
          too much: too much
          other patient: other patient
          unsafe: unsafe
          server not allowed: server not allowed
        not read: "Not read: {missing}."
        unclear: "Not clear: {unclear}."
        to do by hand: "{suggestions}"
        evidence line: "{strength} {citations}"
        draft notice: Draft.
    """,
    "definitions.yaml": """
        reading:
          yes means: present
          no means: absent
          laterality parameter: which side
          an encounter diagnosis stays active for: encounter window
        caveats:
          splints not seen: "Not seen: {missing}. There may be a splint."
        gates:
          - name: the patient has died
            says: No advice for the dead.
            silences: [guidance]
            when: [{deceased: yes}]
        moments:
          onset on that side:
            says: When it began.
            first known of:
              - earliest date of: {condition: carpal tunnel syndrome, on: that side}
        definitions:
          pressed median nerve:
            says: Carpal tunnel syndrome on that side, confirmed and long enough to treat.
            all:
              - condition: carpal tunnel syndrome
                on: that side
                certainty: confirmed
              - moment: onset on that side
                at least: long enough to treat
    """,
    "seed_statements.yaml": """
        about: A text on wrists.
        statements:
          S1: {says: A splint helps., class: treatment}
    """,
    "source_attributes.yaml": """
        title: Attributes
        note: None.
        attributes:
          - {says: Developer, answered by: author}
    """,
    "recommendations/splints/offer-a-splint.yaml": """
        id: CTS-1
        title: Offer a night splint
        place in order: 1
        sort: guidance
        hooks: [patient-view]
        also for children: yes
        for each: {side with: pressed median nerve}
        unless:
          - open order: wrist splint
            on: that side
        when unknown: show
        caveat: splints not seen
        indicator: {default: info}
        summary: "Carpal tunnel syndrome ({side}) since {onset}: consider a night splint."
        detail: ["**Found:** {found}."]
        slots:
          onset: {date: {moment: onset on that side}, otherwise: some time}
        suggestions:
          - label: "Order a night splint ({side})"
            recommended: yes
            actions:
              - create: wrist splint
                for: pressed median nerve
        override reasons: [splint at home]
        evidence: [W01]
        strength: "Low."
        seed statements: [S1]
        stewardship: {status: draft, version: 0.1.0, author: hand team, next review: 2027-01-01}
    """,
}
_SMALL_SETS = {
    "right side": ("24028007", "right"),
    "left side": ("7771000", "left"),
    "both sides": ("51440002", "both"),
    "present": ("52101004", None),
    "absent": ("2667000", None),
    "which side": ("272741003", None),
}
_SMALL_SET = """
name: {name}
title: {name}
purpose: To say {name}.
steward: hand team
status: draft
sources: [SNOMED GPS]
codes:
  - {{system: SNOMED CT, code: "{code}"{side}}}
"""


def write(folder: Path, **changes: str) -> Path:
    """The files under a folder; `changes` maps a file's name, without folder or ending, to its new text."""
    for name, text in FILES.items():
        stem = Path(name).stem
        _write(folder / name, changes.get(stem, text))
    for name, (code, side) in _SMALL_SETS.items():
        text = _SMALL_SET.format(name=name, code=code, side=f", side: {side}" if side else "")
        _write(folder / "value_sets" / f"{name.replace(' ', '-')}.yaml", text)
    return folder


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = text.strip("\n").split("\n")
    indent = len(lines[0]) - len(lines[0].lstrip())
    path.write_text("\n".join(line[indent:] for line in lines).rstrip() + "\n", encoding="utf-8")
