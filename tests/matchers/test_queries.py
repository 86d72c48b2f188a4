"""What a query may not hold: whatever is enrolled, lone names included; and what it may."""

import numpy as np
import pytest

from matchers.filter import BloomFilter
from matchers.kernel import Kernel
from matchers.keys import LocalEvaluator
from matchers.queries import QueryVetter, names_in
from model.record import LinkageColumn, LinkageSchema, Record
from tests.matchers.bench import Bench
from tests.people import CANARY, HE_YUNSHU, SCHEMA

ENGLISH = Record("R-9", 9, {"name": "Odette Marie Inchbald", "phone": "+1 415 555 0121", "birth_date": "1987-11-05"})
OF_THE_HOSPITAL = Record("R-8", 8, {"name": "李惠利", "birth_date": "1931-05-06"})
TWO = Record("R-7", 7, {"name": "白云", "birth_date": "1990-01-02"})


def vetter(schema: LinkageSchema, *records: Record) -> QueryVetter:
    """Enrol these records and return what examines queries against them."""
    bench = Bench.enrol(schema, records)
    tags = [bench.enroller.filter_tags(each.sealed_tokens) for each in bench.store.records.values()]
    members = BloomFilter.build(np.concatenate(tags))
    return QueryVetter(bench.engine(), LocalEvaluator(bench.key), Kernel(bench.key.kernel_key()), members, bench.store)


@pytest.fixture(scope="module")
def everybody() -> QueryVetter:
    """Enrol five people."""
    return vetter(SCHEMA, CANARY.record(1), HE_YUNSHU.record(2), ENGLISH, OF_THE_HOSPITAL, TWO)


@pytest.mark.parametrize(
    "query",
    [
        CANARY.resident_id,
        f"病历 {CANARY.phone}",
        "9999 0119 6108 0704 23",
        CANARY.email,
        CANARY.mrn,
        f"{CANARY.name} 1961年8月7日",
        CANARY.note[20:44],
        CANARY.name,
        f"患者{CANARY.name}的病历",
        f"鹿鸣医院 {HE_YUNSHU.name} 病历",
        "何雲舒 住院",
        "何 云 舒",
        "Odette Inchbald",
        "records of INCHBALD, Odette",
        "Odette M. Inchbald leaked",
        "白云 病历",
    ],
)
def test_what_is_enrolled_is_refused(everybody, query):
    """Identifiers, conjunctions, excerpts, and names by themselves, in whatever spelling the page side knows."""
    assert everybody.names_a_record(query)


@pytest.mark.parametrize(
    "query",
    [
        "鹿鸣医院 病历",
        "白云医院 病历泄露",
        "何云章",
        "Inchbald clinic",
        "https://example.org/search?q=hospital&limit=100000",
        "http://127.0.0.1:45123",
        "患者 呼吸内科 出院记录 身份证",
        "Deer Call Hospital patient records leak",
        "",
    ],
)
def test_own_words_pass(everybody, query):
    """The hospital's name, medical words, addresses of servers, somebody who is not enrolled."""
    assert not everybody.names_a_record(query)


def test_a_hospital_named_after_somebody_may_say_its_name(everybody):
    """What stands in the organisation's own name is not looked for by itself; an identifier beside it is."""
    assert everybody.names_a_record("李惠利医院 病历")
    assert not everybody.names_a_record("李惠利医院 病历", "鹿鸣市李惠利医院")
    assert everybody.names_a_record(f"李惠利医院 {CANARY.phone}", "鹿鸣市李惠利医院")


def test_what_cannot_be_seen():
    """A name without a birth date, telephone or long number has nothing by which a lone name could be asked for."""
    schema = LinkageSchema("ref", {"name": LinkageColumn("person_name"), "mrn": LinkageColumn("mrn")})
    short = vetter(schema, Record("R-1", 1, {"name": CANARY.name, "mrn": "A1234"}))
    long = vetter(schema, Record("R-1", 1, {"name": CANARY.name, "mrn": CANARY.mrn}))
    assert not short.names_a_record(CANARY.name)
    assert long.names_a_record(CANARY.name)


def test_names_are_cut_out_of_words():
    """A name of two characters only where it stands alone; of three and four, where a family name begins it."""
    assert set(names_in("欧阳鸢翎")) == {"欧阳鸢翎", "欧阳鸢", "阳鸢翎"}
    assert "白云" not in set(names_in("白云医院"))
    assert "白云" in set(names_in("白云，医院"))
    assert set(names_in("van der Meer, Aislinn")) >= {"aislinn meer", "aislinn van"}
