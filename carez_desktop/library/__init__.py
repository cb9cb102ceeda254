"""The local study library: one SQLite file that knows which volumes lie where, and the cohorts."""
