"""No error shows a credential."""

import pytest

from streams.errors import TidecastError, Unavailable, without_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at http://host:8081/path: away", "at http://host:8081/path: away"),
        ("at http://app:secret@host:8081/path: away", "at http://…@host:8081/path: away"),
        ("sftp://app@host/models", "sftp://…@host/models"),
        ("s3://KEY:a/b+c@bucket is away, as is redis://:p@s@cache:1", "s3://…@bucket is away, as is redis://…@cache:1"),
        ("at http://host:8081/a@b: away", "at http://host:8081/a@b: away"),
        ("mail me@here, or see http://host/a@b", "mail me@here, or see http://host/a@b"),
    ],
)
def test_urls_are_shown_without_user_and_password(text: str, shown: str) -> None:
    assert without_credentials(text) == shown
    assert str(Unavailable(text)) == str(TidecastError(text)) == shown
