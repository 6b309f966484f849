"""Mutated inputs for every command and every file format.

No input may end with a traceback, run for a long time, leave an incomplete file, or cause a message with
text of a note.

    python -m tests.fuzz --inputs 10000 --seed 0 --out table.json
"""
