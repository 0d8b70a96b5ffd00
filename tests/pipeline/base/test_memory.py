import gc
from collections.abc import Iterator

import pytest

from pipeline.base.memory import hold_collections, settle


@pytest.fixture(autouse=True)
def collections_as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.enable()
    gc.set_threshold(*before)
    gc.unfreeze()


def test_nothing_is_collected_until_the_process_has_settled() -> None:
    hold_collections()
    assert not gc.isenabled()
    settle()
    assert gc.isenabled() and gc.get_freeze_count() > 0 and gc.get_threshold()[0] > 700
