"""Values that are not what their column says, taken out of a record that was joined from many places.

A row of a table with a wrong value is refused whole: somebody looks at it and corrects it. A patient of FHIR or HL7 is
joined from dozens of messages, and a telephone number `none` in one of them must not cost the watch over the patient.
"""

import dataclasses
from collections.abc import Iterator

from app.sources.interface import Row
from matchers.kinds import kinds
from model.errors import EnrolmentError
from model.record import LinkageSchema


def fit(row: Row, schema: LinkageSchema) -> Iterator[Row]:
    """Yield an error for each value that its kind does not accept, and the record with the others."""
    if isinstance(row, EnrolmentError):
        yield row
        return
    unfit = set()
    for name, value in row.values.items():
        column = schema.column(name)
        kind = kinds().get(column.kind) if column else None
        if kind is None or kind.GRAMS:
            continue  # a kind that does not exist is the enroller's to report; texts are always what they are
        try:
            kind.canonicalise(value)
        except ValueError as problem:
            unfit.add(name)
            yield EnrolmentError(row.row, name, f"{problem}; the value is left out, the rest of the record is taken")
    values = {name: value for name, value in row.values.items() if name not in unfit}
    if values:
        yield dataclasses.replace(row, values=values) if unfit else row
    else:
        yield EnrolmentError(row.row, schema.ref, "nothing of the record is left to be watched")
