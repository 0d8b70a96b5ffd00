import re

from pipeline.base.code import code_version, is_compiled


def test_a_version_is_the_same_each_time_and_another_with_more_rooms() -> None:
    assert re.fullmatch("[0-9a-f]{16}", code_version())
    assert code_version() == code_version()
    assert code_version("polybot") not in (code_version(), code_version("tests"))


def test_a_checkout_is_not_compiled() -> None:
    assert not is_compiled()
