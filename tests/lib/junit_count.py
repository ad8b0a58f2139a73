"""Prints "PASSED FAILED" of a JUnit report, as ctest, pytest and vitest write them; then a line for each failed test."""

import sys
import xml.etree.ElementTree as ET

WHY_MOST = 160


def why(case: ET.Element) -> str | None:
    """What a failed test says first; None: it has not failed."""
    for tag in ("failure", "error"):
        found = case.find(tag)
        if found is not None:
            return " ".join((found.get("message") or found.text or "").split())[:WHY_MOST]
    # ctest writes a status beside the elements; "notrun" is a test whose program is missing.
    return case.get("status", "") if case.get("status") in ("fail", "notrun") else None


def read(path: str) -> tuple[int, list[str]]:
    passed, failed, again = 0, [], 0
    root = ET.parse(path).getroot()
    for suite in root.iter("testsuite"):
        if suite.get("name") == "pytest":  # a test that was run again stands there several times
            again += len(suite.findall("testcase")) - int(suite.get("tests", "0"))
    for case in root.iter("testcase"):
        reason = why(case)
        if reason is not None:
            failed.append(" ".join(f"{case.get('classname', '')} {case.get('name', '')}: {reason}".split()))
        elif case.find("skipped") is None:
            passed += 1
    return passed - again, failed


if __name__ == "__main__":
    passed, failed = read(sys.argv[1])
    print(passed, len(failed), *failed, sep="\n")
