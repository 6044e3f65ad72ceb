"""Every kind of feature that a use case can declare, one line each: docs/contributing/add-a-feature.md.

A line is all the registration there is: checking, `tidecast check`, the plan and the tests of every feature read
FEATURES, and streams.usecases exports each name."""

from streams.features.feature import Feature
from streams.features.kinds.attribute import Attribute as Attribute
from streams.features.kinds.count import Count as Count
from streams.features.kinds.distinct_count import DistinctCount as DistinctCount
from streams.features.kinds.extremes import Max as Max
from streams.features.kinds.extremes import Min as Min
from streams.features.kinds.last import Last as Last
from streams.features.kinds.mean import Mean as Mean
from streams.features.kinds.ratio import Ratio as Ratio
from streams.features.kinds.sum import Sum as Sum
from streams.features.kinds.time_since import TimeSince as TimeSince
from streams.features.kinds.time_since_first import TimeSinceFirst as TimeSinceFirst

FEATURES: dict[str, type[Feature]] = {
    name: each
    for name, each in dict(vars()).items()
    if isinstance(each, type) and issubclass(each, Feature) and each is not Feature
}
"""Name → declaration."""
