"""The worker: asked once, and every answer read for what it means."""
