"""One module a file format, each with ``read(path) -> SourceModel``; imported when such a file is read."""
