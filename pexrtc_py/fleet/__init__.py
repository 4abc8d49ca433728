"""Many jobs from one file, each kept going."""
