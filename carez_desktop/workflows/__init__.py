"""The product, one verb a file: command line and workstation call these functions only."""
