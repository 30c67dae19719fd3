"""One file per command; each reads as the story of what the command does."""
