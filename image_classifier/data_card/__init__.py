"""The data card: one page that shows a data set as it will be learned from, and what looks wrong with it."""
