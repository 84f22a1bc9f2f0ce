"""DVC as this project uses it: dvc.lock, up-to-date checks, its errors in words, and the repair of what a killed DVC leaves."""
