"""Says that it is done."""

print("done")
