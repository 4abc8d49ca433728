"""A result survives being stored, and becomes figures in the order of the registry."""

from __future__ import annotations

import msgspec
import pytest

from pexrtc_py.errors import UsageError
from pexrtc_py.probe.metrics import Unit
from pexrtc_py.probe.result import compared, figures, format_value, parse_result, serialize_result
from pexrtc_py.probe.thresholds import Outcome, Series
from tests.support.probe_runs import HOSTILE, doctor, run


@pytest.mark.parametrize("result", [run(), run(bad=True, stream=HOSTILE), doctor()])
def test_parse_is_the_inverse_of_serialize(result: object) -> None:
    """Every part comes back, and it is one line."""
    assert isinstance(result, type(run()))
    stored = serialize_result(result)
    assert b"\n" not in stored
    assert parse_result(stored) == result


def test_a_later_version_may_add_fields() -> None:
    """Unknown keys are passed over."""
    stored = msgspec.json.decode(serialize_result(run()))
    stored["colour"] = "blue"
    assert parse_result(msgspec.json.encode(stored)) == run()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "a.json is no probe result"),
        (b"{}", "missing required field"),
        (b"\xff", "a.json is no probe result"),
        (serialize_result(run()).replace(b"pexrtc.probe/1", b"other/1"), "schema 'other/1'"),
        (serialize_result(run()).replace(b'"times":[0.0],', b'"times":[],'), "more times than values"),
    ],
)
def test_what_is_no_result_is_refused_by_name(data: bytes, told: str) -> None:
    """The error names the file and what is wrong."""
    with pytest.raises(UsageError, match=told):
        parse_result(data, name="a.json")


def test_passed_needs_all() -> None:
    """Thresholds, steps and an undisturbed end."""
    assert run().passed
    assert not run(bad=True).passed
    assert not doctor().passed
    assert not msgspec.structs.replace(run(), error="lost").passed


def test_figures_are_in_order_and_know_their_thresholds() -> None:
    """Aggregated as the registry says; missed thresholds mark their figure."""
    by_name = {figure.metric: figure for figure in figures(run(bad=True))}
    assert list(by_name)[:3] == ["setup.ice_ms", "setup.first_picture_ms", "audio.loudness_lufs"]
    assert by_name["video.freeze_ratio"].value == pytest.approx(0.07)
    assert by_name["video.freeze_ratio"].outcome is Outcome.FAILED
    assert by_name["video.freeze_ratio"].text == "7 %"
    assert by_name["audio.mos"].outcome is Outcome.PASSED
    assert by_name["audio.loudness_lufs"].outcome is None


def test_unknown_and_empty_series_are_passed_over() -> None:
    """A result of a later version, and a series of nothing but gaps."""
    odd = (
        Series(metric="video.smell", times=(0.0,), values=(1.0,)),
        Series(metric="video.fps", times=(0.0,), values=(float("nan"),)),
    )
    assert list(figures(msgspec.structs.replace(run(), series=odd))) == []


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, Unit.RATIO, "1.23 %"),
        (1_234_567, Unit.BITS_PER_SECOND, "1.23 Mb/s"),
        (64_000, Unit.BITS_PER_SECOND, "64 kb/s"),
        (3.0, Unit.COUNT, "3"),
        (2.5, Unit.COUNT, "2.50"),
        (1234.5, Unit.MILLISECONDS, "1234 ms"),
        (12.345, Unit.MILLISECONDS, "12.3 ms"),
        (4.408, Unit.SCORE, "4.41"),
        (-23.04, Unit.LUFS, "-23.04 LUFS"),
    ],
)
def test_values_are_written_in_their_unit(value: float, unit: Unit, text: str) -> None:
    """In as many digits as make sense."""
    assert format_value(value, unit) == text


def test_two_runs_are_laid_side_by_side() -> None:
    """What only one has is kept, with nothing beside it."""
    pairs = compared(list(figures(run())), list(figures(run(stream="other"))))
    assert {(metric, stream) for metric, stream, *_ in pairs if metric == "video.fps"} == {
        ("video.fps", "Ann → Bob"),
        ("video.fps", "other"),
    }
    assert all((one is None) != (two is None) for *_, one, two in pairs)
