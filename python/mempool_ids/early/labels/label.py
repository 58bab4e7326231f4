"""One label: what is said of an address."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from mempool_ids.config.values import checksummed, lower_address


def _address(text: str) -> str:
    return checksummed(lower_address(text))


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("printable characters only")
    return text


_Text = Annotated[str, Field(max_length=256), AfterValidator(_printable)]


class Label(BaseModel):
    """A label as it is stored, sent and read: in JSON it has these names."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: Annotated[_Text, Field(max_length=128)] = ""
    """The same id told again replaces what was told, and names what is refuted. Unless given, `label:address`."""
    entity: Annotated[str, AfterValidator(_address)]
    """With its checksum."""
    entityType: Literal["ADDRESS"] = "ADDRESS"
    label: Literal["contract", "eoa", "attacker"]
    """Made for an attack; made such a contract; has attacked."""
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.9
    metadata: Annotated[dict[_Text, _Text], Field(max_length=32)] = Field(default_factory=dict)
    """`incident`, `date`, `chain`, and what else people may want to know."""
    remove: bool = False
    """It was refuted: the label of this id is taken away."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, told: object) -> object:
        if isinstance(told, dict) and not told.get("id"):
            return {**told, "id": f"{told.get('label')}:{str(told.get('entity')).lower()}"[:128]}
        return told
