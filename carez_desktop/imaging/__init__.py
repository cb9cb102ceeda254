"""NIfTI and NRRD through SimpleITK; the only room where axes are reversed."""
