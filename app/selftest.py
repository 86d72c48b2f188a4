"""SELF-TEST: invented records are enrolled and looked for in invented posts, away from everything that is real.

Run at installation as well (`python -m app.selftest`): what is compiled once is compiled then, not while somebody
waits.
"""

import sys
import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from app.enrol import enrol
from matchers.engine import Engine
from matchers.filter import BloomFilter
from matchers.fingerprints import Enroller
from matchers.interface import MatchingSettings
from matchers.kernel import Kernel
from matchers.keys import LinkageKey, LocalEvaluator
from model.page import Passage
from model.record import LinkageColumn, LinkageSchema, Record
from storage.database import Database
from storage.records import RecordStore

RECORDS: Final = (
    {
        "person_name": "Odalys Wrenfield",
        "birth_date": "1971-11-23",
        "phone": "+44 1632 960983",
        "email": "odalys@wrenfield.example",
        "note": "Fell from a ladder while pruning her pear tree; wrist swollen since, no other complaint, lives alone.",
    },
    {
        "person_name": "岑望舒",
        "birth_date": "1988年2月29日",
        "phone": "15900009987",
        "address": "坛城镇工贸大道76号",
        "note": "修剪梨树时自梯上跌落，右腕肿痛半日，活动受限，无其他不适，独居，既往体健，否认药物过敏史。",
    },
)
POSTS: Final = (
    "heard that wrenfield, ODALYS was in again, born 23 Nov 1971 (\u200b01632-96 09 83)",
    "聽說岑望舒又住院了，電話一五九 ⓪⓪⓪⓪ ９９８７",
)
CLEAN: Final = "Pear trees are pruned in winter. Ladders belong on firm ground; call 01632 960111. 梯子要放稳。"


def recognises() -> bool:
    """Return whether each record is found in the post that shows it, and none where none is shown."""
    columns = {kind: LinkageColumn(kind) for values in RECORDS for kind in values}
    key = LinkageKey.generate()
    enroller = Enroller(key, LinkageSchema("ref", columns))
    records = [Record(f"self-test-{row}", row, values) for row, values in enumerate(RECORDS, 1)]
    with tempfile.TemporaryDirectory(prefix="spillwatch-selftest-") as folder:
        database = Database.open(f"sqlite:///{Path(folder) / 'records.db'}")
        try:
            store = RecordStore(database)
            enrol(records, enroller, store)
            members = BloomFilter.build(np.concatenate([enroller.filter_tags(sealed) for _, sealed in store.tokens()]))
            engine = Engine(LocalEvaluator(key), Kernel(key.kernel_key()), members, store, MatchingSettings())
            *shown, clean = engine.examine_many([[Passage(text, "body")] for text in (*POSTS, CLEAN)])
            found = [
                [enroller.reference(store.sealed_refs([match.handle])[match.handle]) for match in each.matches]
                for each in shown
            ]
        finally:
            database.close()
    return found == [[record.ref] for record in records] and not clean.matches


if __name__ == "__main__":
    sys.exit(0 if recognises() else "an invented record was not recognised: do not rely on this installation")
