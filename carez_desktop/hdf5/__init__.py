"""The bundle: staged cases, assembly, reader, validator. The only room of h5py."""
