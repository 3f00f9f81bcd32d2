"""Settings by their key and by their name alone."""

from __future__ import annotations

import pytest

from grubench.errors import SpecError
from grubench.spec.arm_settings import find_setting_key
from grubench.spec.sections import SECTIONS


class TestSettingKeys:
    @pytest.mark.parametrize(
        "key", [f"{name}.{one}" for name, section in SECTIONS.items() for one in section.__dataclass_fields__]
    )
    def test_every_setting_is_found_by_its_key_and_its_name(self, key: str) -> None:
        assert find_setting_key(key) == key
        assert find_setting_key(key.partition(".")[2]) == key

    def test_the_likeliest_is_named(self) -> None:
        with pytest.raises(SpecError, match=r"Did you mean backend\?"):
            find_setting_key("backnd")

    def test_a_value_given_twice_is_refused(self, call) -> None:
        result = call("compare", "--vary", "backend=tensorflow,tensorflow")
        assert (result.exit_code, "training.backend is given tensorflow twice" in result.output) == (2, True)

    def test_the_command_line_takes_the_name_alone(self, call) -> None:
        result = call("compare", "--vary", "precission=float32,tf32")
        assert (result.exit_code, "Did you mean precision?" in result.output) == (2, True)
