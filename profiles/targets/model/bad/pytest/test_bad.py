def test_what_does_not_hold():
    assert sorted([2, 1]) == [2, 1]
