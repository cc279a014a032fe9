"""A new head on new labels, without a training framework: features by ONNX Runtime, held to what the parent knew."""
