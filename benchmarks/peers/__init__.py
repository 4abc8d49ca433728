"""The processes that benchmarks compare: each makes or takes calls by lines of JSON on its standard streams."""
