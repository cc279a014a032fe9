"""Models from and to elsewhere: ONNX graphs of others with a description, and MLflow's folders."""
