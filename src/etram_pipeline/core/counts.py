"""Counts and times in words, for messages."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `no recordings`, `1 recording`, `1,200 recordings`.

    Args:
        number: How many there are.
        noun: What is counted, in the singular.
        plural: Its plural; by default the singular with an s.
    """
    name = noun if number == 1 else plural or f"{noun}s"
    return f"{number:,} {name}" if number else f"no {name}"


def counted_of(part: int, whole: int, noun: str, plural: str = "") -> str:
    """A part of a count: `no recordings`, `0 of 1 recording`, `2 of 3 recordings`.

    Args:
        part: How many of them.
        whole: How many there are.
        noun: What is counted, in the singular.
        plural: Its plural; by default the singular with an s.
    """
    return f"{part:,} of {counted(whole, noun, plural)}" if whole else counted(0, noun, plural)


def duration(seconds: float) -> str:
    """Time as a person reads it: `1 h 02 min`, `3 min 20 s`, `12 s`."""
    minutes, whole_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {whole_s:02} s" if minutes else f"{whole_s} s"
