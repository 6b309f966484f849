"""Speed of lookups and searches, compared with the lookup of the package `simple-icd-10-cm`.

python benchmarks/code_system.py
"""

from __future__ import annotations

import argparse
import random
import time
import warnings
from collections.abc import Callable

from measure import save

from cclearn.codes import CodeSystem
from cclearn.codes.search import search

QUERIES = 2_000


def rate(work: Callable[[], int]) -> float:
    """Return the calls per second in the best of five rounds."""
    best = 0.0
    for _ in range(5):
        started = time.perf_counter()
        count = work()
        best = max(best, count / (time.perf_counter() - started))
    return round(best)


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    system = CodeSystem.load()
    codes = system.billable_codes()
    loose = [code.replace(".", "").lower() for code in codes]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import simple_icd_10_cm as package

    def call_for_each(function: Callable[[str], object], spellings: list[str]) -> Callable[[], int]:
        def work() -> int:
            for code in spellings:
                function(code)
            return len(spellings)

        return work

    rng = random.Random(0)  # noqa: S311 - not for cryptography
    queries = [
        " ".join(rng.sample(words, min(len(words), 4)))
        for code in rng.sample(codes, QUERIES)
        if (words := system.description(code).split())
    ]
    search(system, "warm up")
    figures = {
        "status_per_second": rate(call_for_each(system.status, codes)),
        "status_any_spelling_per_second": rate(call_for_each(system.status, loose)),
        "package_is_valid_item_per_second": rate(call_for_each(package.is_valid_item, codes)),
        "searches_per_second": rate(call_for_each(lambda text: search(system, text), queries)),
    }
    figures["ratio_to_package"] = round(
        figures["status_per_second"] / figures["package_is_valid_item_per_second"], 2
    )
    save("code_system", figures)


if __name__ == "__main__":
    main()
