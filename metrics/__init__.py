"""Reference metrics: pure functions of counts and boundaries. They know no files."""
