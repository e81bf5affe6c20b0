// What a script adds: copying, jumps that open what they lead to, and strips that zoom together with the lanes.
(() => {
  "use strict";
  const one = (query, root = document) => root.querySelector(query);
  const all = (query, root = document) => [...root.querySelectorAll(query)];
  const make = (tag, props = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), props);
    node.append(...children);
    return node;
  };
  const button = (text, label, onclick) => {
    const made = make("button", { type: "button", textContent: text, onclick });
    if (label) made.setAttribute("aria-label", label);
    return made;
  };
  document.documentElement.classList.add("js");

  // Copying.

  async function copy(text, told) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Pages served without TLS have no clipboard of that sort.
      const area = document.body.appendChild(make("textarea", { value: text, className: "away" }));
      area.select();
      document.execCommand("copy");
      area.remove();
      told.focus();
    }
    const before = told.textContent;
    told.textContent = "copied";
    setTimeout(() => (told.textContent = before), 1200);
  }

  const chain = (list) =>
    all("li", list)
      .map((item) => {
        const at = `# ${one(".at", item).textContent}`;
        const curl = one("pre", item);
        const said = one(".said", item).textContent.replace(/\s+/g, " ").trim();
        return curl ? `${at}\n${curl.textContent}\n# ${said}` : `${at}  ${said}`;
      })
      .join("\n");

  function copying() {
    for (const node of all("[data-copy]")) {
      const label = node.tagName === "PRE" ? "copy this request" : "copy the command";
      const made = button("copy", label, (event) => copy(node.textContent, event.currentTarget));
      made.className = "copy";
      node.after(made);
    }
    for (const list of all(".chain")) {
      const made = button("copy the whole chain", "", (event) => copy(chain(list), event.currentTarget));
      made.className = "copy whole-chain";
      list.before(made);
    }
  }

  function unfolding() {
    const cards = all("details.finding");
    if (cards.length > 1) {
      const set = (open) => () => cards.forEach((card) => (card.open = open));
      const bar = make("div", { className: "tools" }, button("open all", "", set(true)), button("close all", "", set(false)));
      one("#findings").after(bar);
    }
    let closed = [];
    addEventListener("beforeprint", () => {
      closed = all("details:not([open])");
      closed.forEach((node) => (node.open = true));
    });
    addEventListener("afterprint", () => closed.forEach((node) => (node.open = false)));
  }

  // The timeline: every strip and the lanes show the same stretch of time.

  const data = JSON.parse(one("#data").textContent);
  const lanes = one("#lanes");
  const host = one("#plots");
  const span = data.end - data.start;
  const least = Math.min(span, Math.max(data.step * 8, span / 200));
  const view = { from: data.start, to: data.end };
  let plots = [];

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const seconds = (value, digits = 3) =>
    data.end < 600
      ? `${+value.toFixed(digits)} s`
      : `${Math.floor(value / 60)}:${(value % 60).toFixed(digits > 1 ? 1 : 0).padStart(digits > 1 ? 4 : 2, "0")}`;
  const tick = (value) => seconds(value, data.end < 600 || !Number.isInteger(+value.toFixed(3)) ? 3 : 0);
  const nice = (value, factors) => {
    const power = 10 ** Math.floor(Math.log10(value));
    return factors.map((factor) => factor * power).find((each) => each >= value * 0.999);
  };
  const millis = (value) =>
    value == null ? "–" : value >= 1000 ? `${+(value / 1000).toPrecision(3)} s` : `${+value.toPrecision(3)} ms`;

  function zoom(from, to) {
    const width = Math.min(Math.max(to - from, least), span);
    const start = Math.min(Math.max((from + to) / 2 - width / 2, data.start), data.end - width);
    view.from = start;
    view.to = start + width;
    for (const plot of plots) {
      plot.setScale("x", { min: view.from, max: view.to });
      plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    }
    moveLanes();
    const whole = width >= span * 0.999;
    one("#shown").textContent = `${seconds(view.from)} to ${seconds(view.to)}${whole ? ", all of it" : ""}`;
    one("#reset").disabled = whole;
  }

  const scaled = (factor) => {
    const middle = (view.from + view.to) / 2;
    const half = ((view.to - view.from) / 2) * factor;
    zoom(middle - half, middle + half);
  };
  const shifted = (share) => {
    const by = (view.to - view.from) * share;
    zoom(view.from + by, view.to + by);
  };
  const reset = () => zoom(data.start, data.end);

  const perUnit = span / (data.right - data.left);
  const timeAt = (x) => data.start + (x - data.left) * perUnit;
  const placeOf = (x) => data.left + ((timeAt(x) - view.from) / (view.to - view.from)) * (data.right - data.left);
  const inside = (x) => Math.min(Math.max(x, data.left), data.right);

  const number = (node, name) => +node.getAttribute(name);
  const bars = all(".moves rect", lanes).map((node) => ({ node, x: number(node, "x"), end: number(node, "x") + number(node, "width") }));
  const lines = all(".moves line", lanes).map((node) => ({ node, x: number(node, "x1") }));
  const phases = bars.filter(({ node }) => node.matches(".even, .odd"));
  const labels = all(".labels text", lanes).map((node, index) => ({ node, x: number(node, "x"), phase: phases[index] }));
  const marks = all("a.mark", lanes).map((node) => ({
    node,
    flag: node.classList.contains("finding-flag"),
    x: +node.dataset.x,
    shown: +/\(([\d.]+)/.exec(node.getAttribute("transform"))[1],
    y: /\s([\d.]+)\)/.exec(node.getAttribute("transform"))[1],
  }));

  function moveLanes() {
    const whole = view.to - view.from >= span * 0.999;
    const show = (node, on) => node.classList.toggle("off", !on);
    for (const { node, x, end } of bars) {
      const [left, right] = [inside(placeOf(x)), inside(placeOf(end))];
      show(node, right > left);
      node.setAttribute("x", left);
      node.setAttribute("width", Math.max(right - left, 0));
    }
    for (const { node, x } of lines) {
      const place = placeOf(x);
      show(node, place === inside(place));
      node.setAttribute("x1", place);
      node.setAttribute("x2", place);
    }
    for (const { node, x, phase } of labels) {
      const [left, right] = [placeOf(phase.x), placeOf(phase.end)];
      show(node, whole || (right > data.left + 8 && left < data.right));
      node.setAttribute("x", whole ? x : Math.min(Math.max(left, data.left), data.right - 30));
    }
    let taken = -Infinity;
    for (const { node, flag, x, shown, y } of marks) {
      const place = placeOf(x);
      // Flags that would hide each other stand side by side, as they were drawn.
      const at = whole ? shown : flag ? Math.max(place, taken + 18) : place;
      if (flag && place === inside(place)) taken = at;
      show(node, whole || (place === inside(place) && at <= data.right + 9));
      node.setAttribute("transform", `translate(${at} ${y})`);
    }
    ticks();
  }

  function ticks() {
    const group = one(".ticks", lanes);
    const width = view.to - view.from;
    const step = nice(width / 10, [1, 2, 5, 10]);
    const y = number(group, "data-y");
    const made = [];
    for (let index = Math.ceil(view.from / step); index * step <= view.to + 1e-9; index++) {
      const x = data.left + ((index * step - view.from) / width) * (data.right - data.left);
      const line = document.createElementNS(lanes.namespaceURI, "line");
      const text = document.createElementNS(lanes.namespaceURI, "text");
      for (const [key, value] of Object.entries({ x1: x, x2: x, y1: y, y2: y + 5, class: "edge" })) line.setAttribute(key, value);
      for (const [key, value] of Object.entries({ x, y: y + 18, class: "tick" })) text.setAttribute(key, value);
      text.textContent = tick(index * step);
      made.push(line, text);
    }
    group.replaceChildren(...made);
  }

  // Strips.

  const unit = () => host.clientWidth / data.width;
  const HEIGHT = 118;

  function stripOptions(series, { axis, ...y }, last) {
    const gutter = data.left * unit();
    const ink = { stroke: colour("soft"), font: "11px system-ui, sans-serif" };
    const lined = { stroke: colour("rule"), width: 1 };
    return {
      width: host.clientWidth,
      height: HEIGHT + (last ? 24 : 0),
      padding: [10, (data.width - data.right) * unit(), last ? 0 : 6, 0],
      cursor: {
        sync: { key: "run", filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
        drag: { x: true, y: false, setScale: false },
        y: false,
        bind: { dblclick: () => () => reset() },
      },
      scales: { x: { time: false, range: (_, min, max) => [min, max] }, y },
      axes: [
        { ...ink, show: last, size: 24, grid: { show: false }, ticks: { ...lined, size: 4 }, values: (_, values) => values.map(tick) },
        { ...ink, size: gutter, gap: 4, grid: lined, ticks: { show: false }, ...axis },
      ],
      series: [{ label: "at", value: (_, value) => (value == null ? "–" : seconds(value)) }, ...series],
      legend: { markers: { width: 0, fill: (plot, index) => plot.series[index].paint } },
      hooks: {
        setSelect: [(plot) => plot.select.width > 4 && zoom(plot.posToVal(plot.select.left, "x"), plot.posToVal(plot.select.left + plot.select.width, "x"))],
        drawClear: [behind],
        setScale: [(plot, key) => key === "x" && (plot.root.dataset.shown = `${plot.scales.x.min} ${plot.scales.x.max}`)],
        setCursor: [(plot) => pointAt(plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : null)],
      },
    };
  }

  function pointAt(at) {
    const line = one("#cursor") ?? lanes.appendChild(document.createElementNS(lanes.namespaceURI, "line"));
    line.id = "cursor";
    line.classList.toggle("off", at === null);
    if (at === null) return;
    const x = data.left + ((at - view.from) / (view.to - view.from)) * (data.right - data.left);
    for (const [key, value] of Object.entries({ x1: x, x2: x, y1: 0, y2: number(one(".ticks", lanes), "data-y") })) line.setAttribute(key, value);
  }

  // Where phases begin and strikes fell, behind what a strip draws.
  function behind(plot) {
    const { ctx, bbox } = plot;
    const line = (x, stroke, dash) => {
      const at = plot.valToPos(timeAt(x), "x", true);
      if (at < bbox.left || at > bbox.left + bbox.width) return;
      ctx.strokeStyle = stroke;
      ctx.setLineDash(dash.map((part) => part * devicePixelRatio));
      ctx.beginPath();
      ctx.moveTo(at, bbox.top);
      ctx.lineTo(at, bbox.top + bbox.height);
      ctx.stroke();
    };
    ctx.save();
    ctx.lineWidth = devicePixelRatio;
    for (const { x } of phases.slice(1)) line(x, colour("rule"), []);
    for (const { node, flag, x } of marks) if (!flag) line(x, colour(one(".sham", node) ? "soft" : "fail"), [2, 3]);
    ctx.restore();
  }

  const stepped = (...args) => uPlot.paths.stepped({ align: 1 })(...args);
  const area = (label, name, values) => ({ label, paint: colour(name), fill: colour(name), width: 0, paths: stepped, points: { show: false }, value: (_, __, ___, index) => (index == null ? "–" : values(index)) });

  function requests() {
    const rate = (values) => values.map((value) => Math.min(value / data.step, data.peak));
    const exact = (values) => (index) => `${+(values[index] / data.step).toPrecision(3)}/s`;
    return strip("Requests", "a second, when they were due", [data.at, rate(data.all), rate(data.users)], [
      area("with probes and strikes", "others", exact(data.all)),
      area("users", "users", exact(data.users)),
    ], { range: [0, data.peak || 1] });
  }

  function errors() {
    const names = Object.keys(data.bad);
    let below = data.at.map(() => 0);
    const stacked = names.map((name) => (below = below.map((value, index) => value + data.bad[name][index])));
    const most = nice(Math.max(2, ...below), [1, 2, 3, 4, 6, 8, 10]);
    const series = names.map((name) => area(name, `s-${name}`, (index) => data.bad[name][index]));
    return strip("Errors", names.length ? `users', per ${millis(data.step * 1000)}` : data.quiet,
      [data.at, ...stacked.reverse()], series.reverse(), { range: [0, most], axis: { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] } });
  }

  function latency() {
    const ranks = [["p99", data.p99], ["p95", data.p95], ["p50", data.p50]];
    const seen = ranks.flatMap(([, values]) => values.filter((value) => value != null));
    if (!seen.length) return null;
    const decade = (round, value) => 10 ** round(Math.log10(value));
    const [low, high] = [decade(Math.floor, Math.min(...seen)), decade(Math.ceil, Math.max(...seen) * 1.0001)];
    const series = ranks.map(([label, values]) => ({
      label, paint: colour(label), stroke: colour(label), width: label === "p50" ? 2 : 1.3, dash: label === "p99" ? [5, 3] : [],
      points: { show: false }, spanGaps: false, value: (_, value) => millis(value),
    }));
    const values = (_, splits) => splits.map(millis);
    return strip("Latency", "from the intended start", [data.at, ...ranks.map(([, each]) => each)], series,
      { distr: 3, range: [low, high], axis: { values, filter: (_, splits) => splits, splits: () => decades(low, high) } });
  }

  const decades = (low, high) => Array.from({ length: Math.round(Math.log10(high / low)) + 1 }, (_, index) => low * 10 ** index);

  const strip = (title, note, columns, series, y) => ({ title, note, columns, series, y });

  function drawStrips() {
    plots.forEach((plot) => plot.destroy());
    host.replaceChildren();
    const wanted = [requests(), errors(), latency()].filter(Boolean);
    plots = wanted.map(({ title, note, columns, series, y }, index) => {
      const options = stripOptions(series, y, index === wanted.length - 1);
      const box = host.appendChild(make("div", { className: "strip" }, make("h3", {}, title, " ", make("span", { className: "soft small", textContent: note }))));
      return new uPlot(options, columns, box);
    });
    for (const plot of plots) for (const mark of plot.root.querySelectorAll(".u-marker")) mark.setAttribute("aria-hidden", "true");
  }

  function timeline() {
    const box = one("#time");
    const tools = make("div", { className: "tools", id: "zoom" },
      button("+", "zoom in", () => scaled(0.5)), button("−", "zoom out", () => scaled(2)),
      button("←", "earlier", () => shifted(-0.4)), button("→", "later", () => shifted(0.4)),
      Object.assign(button("reset", "show the whole run", reset), { id: "reset" }),
      make("output", { id: "shown", className: "small" }),
      make("span", { className: "soft small", textContent: "drag over a strip or a lane; keys + − ← → 0" }),
      make("a", { id: "back", hidden: true }));
    box.before(tools);
    tools.append(one("#back"));
    const keys = { "+": () => scaled(0.5), "=": () => scaled(0.5), "-": () => scaled(2), ArrowLeft: () => shifted(-0.25), ArrowRight: () => shifted(0.25), 0: reset, Escape: reset };
    for (const node of [box, tools])
      node.addEventListener("keydown", (event) => {
        const act = event.ctrlKey || event.metaKey || event.altKey ? null : keys[event.key];
        if (!act) return;
        event.preventDefault();
        act();
      });
    if (data.at.length) {
      document.documentElement.classList.add("plotted");
      drawStrips();
      let width = host.clientWidth;
      new ResizeObserver(() => {
        if (host.clientWidth === width || !host.clientWidth) return;
        width = host.clientWidth;
        drawStrips();
        zoom(view.from, view.to);
      }).observe(host);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
        drawStrips();
        zoom(view.from, view.to);
      });
    }
    dragging();
    reset();
  }

  function dragging() {
    const at = (event) => {
      const box = lanes.getBoundingClientRect();
      return inside(((event.clientX - box.left) / box.width) * data.width);
    };
    const time = (x) => view.from + ((x - data.left) / (data.right - data.left)) * (view.to - view.from);
    let begun = null;
    let shade = null;
    lanes.addEventListener("pointerdown", (event) => {
      if (event.button || event.target.closest("a")) return;
      event.preventDefault();
      begun = at(event);
      shade = lanes.appendChild(document.createElementNS(lanes.namespaceURI, "rect"));
      shade.setAttribute("class", "shade");
      shade.setAttribute("height", number(one(".ticks", lanes), "data-y"));
      lanes.setPointerCapture(event.pointerId);
    });
    lanes.addEventListener("pointermove", (event) => {
      const here = at(event);
      pointAt(time(here));
      if (begun === null) return;
      shade.setAttribute("x", Math.min(begun, here));
      shade.setAttribute("width", Math.abs(here - begun));
    });
    lanes.addEventListener("pointerleave", () => pointAt(null));
    lanes.addEventListener("pointerup", (event) => {
      if (begun === null) return;
      const [from, to] = [begun, at(event)].sort((one, other) => one - other).map(time);
      shade.remove();
      begun = null;
      if (to - from > (view.to - view.from) / 250) zoom(from, to);
    });
    lanes.addEventListener("dblclick", reset);
  }

  // Jumps: to a place on the timeline and back, and into what is folded.

  let came = null;
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#mark-"], a[href^="#strike-"]');
    if (link && !lanes.contains(link)) came = link.closest("[id]");
    if (link && link.getAttribute("href") === location.hash) follow();
  });

  function follow() {
    const id = decodeURIComponent(location.hash.slice(1));
    const node = id && document.getElementById(id);
    if (!node) return;
    for (let outer = node.closest("details"); outer; outer = outer.parentElement.closest("details")) outer.open = true;
    if (node.matches("a.mark")) {
      const at = timeAt(+node.dataset.x);
      const half = Math.max(span / 16, data.step * 12);
      zoom(at - half, at + half);
      all(".mark.here", lanes).forEach((other) => other.classList.remove("here"));
      node.classList.add("here");
      const back = one("#back");
      back.hidden = !came;
      if (came) {
        back.href = `#${came.id}`;
        back.textContent = `back to ${came.id.replace("-", " ")}`;
      }
      one("#timeline").scrollIntoView();
      node.focus({ preventScroll: true });
    } else node.scrollIntoView();
  }

  copying();
  unfolding();
  timeline();
  addEventListener("hashchange", follow);
  // The browser itself goes to the address's anchor when everything is loaded, past what opens for it.
  addEventListener("load", () => setTimeout(follow));
})();
