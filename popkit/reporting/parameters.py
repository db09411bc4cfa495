"""What a notebook can be told: three strings, and nothing that is not one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from popkit.errors import UsageError
from popkit.protocol.errors import ERAS

if TYPE_CHECKING:
    from popkit.case import Case


class Parameters(BaseModel):
    """A notebook's inputs, every one a string and kept as it is: a hash of 64 zeros stays 64 zeros.

    The `parameters` cell of each notebook sets these names and no others.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    CASE: str = Field(min_length=1, description="a case directory")
    GRANT: str = Field(
        default="",
        description="a grant's public key, or the beginning of it; empty: every grant that needs "
        "looking at",
    )
    ERA: str = Field(
        default="",
        description="the program version to assume where nothing in the evidence decides; empty: "
        "none",
    )


def checked(values: Mapping[str, object], case: Case) -> Parameters:
    """Parameters for a case, the grant's key completed.

    Raises UsageError for an unknown name, a value that is no string, a grant that the case does not
    have, or an era that is none.
    """
    try:
        parameters = Parameters.model_validate(dict(values))
    except ValidationError as error:
        raise UsageError(
            "; ".join(_problem(row["type"], row["loc"]) for row in error.errors())
        ) from None
    if parameters.ERA and parameters.ERA not in ERAS:
        raise UsageError(f"ERA: {parameters.ERA!r} is no era; one of {', '.join(ERAS)}")
    if parameters.GRANT:
        return parameters.model_copy(update={"GRANT": case.chain(parameters.GRANT).grant})
    return parameters


def _problem(kind: str, where: tuple[int | str, ...]) -> str:
    """A validation error as a sentence that names what is known."""
    name, known = ".".join(map(str, where)), ", ".join(Parameters.model_fields)
    if kind == "extra_forbidden":
        return f"{name!r} is no parameter of the notebooks; known are {known}"
    return (
        f"{name} is missing"
        if kind == "missing"
        else f"{name} must be a string that is not empty"
        if name == "CASE"
        else f"{name} must be a string"
    )
