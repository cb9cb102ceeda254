"""The Qt workstation."""
