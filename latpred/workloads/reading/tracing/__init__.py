"""Tracing: a PyTorch module, or the nodes of an ONNX file, as calls of ATen's operators with shapes."""
