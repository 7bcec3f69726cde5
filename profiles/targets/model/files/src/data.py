"""The data. Put your own source here: all else knows only FEATURES, TARGET and load()."""

import numpy
import pandas

TARGET = "left"
FEATURES = [
    "months",
    "orders_a_month",
    "basket_eur",
    "discount_share",
    "days_since_order",
    "late_share",
    "tickets",
    "mails_opened",
]


def load() -> pandas.DataFrame:
    """All rows: the features, which are numbers, and the target, which is a class.

    Customers of a shop and whether they left: made up, the same each time, and such that it takes
    more than a straight line to tell, so that one model is better than another.
    """
    random = numpy.random.default_rng(7)
    count = 3000
    table = pandas.DataFrame(
        {
            "months": random.gamma(2.0, 12.0, count).round(1),
            "orders_a_month": random.gamma(2.0, 0.8, count).round(2),
            "basket_eur": random.lognormal(3.6, 0.5, count).round(2),
            "discount_share": random.beta(2.0, 5.0, count).round(3),
            "days_since_order": random.exponential(30.0, count).round(),
            "late_share": random.beta(1.2, 6.0, count).round(3),
            "tickets": random.poisson(0.8, count).astype(float),
            "mails_opened": random.beta(2.0, 3.0, count).round(3),
        }
    )
    silent = table.days_since_order * table.orders_a_month.clip(0.5, 3) > 45
    annoyed = (table.tickets >= 2) & (table.late_share > 0.15)
    bargain = (table.discount_share > 0.35) & (table.mails_opened < 0.35)
    loyal = (table.months > 30) & (table.tickets < 2)
    risk = -2.5 + 4.0 * silent + 3.0 * annoyed + 2.5 * bargain - 2.0 * loyal
    table[TARGET] = (random.random(count) < 1 / (1 + numpy.exp(-risk))).astype(int)
    return table
