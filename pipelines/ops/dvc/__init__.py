"""Run DVC: dvc.lock, which stages are up to date, explanations of its errors, and cleaning up after a crash."""
