"""It lets everything pass, and nothing is on record."""
