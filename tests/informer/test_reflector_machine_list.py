"""The reflector's machine: lists, versions and limits (RF-11 to RF-20)."""

from __future__ import annotations

import pytest

from kdash.informer import reflector_effects as fx
from kdash.informer.errors import (
    ApiStatusError,
    DecodeError,
)
from tests.informer.fake_source import expired, too_large
from tests.informer.machine_bench import Bench, error_arrived
from tests.informer.reflector_doubles import page

# lists: RF-11 to RF-20 ---------------------------------------------------------------------------------


def test_rf11_rf14_first_list_asks_for_version_0_with_the_default_limit() -> None:
    bench = Bench()
    request = bench.give(fx.Start())
    assert isinstance(request, fx.SendList)
    assert (request.options.resource_version, request.options.limit) == ("0", 500)
    told = bench.last_told("list.start")
    assert (told["rv_reason"], told["why_limit"], told["attempt"]) == ("first", "default", 1)


def test_rf18_nothing_is_replaced_before_the_last_page_and_the_version_moves_after_the_replace() -> None:
    bench = Bench()
    bench.give(fx.Start())
    request = bench.give(fx.PageArrived(page(100, "a", "b", token="t1")))
    assert isinstance(request, fx.SendList)
    assert (request.options.continue_token, request.options.resource_version) == ("t1", "")
    request = bench.give(fx.PageArrived(page(101, "c")))
    assert isinstance(request, fx.Replace)
    assert ([obj.name for obj in request.objects], request.resource_version) == (["a", "b", "c"], "100")
    assert bench.version == ""
    request = bench.give(fx.Replaced())
    assert bench.version == "100"
    assert isinstance(request, fx.OpenWatch)
    assert request.options.resource_version == "100"


def _relist_after_410(bench: Bench) -> fx.SendList:
    sleep = bench.give(error_arrived(expired()))
    assert isinstance(sleep, fx.Sleep)
    request = bench.give(fx.TimerFired(), sleep.delay.seconds)
    assert isinstance(request, fx.SendList)
    return request


def test_rf13_rf14_a_relist_after_410_asks_for_the_last_version_without_limit() -> None:
    request = _relist_after_410(Bench().to_watching(100))
    assert (request.options.resource_version, request.options.limit) == ("100", 0)


def test_rf14_page_size_holds_also_at_a_version() -> None:
    request = _relist_after_410(Bench(page_size=4).to_watching(100))
    assert request.options.limit == 4


def test_rf17_a_paged_answer_to_version_0_makes_the_limit_stick() -> None:
    bench = Bench()
    bench.give(fx.Start())
    bench.give(fx.PageArrived(page(100, "a", token="t")))
    bench.give(fx.PageArrived(page(100, "b")))
    bench.give(fx.Replaced())
    bench.give(fx.WatchOpened())
    request = _relist_after_410(bench)
    assert (request.options.resource_version, request.options.limit) == ("100", 500)
    assert bench.last_told("list.start")["why_limit"] == "paginated"


def test_rf17_the_limit_sticks_also_when_page_two_expired() -> None:
    bench = Bench()
    bench.give(fx.Start())
    bench.give(fx.PageArrived(page(100, "a", token="t")))
    request = bench.give(fx.ListFailed(expired()))
    assert isinstance(request, fx.SendList)
    assert (request.options.resource_version, request.options.limit) == ("0", 0)
    assert bench.last_told("list.fallback_full")["page_no"] == 2
    bench.give(fx.PageArrived(page(105, "a", "b")))
    assert bench.machine.version.paginated


def test_rf17_a_paged_answer_to_another_version_does_not_stick() -> None:
    bench = Bench().to_watching(100)
    _relist_after_410(bench)
    bench.give(fx.PageArrived(page(200, "a", token="t")))
    bench.give(fx.PageArrived(page(200, "b")))
    assert not bench.machine.version.paginated


@pytest.mark.parametrize("error", [expired(), ApiStatusError(410, "Gone"), too_large()])
def test_rf16_a_refused_version_is_asked_again_at_once_without_version_and_with_the_same_limit(
    error: ApiStatusError,
) -> None:
    bench = Bench().to_watching(100)
    assert _relist_after_410(bench).options.limit == 0
    request = bench.give(fx.ListFailed(error))
    assert isinstance(request, fx.SendList)
    assert (request.options.resource_version, request.options.limit) == ("", 0)
    assert not any(report.to_handler for report in bench.of(fx.ReportError))
    bench.give(fx.PageArrived(page(300, "a")))
    assert not bench.machine.version.unavailable


def test_rf16_the_quorum_retry_comes_once_and_the_flag_stays_after_its_failure() -> None:
    bench = Bench().to_watching(100)
    _relist_after_410(bench)
    bench.give(fx.ListFailed(expired()))
    sleep = bench.give(fx.ListFailed(expired()))
    assert isinstance(sleep, fx.Sleep)
    assert [report.to_handler for report in bench.of(fx.ReportError)] == [True]
    request = bench.give(fx.TimerFired())
    assert isinstance(request, fx.SendList)
    assert (request.options.resource_version, request.options.limit) == ("", 500)
    assert bench.last_told("list.start")["rv_reason"] == "unavailable"


def test_rf20_a_table_is_refused_as_a_list() -> None:
    bench = Bench()
    bench.give(fx.Start())
    answer = page(1)
    answer.kind, answer.api_version = "Table", "meta.k8s.io/v1"
    assert isinstance(bench.give(fx.PageArrived(answer)), fx.Sleep)
    [report] = bench.of(fx.ReportError)
    assert isinstance(report.error, DecodeError)
    assert report.to_handler


def test_rf18_a_failed_replace_ends_the_session_and_reaches_the_handler() -> None:
    bench = Bench()
    bench.give(fx.Start())
    bench.give(fx.PageArrived(page(100, "a")))
    assert isinstance(bench.give(fx.ReplaceFailed(ValueError("transform"))), fx.Sleep)
    [report] = bench.of(fx.ReportError)
    assert (report.stage, report.to_handler) == ("replace", True)
    assert "unable to sync list result: transform" in str(report.error)
    assert bench.version == ""
