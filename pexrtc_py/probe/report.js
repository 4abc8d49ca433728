"use strict";
// Draws the plots of a report from its JSON block; redraws when light turns dark.
(() => {
  const { plots, runs } = JSON.parse(document.getElementById("data").textContent);
  const place = document.getElementById("plots");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const palette = ["#2f7de1", "#d9731a", "#2a9d63", "#b04fc4", "#c43d53", "#6b7a8c"];
  const boxes = plots.map((plot) => {
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
    place.append(card);
    return box;
  });
  const draw = () => plots.forEach((plot, index) => {
    const streams = [...new Set(plot.traces.map((trace) => trace.name))];
    const traces = plot.traces.map((trace) => ({
      type: "scatter",
      mode: "lines",
      connectgaps: false,
      // plotly reads tags in names; nothing of a peer may become markup.
      name: [trace.name, runs > 1 ? ["first run", "second run"][trace.run] : ""].filter(Boolean).join(", ")
        .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"),
      x: trace.x,
      y: trace.y,
      line: {
        width: 1.8,
        color: runs > 1 && streams.length === 1
          ? colour(trace.run ? "--second" : "--first")
          : palette[streams.indexOf(trace.name) % palette.length],
        dash: runs > 1 && streams.length > 1 && trace.run ? "dot" : "solid",
      },
      hovertemplate: "%{y} " + plot.unit + "<br>%{x} s",
    }));
    const lines = plot.limits.map((limit) => ({
      type: "line", xref: "paper", x0: 0, x1: 1, y0: limit, y1: limit,
      line: { color: colour("--bad"), width: 1, dash: "dash" },
    }));
    const moments = plot.moments.map((time) => ({
      type: "line", yref: "paper", y0: 0, y1: 1, x0: time, x1: time,
      line: { color: colour("--quiet"), width: 1, dash: "dot" }, opacity: 0.5,
    }));
    const axis = { gridcolor: colour("--line"), zerolinecolor: colour("--line"), linecolor: colour("--line") };
    const values = plot.traces.flatMap((trace) => trace.y).filter((value) => value !== null);
    const low = Math.min(...values), high = Math.max(...values);
    const pad = (high - low || Math.abs(high) || 1) * 0.12;
    // Limits are shown when they are near; one far away must not flatten the curve.
    const near = plot.limits.filter((limit) => limit >= low - 6 * pad && limit <= high + 6 * pad);
    Plotly.react(boxes[index], traces, {
      margin: { l: 52, r: 12, t: 10, b: 34 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: colour("--text"), family: "system-ui, sans-serif", size: 12 },
      hovermode: "x unified",
      hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--line") },
      showlegend: traces.length > 1,
      legend: { orientation: "h", y: 1.14, x: 0, font: { size: 11 } },
      xaxis: { ...axis, ticksuffix: " s" },
      yaxis: {
        ...axis,
        title: { text: plot.unit === "score" || plot.unit === "count" ? "" : plot.unit, standoff: 4 },
        range: [Math.min(low - pad, ...near.map((v) => v - pad)), Math.max(high + pad, ...near.map((v) => v + pad))],
      },
      shapes: [...lines.filter((line) => near.includes(line.y0)), ...moments],
    }, { responsive: true, displaylogo: false, displayModeBar: false });
  });
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  // What a test waits for.
  document.documentElement.dataset.plots = String(place.querySelectorAll(".js-plotly-plot").length);
})();
