"""ONNX files: read as data, made into a torch network, and written back with other numbers; see NOTES.md."""
