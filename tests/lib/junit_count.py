"""Prints "PASSED FAILED" of a JUnit report, as ctest and pytest write them."""

import sys
import xml.etree.ElementTree as ET


def counts(path: str) -> tuple[int, int]:
    root = ET.parse(path).getroot()
    passed = failed = 0
    for case in root.iter("testcase"):
        bad = case.find("failure") is not None or case.find("error") is not None
        # ctest writes a status beside the elements; "notrun" is a test whose program is missing.
        if bad or case.get("status") in ("fail", "notrun"):
            failed += 1
        elif case.find("skipped") is None:
            passed += 1
    return passed, failed


if __name__ == "__main__":
    print(*counts(sys.argv[1]))
