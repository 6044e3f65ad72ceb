"""One feature divided by another."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

from streams.features.feature import Derived, ReadVector


@dataclass(frozen=True)
class Ratio(Derived):
    """One feature divided by another; unknown when either is, or when the divisor is 0."""

    name: str
    numerator: str
    denominator: str

    def parts(self) -> dict[str, str]:
        """See Derived."""
        return {"numerator": self.numerator, "denominator": self.denominator}

    def reader(self, places: Mapping[str, int]) -> ReadVector:
        """See Derived."""
        above, below = places[self.numerator], places[self.denominator]

        def read(vector: list[float]) -> float:
            divisor = vector[below]
            if not divisor:
                return nan
            value = vector[above] / divisor
            return value if value - value == 0.0 else nan

        return read
