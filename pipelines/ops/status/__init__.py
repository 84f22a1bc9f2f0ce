"""What a project's state is, asked at any time and without running anything: `conservatory status`."""
