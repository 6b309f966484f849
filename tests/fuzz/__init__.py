"""Mutated inputs for every command and every file format: none may end in a traceback, run for long,
leave a half-written file behind, or put a note's text into a message.

    python -m tests.fuzz --inputs 10000 --seed 0 --out table.json
"""
