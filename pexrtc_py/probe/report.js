"use strict";
// Draws the plots of a report from its JSON block: the telling ones at once, the others when they are asked for.
// All share one time axis, so a zoom in one is a zoom in all; everything is drawn again when light turns dark.
(() => {
  const { join, plots, runs } = JSON.parse(document.getElementById("data").textContent);
  const more = document.getElementById("more");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const palette = ["#2f7de1", "#d9731a", "#2a9d63", "#b04fc4", "#c43d53", "#6b7a8c"];
  const options = { responsive: true, displaylogo: false, displayModeBar: false };
  const runName = (run) => (runs > 1 ? ["first run", "second run"][run] : "");
  // plotly reads tags in names; nothing of a peer may become markup.
  const harmless = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const label = (trace) => harmless([trace.name, runName(trace.run)].filter(Boolean).join(", "));
  const base = () => ({
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("--text"), family: "system-ui, sans-serif", size: 12 },
    hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--text") } },
  });
  const axis = () => ({ gridcolor: colour("--line"), zerolinecolor: colour("--line"), linecolor: colour("--line") });

  const place = (plot) => {
    const card = document.createElement("div");
    const title = document.createElement("h3");
    const what = document.createElement("small");
    title.textContent = plot.title;
    what.textContent = plot.what;
    title.append(what);
    const box = document.createElement("div");
    box.className = "plot";
    box.id = plot.id;
    card.append(title, box);
    (plot.first ? document.getElementById("plots") : more.querySelector(".plots")).append(card);
    return box;
  };
  // With few plots none is hidden.
  if (plots.length <= 12) plots.forEach((plot) => { plot.first = true; });
  const boxes = plots.map(place);
  const hidden = plots.filter((plot) => !plot.first).length;
  if (hidden) {
    more.hidden = false;
    more.querySelector("summary").textContent = `${hidden} more plots`;
  }

  const drawOne = (plot, box) => {
    const streams = [...new Set(plot.traces.map((trace) => trace.name))];
    const traces = plot.traces.map((trace) => ({
      type: "scatter",
      mode: "lines",
      connectgaps: false,
      name: label(trace),
      x: trace.x,
      y: trace.y,
      line: {
        width: 1.8,
        color: runs > 1 && streams.length === 1
          ? colour(trace.run ? "--second" : "--first")
          : palette[streams.indexOf(trace.name) % palette.length],
        dash: runs > 1 && streams.length > 1 && trace.run ? "dot" : "solid",
      },
      hovertemplate: "%{y} " + plot.unit,
    }));
    const lines = plot.limits.map((limit) => ({
      type: "line", xref: "paper", x0: 0, x1: 1, y0: limit, y1: limit,
      line: { color: colour("--bad"), width: 1, dash: "dash" },
    }));
    const moments = plot.moments.map((time) => ({
      type: "line", yref: "paper", y0: 0, y1: 1, x0: time, x1: time,
      line: { color: colour("--quiet"), width: 1, dash: "dot" }, opacity: 0.35,
    }));
    const values = plot.traces.flatMap((trace) => trace.y).filter((value) => value !== null);
    const low = Math.min(...values), high = Math.max(...values);
    const pad = (high - low || Math.abs(high) || 1) * 0.12;
    // Limits are shown when they are near; one far away must not flatten the curve.
    const near = plot.limits.filter((limit) => limit >= low - 6 * pad && limit <= high + 6 * pad);
    Plotly.react(box, traces, {
      ...base(),
      margin: { l: 52, r: 12, t: 10, b: 34 },
      hovermode: "x unified",
      showlegend: traces.length > 1,
      legend: { orientation: "h", y: 1.14, x: 0, font: { size: 11 } },
      xaxis: { ...axis(), ticksuffix: " s", range: shown },
      yaxis: {
        ...axis(),
        title: { text: plot.unit === "score" || plot.unit === "count" ? "" : plot.unit, standoff: 4 },
        range: [Math.min(low - pad, ...near.map((v) => v - pad)), Math.max(high + pad, ...near.map((v) => v + pad))],
      },
      shapes: [...lines.filter((line) => near.includes(line.y0)), ...moments],
    }, options);
    if (!box.dataset.followed) {
      box.dataset.followed = "yes";
      box.on("plotly_relayout", follow);
    }
  };

  let shown; // the stretch of time in view; undefined: all
  let following = false;
  const follow = (change) => {
    // A drag tells both ends one by one, a call of relayout both at once.
    const range = change["xaxis.range"] ?? [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    const zoomed = range[0] !== undefined;
    if (following || !(zoomed || change["xaxis.autorange"])) return;
    shown = zoomed ? [...range] : undefined;
    following = true;
    const update = shown ? { "xaxis.range": shown } : { "xaxis.autorange": true };
    Promise.all(boxes.filter((box) => box.dataset.followed).map((box) => Plotly.relayout(box, update)))
      .finally(() => { following = false; });
  };

  const drawJoin = () => {
    const card = document.getElementById("join");
    if (!join.length) return;
    card.hidden = false;
    let box = card.querySelector(".bars");
    if (!box) {
      box = document.createElement("div");
      box.className = "bars";
      card.append(box);
    }
    // The stretches in their order, whoever took them; the longest list names them all.
    const phases = [...join].sort((a, b) => b.phases.length - a.phases.length)[0].phases;
    const traces = join.map((one, index) => ({
      type: "bar",
      orientation: "h",
      name: label(one),
      y: one.phases,
      x: one.lengths,
      base: one.begins,
      marker: { color: palette[index % palette.length] },
      customdata: one.begins.map((begin, n) => begin + one.lengths[n]),
      hovertemplate: "%{y}: done after %{customdata:.0f} ms, took %{x:.0f} ms",
    }));
    Plotly.react(box, traces, {
      ...base(),
      height: 110 + phases.length * (10 + 9 * join.length),
      margin: { l: 92, r: 12, t: 10, b: 34 },
      showlegend: join.length > 1,
      legend: { orientation: "h", y: 1.06, yanchor: "bottom", x: 0, font: { size: 11 } },
      bargap: 0.25,
      xaxis: { ...axis(), ticksuffix: " ms", rangemode: "tozero" },
      yaxis: { ...axis(), categoryorder: "array", categoryarray: [...phases].reverse() },
    }, options);
  };

  const draw = () => {
    drawJoin();
    plots.forEach((plot, index) => {
      if (plot.first || more.open) drawOne(plot, boxes[index]);
    });
    // What a test waits for.
    document.documentElement.dataset.plots = String(document.querySelectorAll(".plot.js-plotly-plot").length);
  };
  draw();
  more.addEventListener("toggle", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
