"""The HTML report: self-contained, closed to scripts that are not its own, and true to its result."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser

import msgspec
import pytest

from pexrtc_py.errors import UsageError
from pexrtc_py.probe.report import html_overview, html_report
from pexrtc_py.probe.result import ProbeResult
from tests.support.probe_runs import HOSTILE, doctor, run


class Page(HTMLParser):
    """What a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text: list[str] = []
        self._tag = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag == "script":
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)
        elif self._tag != "style":
            self.text.append(data)

    @property
    def policy(self) -> str:
        return next(
            v or "" for t, n, v in self.attributes if (t, n) == ("meta", "content") and "default-src" in (v or "")
        )


@pytest.mark.parametrize("runs", [[run()], [run(), run(bad=True)], [doctor()], [run(stream=HOSTILE, bad=True)]])
def test_policy_allows_the_two_scripts_and_nothing_else(runs: list[ProbeResult]) -> None:
    """plotly.js and ours by hash, the data block not executed, nothing loaded from anywhere."""
    page = Page(html_report(runs))
    executed = [text for attrs, text in page.scripts if attrs.get("type") != "application/json"]
    assert len(executed) == 2
    assert len(page.scripts) == 3
    for text in executed:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in page.policy
    assert page.policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in page.policy
    assert not [a for a in page.attributes if a[1] in ("src", "onload", "onerror")]
    assert [value for _, name, value in page.attributes if name == "href"] == ["data:,"]


def test_hostile_names_stay_text() -> None:
    """No element, no script end, no control character; the name is still to be read."""
    html = html_report([run(stream=HOSTILE, bad=True)])
    page = Page(html)
    assert "<script>alert" not in html
    assert any("Eve</script><script>alert(1)</script>\\x1b[2J" in text for text in page.text)
    assert not set(html) & {"\x1b", "\x00", "\u202e"}


def test_data_of_the_plots_is_that_of_the_result() -> None:
    """Series of three samples or more are drawn, ratios as percent, with their limits; single figures are not."""
    page = Page(html_report([run(bad=True)]))
    data = json.loads(page.scripts[0][1])
    plots = {plot["title"]: plot for plot in data["plots"]}
    assert "setup.ice_ms" not in plots
    freeze = plots["video.freeze_ratio"]
    assert (freeze["unit"], freeze["limits"], max(freeze["traces"][0]["y"])) == ("%", [1, 2], 70)
    assert freeze["moments"] == [28.4]


def test_verdict_and_failures_come_first() -> None:
    """What failed stands above what passed, and above the plots."""
    html = html_report([run(bad=True)])
    places = [html.index(text) for text in (">Failed<", 'class="failed">audio.loss', 'li class="passed"', 'id="plots"')]
    assert places == sorted(places)


def test_two_runs_show_the_change() -> None:
    """With its sign, and whether it is better or worse."""
    html = html_report([run(), run(bad=True)])
    assert '<span class="worse">−0.19</span>' in html
    assert '<span class="better">' in html_report([run(bad=True), run()])


def test_cure_of_a_failed_step_is_told() -> None:
    """A person reads what to do."""
    assert any("open UDP 40000-49999" in text for text in Page(html_report([doctor()])).text)


@pytest.mark.parametrize("count", [0, 3])
def test_other_numbers_of_runs_are_refused(count: int) -> None:
    """One, or two to compare."""
    with pytest.raises(UsageError, match=f"one run or two, not {count}"):
        html_report([run()] * count)


def test_key_figures_are_those_of_the_worst_stream() -> None:
    """Each tile says in words what it is, of which stream, and whether it failed."""
    two = msgspec.structs.replace(run(), series=(*run(stream="Bob").series, *run(stream="Ann", bad=True).series))
    html = html_report([two])
    tile = html[html.index("Frozen</div>") :]
    assert tile.index("7 %") < tile.index("Ann") < tile.index("Longest freeze")


def test_an_overview_has_a_row_and_a_link_for_each() -> None:
    """With the reasons of those that failed; names and links of any kind stay text."""
    html = html_overview([(run(), "a.html"), (run(stream=HOSTILE, bad=True), "x y<.html"), (doctor(), "c.html")])
    page = Page(html)
    assert "2 of 3 failed" in "".join(page.text)
    assert [value for _, name, value in page.attributes if name == "href"][1:] == ["a.html", "x%20y%3C.html", "c.html"]
    assert page.policy.startswith("default-src 'none'; style-src")
    assert page.scripts == []
    assert not set(html) & {"\x1b", "\x00", "\u202e"}
