"""What every entry of a YAML file is: keys with spaces, as they are read aloud; unknown keys are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _spaced(name: str) -> str:
    return name.rstrip("_").replace("_", " ")


class Entry(BaseModel):
    """A mapping in a YAML file: keys with spaces, no key that is not listed."""

    # the aliases are made here, not written: entries are read from YAML only, never made by name in code
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=_spaced)  # type: ignore[pydantic-alias]


def listed(value: Any) -> Any:
    """One entry where a list may stand is a list of one."""
    return value if isinstance(value, list) else [value]


Name = Annotated[str, Field(min_length=1)]
Names = Annotated[list[Name], Field(min_length=1), BeforeValidator(listed, json_schema_input_type=Name | list[Name])]
Sentence = Annotated[str, Field(min_length=1)]
SidePattern = Literal["both", "one", "not stated"]
ThatSide = Literal["that side", "any side"]
HookName = Annotated[str, Field(pattern=r"^[a-z][a-z.-]+$")]
