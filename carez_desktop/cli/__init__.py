"""The command line: Typer commands over `workflows/`; starts without Qt, VTK, torch."""
