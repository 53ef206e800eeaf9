import functools

import pytest

from etram_pipeline.core.fingerprint import fingerprint


def test_a_fingerprint_is_of_values_and_not_of_their_order_or_type_of_sequence() -> None:
    assert fingerprint({"a": 1, "b": (1, 2)}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    assert fingerprint([1, [2]]) == "94aa75e38b24b0ea"


@pytest.mark.parametrize("code", [fingerprint, int, functools.partial(fingerprint, 1), object()])
def test_the_name_of_code_is_never_part_of_a_fingerprint(code: object) -> None:
    with pytest.raises(TypeError, match="cannot fingerprint"):
        fingerprint({"value": [code]})
