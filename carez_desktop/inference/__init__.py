"""Run generator packages with ONNX Runtime: package, noise, schedule, sampler, session."""
