"""Names of the scalings of scores, for settings, which must import nothing heavy."""

from typing import Literal

ScalingKind = Literal["temperature", "platt", "isotonic"]
