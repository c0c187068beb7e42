"""The command lines: parse, call the library, print. Each is started by the file of its name in tools/."""
