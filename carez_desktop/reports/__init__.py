"""Reports from domain objects: HTML with embedded pictures, no Qt."""
