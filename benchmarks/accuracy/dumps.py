"""A patient's row as it is dumped: in a sentence, CSV, JSON, SQL, tabs, an HTML table, key: value lines."""

import csv
import html
import io
import json
import random
from collections.abc import Callable, Mapping, Sequence

from benchmarks.accuracy.records import Patient

WORDS = {
    "zh": {"name": "姓名", "national_id": "身份证号", "phone": "电话", "mrn": "病历号", "address": "地址",
           "birth_date": "出生日期", "email": "邮箱"},
    "en": {"name": "name", "national_id": "id", "phone": "phone", "mrn": "mrn", "address": "address",
           "birth_date": "dob", "email": "email"},
}  # fmt: skip
Rows = Sequence[Mapping[str, str]]


def sentence(chance: random.Random, patient: Patient) -> str:
    """Return the row in one line of prose."""
    words, joint = WORDS[patient.language], "，" if patient.language == "zh" else ", "
    named = chance.random() < 0.7
    return joint.join(
        f"{words[column]}{chance.choice(('：', ':', ' ')) if patient.language == 'zh' else ' '}{value}"
        if named and column != "name"
        else value
        for column, value in patient.shown.items()
    )


def comma_separated(chance: random.Random, rows: Rows) -> str:
    """Return CSV with or without a header."""
    return _table(rows, ",", header=chance.random() < 0.7)


def tab_separated(chance: random.Random, rows: Rows) -> str:
    """Return tab-separated lines."""
    return _table(rows, "\t", header=chance.random() < 0.5)


def json_lines(chance: random.Random, rows: Rows) -> str:
    """Return a JSON array, or an object a line; Chinese as it is or escaped."""
    escaped = chance.random() < 0.3
    if chance.random() < 0.5:
        return json.dumps(list(map(dict, rows)), ensure_ascii=escaped, indent=chance.choice((None, 2)))
    return "\n".join(json.dumps(dict(row), ensure_ascii=escaped) for row in rows)


def sql(chance: random.Random, rows: Rows) -> str:
    """Return INSERT statements: one for all, or one each."""
    names = ", ".join(f"`{name}`" for name in rows[0])
    tuples = ["(" + ", ".join("'" + value.replace("'", "''") + "'" for value in row.values()) + ")" for row in rows]
    head = f"INSERT INTO `{chance.choice(('patients', 'user_info', 't_brxx'))}` ({names}) VALUES"
    if chance.random() < 0.5:
        return f"{head}\n" + ",\n".join(tuples) + ";"
    return "\n".join(f"{head} {row};" for row in tuples)


def html_table(chance: random.Random, rows: Rows) -> str:
    """Return a table of HTML."""
    head = "<tr>" + "".join(f"<th>{name}</th>" for name in rows[0]) + "</tr>"
    body = ["<tr>" + "".join(f"<td>{html.escape(value)}</td>" for value in row.values()) + "</tr>" for row in rows]
    return "<table>" + chance.choice(("", "\n")).join([head, *body]) + "</table>"


def key_value(chance: random.Random, rows: Rows) -> str:
    """Return a block of `key: value` lines for each row."""
    joint = chance.choice((": ", "：", "=", " = "))
    return "\n\n".join("\n".join(f"{name}{joint}{value}" for name, value in row.items()) for row in rows)


FORMATS: Mapping[str, Callable[[random.Random, Rows], str]] = {
    "dump CSV": comma_separated, "dump tabs": tab_separated, "dump JSON": json_lines, "dump SQL": sql,
    "dump HTML table": html_table, "dump key: value": key_value,
}  # fmt: skip


def dump(chance: random.Random, shape: str, patient: Patient, others: Sequence[Patient]) -> str:
    """Return a dump in which a patient's row stands somewhere among those of others, columns in any order."""
    columns = list(patient.shown)
    chance.shuffle(columns)
    words = WORDS[patient.language] if chance.random() < 0.6 else {}
    people = [*others, patient]
    chance.shuffle(people)
    rows = [{words.get(column, column): getattr(person, column) for column in columns} for person in people]
    return FORMATS[shape](chance, rows)


def _table(rows: Rows, delimiter: str, *, header: bool) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
