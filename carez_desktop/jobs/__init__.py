"""Work off the main thread: jobs, lanes, progress and cancelling."""
