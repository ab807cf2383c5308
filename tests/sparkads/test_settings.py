"""What can be set: where a value comes from, and what a wrong one is told."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from sparkads.settings import Settings, load_settings
from statewright.errors import DefinitionError

DEFAULT_TOML = Path(__file__).parents[2] / "config" / "default.toml"
DAYS = "a list of different whole numbers of days from 1 to 3650"
COUNT = "a whole number from 1 to 1000000"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(path: str | Path | None = None, **overrides: object) -> str:
    with pytest.raises(DefinitionError) as refused:
        load_settings(path, **overrides)
    return str(refused.value)


class TestDefaults:
    def test_nothing_needs_to_be_set(self):
        settings = load_settings()
        assert settings.database == "sqlite:///sparkads.db"
        assert settings.synchronous == "FULL"
        assert settings.durations == (7, 30, 60, 365)
        assert (settings.ads_per_account, settings.ads_per_identity) == (10_000, 10_000)
        assert (settings.heartbeat, settings.batch, settings.pause) == (10.0, 1000, 0.005)
        assert settings.log_format == "text"
        assert settings.actor is None
        assert settings.config is None

    def test_the_default_file_holds_every_key_at_its_default(self):
        read = load_settings(DEFAULT_TOML)
        assert read.model_dump(exclude={"config"}) == load_settings().model_dump(exclude={"config"})

        text = DEFAULT_TOML.read_text(encoding="utf-8")
        without_default = re.findall(r"^# (\w+) = ", text, re.MULTILINE)
        assert without_default == ["actor"]
        assert {*tomllib.loads(text), *without_default} == Settings.model_fields.keys() - {"config"}

    def test_each_key_of_the_default_file_has_one_line_that_explains_it(self):
        blocks = DEFAULT_TOML.read_text(encoding="utf-8").strip().split("\n\n")[1:]
        assert [block.count("\n") for block in blocks] == [1] * (len(Settings.model_fields) - 1)
        assert all(block.startswith("# ") for block in blocks)

    def test_settings_stay_as_they_were_read(self):
        with pytest.raises(ValidationError, match="frozen"):
            load_settings().batch = 5

    def test_a_password_in_the_database_url_is_not_printed(self):
        settings = load_settings(database="postgresql+psycopg://ana:hunter2@db/ads")
        assert "hunter2" not in f"{settings!r} {settings}"


class TestPrecedence:
    def test_an_argument_goes_before_the_environment_and_that_before_the_file(self, here, monkeypatch):
        file = here / "mine.toml"
        file.write_text("batch = 1\npause = 1\nheartbeat = 1\n")
        monkeypatch.setenv("SPARKADS_BATCH", "2")
        monkeypatch.setenv("SPARKADS_PAUSE", "2")
        settings = load_settings(file, batch=3)
        assert (settings.batch, settings.pause, settings.heartbeat) == (3, 2.0, 1.0)
        assert settings.config == file

    def test_an_argument_that_is_none_was_not_given(self, monkeypatch):
        monkeypatch.setenv("SPARKADS_ACTOR", "ana")
        assert load_settings(None, actor=None, database=None).actor == "ana"

    def test_a_named_file_goes_before_the_one_the_environment_names_and_that_before_the_one_here(
        self, here, monkeypatch
    ):
        (here / "sparkads.toml").write_text("batch = 1")
        assert load_settings().batch == 1
        assert load_settings().config == Path("sparkads.toml")

        (here / "other.toml").write_text("batch = 2")
        monkeypatch.setenv("SPARKADS_CONFIG", "other.toml")
        assert load_settings().batch == 2

        (here / "third.toml").write_text("batch = 3")
        assert load_settings("third.toml").batch == 3

    def test_the_variable_of_the_database_is_that_of_the_option(self, monkeypatch):
        monkeypatch.setenv("SPARKADS_DATABASE", "sqlite:///ignored.db")
        monkeypatch.setenv("DATABASE", "sqlite:///ignored.db")
        assert load_settings().database == "sqlite:///sparkads.db"
        monkeypatch.setenv("SPARKADS_DB", "sqlite:///team.db")
        assert load_settings().database == "sqlite:///team.db"

    def test_an_empty_variable_sets_nothing(self, monkeypatch):
        for name in ("SPARKADS_BATCH", "SPARKADS_ACTOR", "SPARKADS_CONFIG", "SPARKADS_DB"):
            monkeypatch.setenv(name, "")
        assert load_settings() == Settings()

    def test_foreign_variables_with_our_prefix_do_no_harm(self, monkeypatch):
        monkeypatch.setenv("SPARKADS_SERVICE_HOST", "10.0.0.1")
        assert load_settings().database == "sqlite:///sparkads.db"


class TestValues:
    @pytest.mark.parametrize("text", ["7,30,180", "7, 30, 180", "[7, 30, 180]", " [7,30,180] "])
    def test_a_list_in_the_environment_may_do_without_brackets(self, text, monkeypatch):
        monkeypatch.setenv("SPARKADS_DURATIONS", text)
        assert load_settings().durations == (7, 30, 180)

    def test_text_in_the_environment_needs_no_quotes(self, monkeypatch):
        monkeypatch.setenv("SPARKADS_ACTOR", "Ana # 7")
        monkeypatch.setenv("SPARKADS_LOG_FORMAT", "json")
        assert (load_settings().actor, load_settings().log_format) == ("Ana # 7", "json")

    def test_a_whole_number_of_seconds_is_a_number_of_seconds(self, here):
        (here / "sparkads.toml").write_text("heartbeat = 5")
        assert load_settings().heartbeat == 5.0

    def test_a_file_from_windows_is_read(self, here):
        (here / "sparkads.toml").write_bytes(b"\xef\xbb\xbfbatch = 7\r\nactor = 'J\xc3\xbcrgen'\r\n")
        assert (load_settings().batch, load_settings().actor) == (7, "Jürgen")


class TestRefusals:
    @pytest.mark.parametrize(
        ("line", "sentence"),
        [
            ("batch = 0", f"expected batch to be {COUNT}, got 0"),
            ("batch = 1000001", f"expected batch to be {COUNT}, got 1000001"),
            ("batch = true", f"expected batch to be {COUNT}, got True"),
            ("batch = 10.0", f"expected batch to be {COUNT}, got 10.0"),
            ('batch = "1000"', f"expected batch to be {COUNT}, got '1000'"),
            ("ads_per_account = -1", f"expected ads_per_account to be {COUNT}, got -1"),
            ("ads_per_identity = 0", f"expected ads_per_identity to be {COUNT}, got 0"),
            ("durations = []", f"expected durations to be {DAYS}, got []"),
            ("durations = 7", f"expected durations to be {DAYS}, got 7"),
            ("durations = [7, 30, 7]", f"expected durations to be {DAYS}, got [7, 30, 7]"),
            ("durations = [7, 3651]", f"expected durations to be {DAYS}, got 3651"),
            ("durations = [7, '30']", f"expected durations to be {DAYS}, got '30'"),
            ("heartbeat = 0", "expected heartbeat to be a number of seconds from 0.1 to 3600, got 0"),
            ("heartbeat = nan", "expected heartbeat to be a number of seconds from 0.1 to 3600, got nan"),
            ("pause = -0.1", "expected pause to be a number of seconds from 0 to 60, got -0.1"),
            ("pause = inf", "expected pause to be a number of seconds from 0 to 60, got inf"),
            ("synchronous = 'full'", 'expected synchronous to be "FULL" or "NORMAL", got \'full\''),
            ("log_format = 'xml'", 'expected log_format to be "text" or "json", got \'xml\''),
            ("actor = ' '", "expected actor to be a name that is not empty, got ' '"),
            ("database = 'a.db'", "expected database to be a URL such as sqlite:///sparkads.db, got 'a.db'"),
        ],
    )
    def test_a_wrong_value_is_named_with_its_file_its_key_and_what_was_expected(self, line, sentence, here):
        (here / "mine.toml").write_text(line)
        assert refusal("mine.toml") == f"mine.toml: {sentence}"

    def test_a_wrong_value_in_the_environment_is_named_with_its_variable(self, monkeypatch):
        monkeypatch.setenv("SPARKADS_BATCH", "many")
        assert refusal() == f"SPARKADS_BATCH: expected batch to be {COUNT}, got 'many'"

    def test_a_wrong_database_in_the_environment_is_named_with_its_variable_and_without_its_password(
        self, monkeypatch
    ):
        monkeypatch.setenv("SPARKADS_DB", "postgres//ana:hunter2@db/ads")
        assert refusal().startswith("SPARKADS_DB: expected database to be a URL ")
        assert refusal().endswith(", got 'postgres//ana:***@db/ads'")

    def test_a_wrong_argument_is_named_as_such(self):
        assert refusal(batch=0) == f"settings: expected batch to be {COUNT}, got 0"

    def test_all_that_is_wrong_in_a_file_is_told_at_once(self, here):
        (here / "sparkads.toml").write_text("batch = 0\npause = 99\n")
        assert refusal() == (
            f"sparkads.toml: expected batch to be {COUNT}, got 0; "
            "expected pause to be a number of seconds from 0 to 60, got 99"
        )

    def test_an_unknown_key_is_told_the_one_that_was_meant(self, here):
        (here / "sparkads.toml").write_text("duration = [7]")
        assert refusal() == "sparkads.toml: there is no setting 'duration'; did you mean durations?"

    def test_an_unknown_key_that_resembles_none_is_told_all_there_are(self, here):
        (here / "sparkads.toml").write_text("[colours]\nred = 1")
        assert refusal().startswith(
            "sparkads.toml: there is no setting 'colours'; there are database, synchronous,"
        )

    def test_a_file_cannot_name_another_file(self, here):
        (here / "sparkads.toml").write_text("config = 'other.toml'")
        assert refusal().startswith("sparkads.toml: there is no setting 'config'; ")

    def test_an_unknown_argument_is_refused(self):
        assert refusal(bach=5) == "settings: there is no setting 'bach'; did you mean batch?"

    def test_a_file_that_is_not_toml_is_told_where(self, here):
        (here / "sparkads.toml").write_text("batch 7")
        assert refusal() == (
            "sparkads.toml: is not TOML: Expected '=' after a key in a key/value pair (at line 1, column 7)"
        )

    def test_a_number_beyond_all_numbers_is_refused_in_a_sentence(self, here):
        (here / "sparkads.toml").write_text("batch = 1" + "0" * 5000)
        assert refusal().startswith("sparkads.toml: is not TOML: ")

    def test_a_huge_value_is_not_repeated_whole(self, here):
        (here / "sparkads.toml").write_text(f"synchronous = '{'x' * 10_000_000}'")
        assert len(refusal()) < 200

    def test_a_file_in_another_encoding_is_refused(self, here):
        (here / "sparkads.toml").write_bytes("actor = 'Jürgen'".encode("latin-1"))
        assert refusal() == "sparkads.toml: expected UTF-8, got other bytes at byte 11"

    @pytest.mark.parametrize("way", ["argument", "environment"])
    def test_a_named_file_that_is_missing_is_refused(self, way, monkeypatch):
        if way == "environment":
            monkeypatch.setenv("SPARKADS_CONFIG", "gone.toml")
        named = "gone.toml" if way == "argument" else None
        assert refusal(named) == "gone.toml: there is no such file; create it or name another"

    def test_a_folder_in_place_of_a_file_is_refused(self, here):
        assert refusal(here) == f"{here}: cannot be read: Is a directory"
