"""plan.schema.json and cutover.schema.json, made from the classes of a plan and of a record:
`python -m popkit.cutover.records.schemas`.
"""

from __future__ import annotations

import json
from pathlib import Path

from popkit.cutover import plan as plans
from popkit.evidence import cutover as records

HERE = Path(__file__).parent


def schemas() -> dict[str, str]:
    """The text of each schema, by the name of its file in this folder."""
    made = {"plan.schema.json": plans.json_schema(), "cutover.schema.json": records.json_schema()}
    return {
        name: json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        for name, schema in made.items()
    }


def main() -> None:
    """Write the schemas anew, beside this module."""
    for name, text in schemas().items():
        (HERE / name).write_text(text)


if __name__ == "__main__":
    main()
