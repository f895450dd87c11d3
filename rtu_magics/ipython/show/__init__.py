"""What the calling cell shows: outputs, questions, progress, results."""
