// The last hour as stacked bars, drawn from the table beside it, which stays for those who can't see a canvas.
(() => {
  "use strict";
  const KINDS = ["accepted", "failed", "unknown", "skipped"];
  const HEIGHT = 180;
  let plot = null;

  const read = () => {
    const rows = [...document.querySelectorAll("[data-activity] tr[data-at]")];
    const at = rows.map((row) => Date.parse(row.dataset.at) / 1000);
    const counts = KINDS.map((_, kind) => rows.map((row) => Number(row.cells[kind + 1].textContent)));
    return { at, counts };
  };

  // The topmost of a stack is the sum of all, so it is drawn first and the others over it.
  const stacked = ({ at, counts }) => {
    const sums = counts.map((_, kind) => at.map((_, minute) => counts.slice(0, kind + 1).reduce((sum, one) => sum + one[minute], 0)));
    return [at, ...sums.reverse()];
  };

  // From what is painted: a custom property would hand back light-dark() as it is written.
  const painted = (selector, property) => getComputedStyle(document.querySelector(selector))[property];
  const wide = (box) => Math.max(200, box.clientWidth);

  const axes = (largest) => {
    const common = { stroke: painted(".legend", "color"), font: "12px Inter Variable, sans-serif", ticks: { show: false } };
    const clock = (plotted, splits) => splits.map((at) => new Date(at * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" }));
    return [
      { ...common, grid: { show: false }, values: clock, space: 70, size: 28 },
      { ...common, grid: { stroke: painted(".card", "borderTopColor"), width: 1 }, size: 20 + 8 * String(largest).length, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 1e5, 1e6] },
    ];
  };

  const draw = () => {
    const box = document.querySelector("[data-chart]");
    if (!box || !window.uPlot) return;
    const data = stacked(read());
    const largest = Math.max(1, ...(data[1] ?? [0]));
    const bars = window.uPlot.paths.bars({ size: [0.72, 14], radius: 0.15 });
    box.hidden = false;
    document.documentElement.classList.add("has-chart");
    plot?.destroy();
    plot = new window.uPlot({
      width: wide(box),
      height: HEIGHT,
      padding: [8, 18, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: true, range: (_, first, last) => [first - 40, last + 40] }, y: { range: [0, Math.max(4, largest * 1.1)] } },
      axes: axes(largest),
      series: [{}, ...[...KINDS].reverse().map((name) => ({ paths: bars, points: { show: false }, width: 0, fill: painted(`.swatch-${name}`, "backgroundColor") }))],
    }, data, box);
  };

  document.addEventListener("DOMContentLoaded", () => {
    draw();
    const box = document.querySelector("[data-chart]");
    if (box) new ResizeObserver(() => plot?.setSize({ width: wide(box), height: HEIGHT })).observe(box);
  });
  document.addEventListener("fencepost:theme", draw);
  document.addEventListener("htmx:afterSwap", (event) => { if (event.detail.elt?.matches?.("[data-chart-source]")) draw(); });
})();
