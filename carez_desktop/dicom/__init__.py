"""DICOM on disk: scanning, decoding and reading; the room that owns pydicom.

pydicom's validation of read values is off: values are checked by our own code and become
findings (DESIGN section 12), in child processes too, since each imports this package.
"""

from __future__ import annotations

import pydicom.config

pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
