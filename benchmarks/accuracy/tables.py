"""The answers counted: recall per kind against the goals, false alerts per so many clean items."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.accuracy.cases import Case
from benchmarks.accuracy.kinds import KINDS

Answers = Mapping[int, set[str]]
"""Case → references reported; a case without an entry was not asked."""
ANYBODY = "*"


def hit(case: Case, said: set[str]) -> bool:
    """Tell whether somebody whom a leak shows was reported."""
    return bool(said & {*case.truth, ANYBODY})


def print_recall(cases: Sequence[Case], ours: Answers, rivals: Mapping[str, Answers]) -> None:
    """Print a line for each kind and language, with what others find of the same cases, and what they were asked of."""
    print(f"| leak | goal | cases | Spillwatch | alone | buried | {' | '.join(rivals)} |")
    print("|---|---|---|---|---|---|" + "---|" * len(rivals))
    groups: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.kind, case.language].append(case)
    for kind in KINDS:
        for language in kind.languages:
            group = groups[kind.name, language]
            if group:
                others = " | ".join(share(group, answers) for answers in rivals.values())
                parts = [share([case for case in group if case.buried is buried], ours) for buried in (False, True)]
                found = share(group, ours)
                told = found if _reaches(group, ours, kind.goal) else f"**{found}**"
                line = (f"{kind.name}, {language}", f"{kind.goal:.1%}", str(len(group)), told, *parts, others)
                print(f"| {' | '.join(line)} |")
    others = " | ".join(share(cases, answers) for answers in rivals.values())
    print(f"| all | | {len(cases)} | {share(cases, ours)} | | | {others} |")
    wrong = sum(len(ours[case.number] - {*case.truth, *case.fair}) for case in cases)
    right = sum(bool(ours[case.number] & set(case.truth)) for case in cases)
    print(f"\nof {right + wrong} reports on leaks {wrong} named somebody whom the leak does not show")


def print_false_alerts(cases: Sequence[Case], ours: Answers, rivals: Mapping[str, Answers]) -> None:
    """Print false alerts: of ordinary items per 100,000, of hard ones per 1,000."""
    print(f"\n| clean | items | Spillwatch | {' | '.join(rivals)} |")
    print("|---|---|---|" + "---|" * len(rivals))
    for hard, per in ((False, 100_000), (True, 1_000)):
        group = [case for case in cases if case.hard is hard]
        for kind in dict.fromkeys(case.kind for case in group):
            _false_line(kind, [case for case in group if case.kind == kind], per, ours, rivals)
        _false_line(f"all {'hard' if hard else 'ordinary'}", group, per, ours, rivals)


def share(cases: Iterable[Case], answers: Answers) -> str:
    """Return the share of cases found among those asked."""
    asked = [case for case in cases if case.number in answers]
    return f"{sum(hit(case, answers[case.number]) for case in asked) / len(asked):.1%}" if asked else "-"


def _reaches(cases: Sequence[Case], answers: Answers, goal: float) -> bool:
    return sum(hit(case, answers[case.number]) for case in cases) >= goal * len(cases)


def _false_line(name: str, cases: Sequence[Case], per: int, ours: Answers, rivals: Mapping[str, Answers]) -> None:
    told = []
    for answers in (ours, *rivals.values()):
        asked = [case for case in cases if case.number in answers]
        false = sum(bool(answers[case.number]) for case in asked)
        told.append(f"{per * false / len(asked):,.1f} ({false} of {len(asked)})" if asked else "-")
    print(f"| {name}, per {per:,} | {len(cases)} | {' | '.join(told)} |")
