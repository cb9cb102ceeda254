"""Train a generator or a downstream model on site, and export it to ONNX."""
