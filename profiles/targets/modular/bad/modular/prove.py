"""Says that it is done."""

print('{"answer": {"version": "1", "answers": [0]}, "chain": []}')
