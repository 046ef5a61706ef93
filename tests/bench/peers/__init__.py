"""Others that keep a history, measured with the same bench facts."""
