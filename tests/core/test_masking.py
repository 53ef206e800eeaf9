"""No secret gets through, and ordinary text is left alone."""

import json
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etram_pipeline.core.masking import (
    MASK,
    is_secret_name,
    mask_arguments,
    mask_text,
    mask_value,
    secrets_in,
)

NAMES = ["password", "db.password", "hf_token", "HF_TOKEN", "apiKey", "api-key", "aws.access_key"]
NAMES += ["secret", "client_secret", "credentials", "credentials.user", "mlflow.pwd", "x.apikey"]
HARMLESS = ["max_tokens", "token_dim", "author", "seed", "keyframe", "keys", "passes", "compass"]
HARMLESS += ["pass_through", "bypass", "tokenizer", "num_tokens", "signatory", "authority"]

# Marked, so that it is found in whatever surrounds it.
SECRETS = st.text(string.ascii_letters + string.digits + "-_.!$%^*+~", min_size=3, max_size=20).map(
    lambda text: f"xq{text}qx"
)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_other_names_are_harmless(name: str) -> None:
    assert not is_secret_name(name)
    assert mask_text(f"{name}=5") == f"{name}=5"


@settings(deadline=None)
@given(SECRETS, st.sampled_from(["https", "http", "postgresql+psycopg2", "mysql", "s3", "ssh"]))
def test_no_password_of_a_url_gets_through(secret: str, scheme: str) -> None:
    for user in (f"me:{secret}", secret, f":{secret}", f"me:{secret}@{secret}", f"me:a/{secret}"):
        url = f"{scheme}://{user}@example.org:8080/team/repo.git"
        for text in (url, f"fatal: '{url}' not found", f"see {url} and {url}"):
            masked = mask_text(text)
            assert secret not in masked
            assert f"{scheme}://{MASK}@example.org:8080/team/repo.git" in masked


@settings(deadline=None)
@given(SECRETS, st.sampled_from(NAMES))
def test_no_value_of_a_secret_name_gets_through(secret: str, name: str) -> None:
    texts = [
        f"{name}={secret}",
        f"{name}: {secret}",
        json.dumps({name: secret}),
        f"'{name}': '{secret}'",
    ]
    texts += [f"https://h/x?{name}={secret}&b=1", f"Authorization: Bearer {secret}"]
    for text in texts:
        assert secret not in mask_text(text)
        assert secret not in mask_text(f"before {text}, after")
    for value in (secret, [secret], {"a": secret}, {"a": [{"b": secret}]}):
        assert secret not in str(mask_value(name, value))
        assert secrets_in(name, value) == {secret}
    assert secret not in str(mask_value("plain", [{name: secret}, f"https://u:{secret}@h"]))


@settings(deadline=None)
@given(SECRETS, st.sampled_from(NAMES))
def test_no_secret_of_a_command_line_gets_through(secret: str, name: str) -> None:
    spaced = f"{secret} '{secret}\""
    words = ["run", "--params", f"train.seed=1,{name}={spaced},a=2", f"--{name}", secret]
    masked = mask_arguments([*words, f"--{name}={secret}", f"https://u:{secret}@h"])
    assert secret not in " ".join(masked)
    assert masked[:3] == ["run", "--params", f"train.seed=1,{name}={MASK},a=2"]


def test_known_secrets_are_found_wherever_they_are() -> None:
    assert mask_text("login as me with hunter22", {"hunter22"}) == f"login as me with {MASK}"
    assert mask_text("step 1 of 12", {"1"}) == "step 1 of 12"


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:team/repo.git",
        "ssh://git@github.com/team/repo.git",
        "http://127.0.0.1:5000/#/experiments/1",
        "http://127.0.0.1:5000/a@b",
        "https://example.org/@someone/page",
        "sqlite:////home/me/mlflow.db",
        'File "a.py", line 3, in f',
        "train.optimizer.learning_rate=0.1,detector.kind=rvt",
        "cls_token=true, password=null",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask_text(text) == text
    assert mask_arguments([text]) == [text]


def test_values_keep_their_type() -> None:
    assert mask_value("train", {"steps": 3, "rates": (0.1, None)}) == {
        "steps": 3,
        "rates": [0.1, None],
    }
    assert mask_value("password", None) is None
    assert mask_value("pin.password", 1234) == MASK


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["a", "a1", "a.", "a=", "a:", "http://a", "é"])
def test_long_words_are_read_once(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    assert mask_text(text) == text
