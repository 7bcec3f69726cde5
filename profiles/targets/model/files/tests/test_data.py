«% set package = parameters.package or parameters.name|replace("-", "_") %»
"""What everything else takes for granted of data.py."""

import numpy

from «package|word».data import FEATURES, TARGET, load


def test_the_columns_are_there_and_numbers_and_none_is_missing():
    table = load()
    assert set(FEATURES) | {TARGET} <= set(table.columns) and TARGET not in FEATURES
    assert numpy.isfinite(table[FEATURES].to_numpy(dtype=float)).all()
    assert table[TARGET].notna().all()


def test_there_are_classes_with_enough_rows_to_hold_some_out():
    counts = load()[TARGET].value_counts()
    assert len(counts) >= 2 and counts.min() >= 20


def test_the_data_are_the_same_each_time():
    assert load().equals(load())
