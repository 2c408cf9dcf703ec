"""The offline history checker: what a journal says, held to RELIABILITY's invariants.

It shares no code with the program: it reads the raw rows of a database, the configuration with
tomllib and bar files with pandas, and works out for itself what must have happened.
``python -m tests.history FOLDER`` checks a portfolio's or a run's folder.
"""
