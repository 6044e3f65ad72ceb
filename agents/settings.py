"""Reads addresses, credentials and sizes from TIDECAST_* variables.

Settings that are not set come from the local stack: `tidecast stack up` writes `stack.json` into the data folder
(TIDECAST_DATA, else ./.tidecast)."""

import difflib
import json
import os
import ssl
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, FilePath, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from agents.keyring import read_keys, tick_key
from streams.errors import SettingError
from streams.keys import Key, Keys

PREFIX = "TIDECAST_"
STACK_FILE = "stack.json"
REMEMBERED = "use-case"
"""File in the data folder that names the use case that was deployed last."""
STACK_NAMES = {
    "kafka": "kafka",
    "registry": "registry",
    "redis": "redis_url",
    "clickhouse": "clickhouse_url",
    "model_store": "model_store",
    "signing_key": "signing_key",
    "signing_keys": "signing_keys",
}
"""Key of stack.json → setting."""


class _StackFile(PydanticBaseSettingsSource):
    """Settings of the running local stack. The environment has priority."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # The whole file is read at once.

    def __call__(self) -> dict[str, Any]:
        file = data_folder() / STACK_FILE
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise SettingError(
                f"{file} cannot be read ({error}); run `tidecast stack up` again or set {PREFIX}DATA."
            ) from error
        return {name: found[key] for key, name in STACK_NAMES.items() if key in found}


class Settings(BaseSettings):
    """All settings. Each is the variable TIDECAST_<NAME>. Passwords and keys are never printed."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, hide_input_in_errors=True, env_ignore_empty=True, extra="ignore"
    )

    data: Path = Field(Path(".tidecast"), description="folder of the local stack")
    kafka: str = Field(min_length=1, description="bootstrap servers, host:port[,host:port]")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_user: str = ""
    kafka_password: SecretStr = SecretStr("")
    registry: str = Field(description="URL of a registry with Confluent's API")
    registry_user: str = ""
    registry_password: SecretStr = SecretStr("")
    redis_url: str = Field(
        repr=False,
        description="redis://, rediss:// or unix:// URL; redis+cluster:// and redis+sentinel:// for several servers",
    )
    redis_user: str = ""
    redis_password: SecretStr = SecretStr("")
    clickhouse_url: str = Field(repr=False, description="http:// or https:// URL")
    clickhouse_user: str = "default"
    clickhouse_password: SecretStr = SecretStr("")
    clickhouse_database: str = Field("tidecast", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    model_store: str = Field(min_length=1, repr=False, description="fsspec URL of a folder, file:///… or s3://…")
    signing_keys: SecretStr = Field(
        SecretStr(""),
        description="ID=SECRET,…, or the path of a file of them: the first signs control records and snapshots, all "
        "verify; `tidecast keys new` makes one",
    )
    tick_keys: SecretStr = Field(
        SecretStr(""), description="for publishers without signing keys: what `tidecast keys ticks` prints"
    )
    signing_key: SecretStr = Field(
        SecretStr(""), description="the key of a log from before keys had ids; it signs where there is no other"
    )
    unsigned: bool = Field(False, description="run without signing keys: nothing is signed or checked")
    ca_file: FilePath | None = Field(None, description="file of trusted certificates for TLS; default: the system's")
    topic_prefix: str = Field("", pattern=r"^[A-Za-z0-9._-]{0,100}$", description="prefix of all topic names")
    batch_records: int = Field(
        8_000, ge=1, le=1_000_000, description="most records of a batch (scoring takes four batches as one)"
    )
    dead_letter_run: int = Field(
        10_000, ge=0, description="dead letters in a row in a partition that stop its worker; 0: no limit"
    )
    dead_letter_share: float = Field(
        0.5, ge=0, le=1, description="share of dead letters in the last 20,000 records that stops a worker; 0: no limit"
    )
    fallback_share: float = Field(
        0.05, ge=0, le=1, description="share of fallbacks in a champion's last 1,000 answers that warns; 0: no limit"
    )
    late_share: float = Field(
        0.5, ge=0, le=1, description="share of late events in a partition's last 1,000 that is told; 0: no limit"
    )
    transactions: bool = Field(
        False,
        description="outputs in transactions: readers of committed records see none twice; the same for all workers",
    )
    cache_customers: int = Field(50_000, ge=0, description="customers that a worker keeps in memory")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Give the environment priority over the stack's file."""
        return init_settings, env_settings, _StackFile(settings_cls)

    @model_validator(mode="before")
    @classmethod
    def _credentials(cls, values: Any) -> Any:
        """Move user and password out of the URLs. Settings of their own have priority."""
        if not isinstance(values, dict):
            return values
        for name, prefix in (("registry", "registry"), ("clickhouse_url", "clickhouse")):
            url, user, password = _apart(values.get(name))
            values = {f"{prefix}_user": user, f"{prefix}_password": password, **values, name: url} if user else values
        return values

    @field_validator("kafka")
    @classmethod
    def _servers(cls, value: str) -> str:
        if "@" in value:
            raise ValueError(f"must not name a user; set {PREFIX}KAFKA_USER and {PREFIX}KAFKA_PASSWORD")
        for server in value.split(","):
            host, colon, port = server.strip().rpartition(":")
            if not (colon and host and port.isdigit() and 0 < int(port) < 65536):
                raise ValueError("needs host:port, several separated by commas")
        return value

    @field_validator("registry", "clickhouse_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        return _address(value, ("http", "https")).rstrip("/")

    @field_validator("redis_url")
    @classmethod
    def _redis_address(cls, value: str) -> str:
        if "+" in value.partition("://")[0]:
            return value  # several servers: sinks.redis.addresses reads it
        return _address(value, ("redis", "rediss", "unix"))

    @model_validator(mode="after")
    def _sasl(self) -> "Settings":
        sasl = self.kafka_security_protocol.startswith("SASL")
        if sasl and not (self.kafka_user and self.kafka_password.get_secret_value()):
            raise ValueError(f"needs {PREFIX}KAFKA_USER and {PREFIX}KAFKA_PASSWORD")
        if self.kafka_user and not sasl:
            raise ValueError(f"must be SASL_SSL or SASL_PLAINTEXT when {PREFIX}KAFKA_USER is set")
        return self

    @property
    def keys(self) -> Keys:
        """The keys that sign and verify. Without any, nothing is signed or checked. Raises SettingError."""
        ring = read_keys(self.signing_keys.get_secret_value(), f"{PREFIX}SIGNING_KEYS", Key.of)
        if old := self.signing_key.get_secret_value():
            ring.append(Key.of("", old.encode()))
        if not ring:
            ring = read_keys(self.tick_keys.get_secret_value(), f"{PREFIX}TICK_KEYS", tick_key)
        return Keys.of(*ring, system=self.topic_prefix)

    def topic(self, name: str) -> str:
        """Return the topic's name on the broker."""
        return self.topic_prefix + name

    def confluent(self) -> dict[str, Any]:
        """Return connection settings for confluent_kafka's clients."""
        config: dict[str, Any] = {
            "bootstrap.servers": self.kafka,
            "security.protocol": self.kafka_security_protocol,
        }
        if self.kafka_user:
            config["sasl.mechanism"] = self.kafka_sasl_mechanism
            config["sasl.username"] = self.kafka_user
            config["sasl.password"] = self.kafka_password.get_secret_value()
        if self.ca_file and "SSL" in self.kafka_security_protocol:
            config["ssl.ca.location"] = str(self.ca_file)
        return config

    def aiokafka(self) -> dict[str, Any]:
        """Return connection keywords for aiokafka's clients."""
        keywords: dict[str, Any] = {
            "bootstrap_servers": self.kafka,
            "security_protocol": self.kafka_security_protocol,
        }
        if self.kafka_user:
            keywords["sasl_mechanism"] = self.kafka_sasl_mechanism
            keywords["sasl_plain_username"] = self.kafka_user
            keywords["sasl_plain_password"] = self.kafka_password.get_secret_value()
        if self.kafka_security_protocol.endswith("SSL"):
            keywords["ssl_context"] = self._trust()
        return keywords

    def redis(self) -> dict[str, Any]:
        """Return keywords for redis.Redis.from_url."""
        keywords: dict[str, Any] = {"url": self.redis_url}
        if self.redis_user:
            keywords["username"] = self.redis_user
        if self.redis_password.get_secret_value():
            keywords["password"] = self.redis_password.get_secret_value()
        if self.ca_file and self.redis_url.startswith("rediss"):
            keywords["ssl_ca_certs"] = str(self.ca_file)
        return keywords

    def registry_http(self) -> dict[str, Any]:
        """Return the keywords of httpx2.Client, with the registry's URL as its base."""
        keywords: dict[str, Any] = {"base_url": self.registry + "/", "timeout": 10.0, "trust_env": False}
        if self.registry_user:
            keywords["auth"] = (self.registry_user, self.registry_password.get_secret_value())
        if self.registry.startswith("https:"):
            keywords["verify"] = self._trust()
        return keywords

    def clickhouse(self) -> dict[str, Any]:
        """Return keywords for clickhouse_connect.get_client, without the database, which may not exist yet."""
        url = urlsplit(self.clickhouse_url)
        secure = url.scheme == "https"
        keywords: dict[str, Any] = {
            "host": url.hostname,
            "port": url.port or (8443 if secure else 8123),
            "secure": secure,
            "username": self.clickhouse_user,
            "password": self.clickhouse_password.get_secret_value(),
        }
        if secure and self.ca_file:
            keywords["ca_cert"] = str(self.ca_file)
        return keywords

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)


def data_folder() -> Path:
    """Return the local stack's folder: TIDECAST_DATA, else ./.tidecast."""
    return Path(os.environ.get(f"{PREFIX}DATA") or ".tidecast")


def writable(folder: Path) -> Path:
    """Create a folder where it is missing, and return it. Raises SettingError when this user may not write there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK | os.X_OK) else "Permission denied"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise SettingError(
            f"The folder {folder.absolute()} cannot be written ({reason}); "
            f"set {PREFIX}DATA to a folder that this user may write."
        )
    return folder


def load_settings(**given: Any) -> Settings:
    """Return the settings of this process; `given` ones have priority.

    Raises SettingError, which names the first variable that is wrong or missing."""
    _refuse_misspelt()
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingError(_sentence(error)) from None


def _refuse_misspelt() -> None:
    """Raise SettingError for a TIDECAST_* variable that is not a setting, which would otherwise be silently ignored."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for name in os.environ:
        if name.startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.9)
            if close:
                raise SettingError(f"There is no setting {name}; did you mean {close[0]}?")


def _sentence(error: ValidationError) -> str:
    """Return the first problem, without the value, which may be secret."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = problem["loc"]
    if not place:
        return f"{PREFIX}KAFKA_SECURITY_PROTOCOL {_message(problem['msg'])}."
    field = str(place[0])
    name = PREFIX + field.upper()
    about = Settings.model_fields[field].description
    if problem["type"] == "missing":
        return f"{name} is not set ({about}); set it, or start a local stack with `tidecast stack up`."
    return f"{name} is wrong: {_message(problem['msg'])}" + (f" ({about})." if about else ".")


def _message(text: str) -> str:
    text = text.removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _apart(value: Any) -> tuple[Any, str, str]:
    """Return a URL without user and password, and these; "" for none."""
    if not isinstance(value, str):
        return value, "", ""
    try:
        url = urlsplit(value)
        user, password = unquote(url.username or ""), unquote(url.password or "")
    except ValueError:
        return value, "", ""  # the field's validator says what is wrong
    return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl(), user, password


def _address(value: str, schemes: tuple[str, ...]) -> str:
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if url.scheme not in schemes or (url.scheme != "unix" and not url.hostname) or port == 0:
        raise ValueError(f"needs a URL that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return value
