"""What runs while an engine does: receiving from the core, recording, calling back."""
