"""DICOM on disk: scanning, decoding and reading; the room that owns pydicom.

Reading needs no pydicom: headers are walked (decision record 0030) and pixels decode through
imagecodecs in child processes (0100). pydicom writes, and is asked second for a few encodings; it
is imported where that happens, for it would be half of a child's start.
"""
