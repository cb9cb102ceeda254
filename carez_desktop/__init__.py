"""Carez Desktop: a DICOM workstation that closes data gaps on site. Research use only."""

__version__ = "0.1.0"
