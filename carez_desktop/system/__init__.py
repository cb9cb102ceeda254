"""The machine: paths, settings, keys, audit log, environment, child processes, network guard."""
