"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const chart = document.getElementById("chart");
  if (!data.count) return;
  const controls = document.getElementById("controls");
  const reading = document.getElementById("reading");
  const MARKERS_UP_TO = 120;

  // Columns: see src/site/encode.rs.
  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const VALUE = new Map([...DIGITS].map((digit, i) => [digit, i]));
  function column(text) {
    const numbers = [];
    let number = 0;
    let scale = 1;
    for (const digit of text) {
      if (digit === "~") {
        numbers.push(null);
        continue;
      }
      const bits = VALUE.get(digit);
      number += (bits & 31) * scale;
      if (bits & 32) {
        scale *= 32;
        continue;
      }
      const half = Math.floor(number / 2);
      numbers.push(number % 2 ? -half : half);
      number = 0;
      scale = 1;
    }
    return numbers;
  }
  function sums(text) {
    let sum = 0;
    return column(text).map((number) => (number === null ? null : (sum += number)));
  }
  const words = (text) => Array.from({ length: data.count }, (_, i) => text.slice(12 * i, 12 * i + 12).replace(/-+$/, ""));

  const minutes = sums(data.minutes);
  const host = column(data.host);
  const commits = words(data.commit);
  const runs = words(data.run);
  const launches = sums(data.launches);
  const samples = sums(data.samples);
  const notes = column(data.notes);
  const metrics = data.metrics.map((metric) => {
    const ln = sums(metric.point);
    const down = column(metric.low);
    const up = column(metric.high);
    const at = (value) => (value === null ? null : Math.exp(value * data.step));
    return {
      name: metric.name,
      point: ln.map(at),
      low: ln.map((value, i) => (value === null || down[i] === null ? null : at(value - down[i]))),
      high: ln.map((value, i) => (value === null || up[i] === null ? null : at(value + up[i]))),
    };
  });
  const has = metrics.map((metric) => metric.point.some((value) => value !== null));

  // Places on the axis: one a run, and one empty place where nights are missing.
  const missing = new Map(data.breaks);
  const placeOf = [];
  const slotAt = [];
  for (let slot = 0; slot < data.count; slot += 1) {
    placeOf.push(slotAt.length);
    slotAt.push(slot);
    if (missing.has(slot) && slot + 1 < data.count) slotAt.push(null);
  }

  const day = (slot) => new Date(minutes[slot] * 60000).toISOString().slice(0, 10);
  const UNITS = [["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 1]];
  function duration(ns) {
    const [unit, scale] = UNITS.find(([, size]) => ns >= size * 0.9995) || UNITS[3];
    const value = ns / scale;
    return `${value >= 1000 ? value.toFixed(0) : value.toPrecision(4)} ${unit}`;
  }
  function ticks(values) {
    const most = Math.max(...values.map(Math.abs));
    const [unit, scale] = UNITS.find(([, size]) => most >= size) || UNITS[3];
    const steps = values.slice(1).map((value, i) => Math.abs(value - values[i]) / scale);
    const least = Math.min(...steps.filter((step) => step > 0), 1);
    const decimals = Math.max(0, Math.min(6, Math.ceil(-Math.log10(least) - 1e-9)));
    return values.map((value) => `${(value / scale).toFixed(decimals)} ${unit}`);
  }
  const percent = (ratio) => {
    const share = (ratio - 1) * 100;
    return `${share < 0 ? "−" : "+"}${Math.abs(share).toFixed(1)} %`;
  };

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const shown = { metric: metrics.map((_, m) => has[m] && m !== 3), host: data.hosts.map(() => true) };
  const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];
  let plot = null;
  let zoomed = null;
  let current = null;
  let restoring = false;

  // One host at a time: other hosts' runs are `undefined`, which a line passes over; missing nights are `null`, which breaks it.
  function series() {
    const rows = [slotAt.map((_, place) => place)];
    const options = [{}];
    const bands = [];
    metrics.forEach((metric, m) => {
      if (!has[m]) return;
      data.hosts.forEach((_, h) => {
        const pick = (values) =>
          slotAt.map((slot) => (slot === null ? null : host[slot] === h ? values[slot] : undefined));
        const visible = shown.metric[m] && shown.host[h];
        const stroke = colour(metric.name);
        const start = rows.length;
        rows.push(pick(metric.high), pick(metric.low), pick(metric.point));
        const edge = { show: visible, stroke: "transparent", width: 0, points: { show: false }, scale: "y" };
        options.push(edge, { ...edge }, {
          show: visible,
          stroke,
          width: metric.name === "p50" ? 1.8 : 1.3,
          dash: DASHES[h % DASHES.length],
          scale: "y",
          points: { show: slotAt.length <= MARKERS_UP_TO, size: h ? 7 : 5, stroke, fill: h ? colour("bg") : stroke },
        });
        bands.push({ series: [start, start + 1], fill: `${stroke}26` });
      });
    });
    return { rows, options, bands };
  }

  // A rim of the ground keeps the text readable on lines.
  function label(context, text, x, y, fill, strong) {
    context.font = `${strong ? "600 " : ""}${11 * devicePixelRatio}px system-ui, sans-serif`;
    context.textAlign = "left";
    context.textBaseline = "top";
    context.setLineDash([]);
    context.lineJoin = "round";
    context.lineWidth = 3 * devicePixelRatio;
    context.strokeStyle = colour("bg");
    context.strokeText(text, x, y);
    context.fillStyle = fill;
    context.fillText(text, x, y);
  }

  function vertical(u, place, stroke, dash, text, row) {
    const { ctx, bbox } = u;
    const x = Math.round(u.valToPos(place, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) return;
    ctx.strokeStyle = stroke;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash(dash.map((part) => part * devicePixelRatio));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    const width = ctx.measureText(text).width;
    const side = x + width + 6 * devicePixelRatio > bbox.left + bbox.width ? -width - 3 * devicePixelRatio : 3 * devicePixelRatio;
    label(ctx, text, x + side, bbox.top + (2 + row * 14) * devicePixelRatio, stroke);
  }

  function inside(u, paint) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    paint(ctx, bbox);
    ctx.restore();
  }

  // Behind the lines: missing nights, commits to blame, levels of p50.
  function ground(u) {
    inside(u, (ctx, bbox) => {
      const x = (place) => u.valToPos(place, "x", true);
      const stripe = (from, to, fill) => {
        ctx.fillStyle = fill;
        ctx.fillRect(x(from), bbox.top, Math.max(devicePixelRatio, x(to) - x(from)), bbox.height);
      };
      slotAt.forEach((slot, place) => {
        if (slot === null) stripe(place - 0.5, place + 0.5, colour("grey-bg"));
      });
      for (const change of data.changes) {
        if (!shown.host[change.host]) continue;
        stripe(placeOf[change.from], placeOf[change.slot], colour(change.ratio > 1 ? "red-bg" : "green-bg"));
      }
      if (!shown.metric[0]) return;
      ctx.lineWidth = 6 * devicePixelRatio;
      ctx.strokeStyle = `${colour("p50")}40`;
      for (const level of data.levels) {
        if (!shown.host[level.host]) continue;
        ctx.beginPath();
        ctx.moveTo(x(placeOf[level.from] - 0.3), u.valToPos(level.ns, "y", true));
        ctx.lineTo(x(placeOf[level.to] + 0.3), u.valToPos(level.end_ns, "y", true));
        ctx.stroke();
      }
    });
  }

  // The size of a level below it, where there is room.
  function levelLabels(u, ctx) {
    ctx.font = `600 ${11 * devicePixelRatio}px system-ui, sans-serif`;
    for (const level of data.levels) {
      if (!shown.metric[0] || !shown.host[level.host]) continue;
      const ends = [placeOf[level.from], placeOf[level.to]].map((place) => u.valToPos(place, "x", true));
      const left = Math.max(ends[0], u.bbox.left + 4 * devicePixelRatio);
      const right = Math.min(ends[1], u.bbox.left + u.bbox.width - 4 * devicePixelRatio);
      const text = duration(level.ns);
      if (right - left < ctx.measureText(text).width) continue;
      label(ctx, text, left, u.valToPos(level.ns, "y", true) + 9 * devicePixelRatio, colour("p50"), true);
    }
  }

  function marks(u) {
    inside(u, (ctx, bbox) => foreground(u, ctx, bbox));
  }

  function foreground(u, ctx, bbox) {
    levelLabels(u, ctx);
    let row = 0;
    for (const [name, slot] of data.releases) vertical(u, placeOf[slot] - 0.5, colour("quiet"), [2, 3], name, (row = 1 - row));
    data.changes.forEach((change, i) => {
      if (!shown.host[change.host]) return;
      const tone = change.ratio > 1 ? "red" : "green";
      const middle = (placeOf[change.from] + placeOf[change.slot]) / 2;
      vertical(u, middle, colour(tone), [5, 3], percent(change.ratio), 2 + (i % 2));
    });
    for (const [name, limit] of data.targets) {
      const m = metrics.findIndex((metric) => metric.name === name);
      if (m < 0 || !shown.metric[m]) continue;
      const y = Math.round(u.valToPos(limit, "y", true));
      ctx.strokeStyle = colour("red");
      ctx.setLineDash([]);
      ctx.lineWidth = devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      label(ctx, `target ${name} ${duration(limit)}`, bbox.left + 4 * devicePixelRatio, y - 14 * devicePixelRatio, colour("red"));
    }
  }

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function link(address, text) {
    const made = element("a", "", text);
    made.href = address;
    return made;
  }

  function read(slot) {
    current = slot;
    const head = element("div", "head");
    head.append(link(`../run/${runs[slot]}.html`, day(slot)), " ");
    const commit = commits[slot];
    if (commit) {
      const code = element("code", "", commit.slice(0, 7));
      if (data.repository) {
        const anchor = link(`${data.repository}/commit/${commit}`, "");
        anchor.append(code);
        head.append(anchor);
      } else {
        head.append(code);
      }
    }
    const items = metrics.filter((_, m) => has[m]).map((metric) => {
      const item = element("div", "item");
      const swatch = element("span", `swatch swatch-${metric.name}`);
      const point = metric.point[slot];
      let text = ` ${metric.name} ${point === null ? "–" : duration(point)}`;
      if (metric.low[slot] !== null) text += ` (${duration(metric.low[slot])} to ${duration(metric.high[slot])})`;
      item.append(swatch, text);
      return item;
    });
    const parts = [`${launches[slot]} launches, ${samples[slot]} samples`];
    if (data.hosts.length > 1) parts.push(`host ${data.hosts[host[slot]]}`);
    for (const change of data.changes) {
      if (change.slot === slot) parts.push(`change point ${percent(change.ratio)} (${percent(change.low)} to ${percent(change.high)})`);
    }
    for (const [name, at] of data.releases) if (at === slot) parts.push(`first run of ${name}`);
    if (notes[slot]) parts.push(`${notes[slot]} warnings`);
    if (missing.has(slot)) parts.push(`${missing.get(slot)} nights missing after it`);
    reading.replaceChildren(head, ...items, element("div", "more", parts.join(" · ")));
  }

  function draw() {
    const { rows, options, bands } = series();
    const axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    if (plot) plot.destroy();
    const last = slotAt.length - 1;
    plot = new uPlot(
      {
        width: chart.clientWidth,
        height: chart.clientHeight,
        legend: { show: false },
        cursor: { y: false, points: { size: 7 }, drag: { x: true, y: false } },
        scales: {
          x: { time: false, range: (u, min, max) => (min === null ? [-0.5, last + 0.5] : [min, Math.max(max, min + 1)]) },
          y: { range: (u, min, max) => (min === null ? [0, 1] : uPlot.rangeNum(min, max, 0.12, true)) },
        },
        axes: [
          {
            ...axis,
            space: 90,
            values: (u, places) =>
              places.map((place) => {
                const slot = Number.isInteger(place) ? slotAt[place] : null;
                return slot === null || slot === undefined ? "" : day(slot);
              }),
          },
          { ...axis, size: 74, values: (u, values) => ticks(values) },
        ],
        series: options,
        bands,
        hooks: {
          drawAxes: [ground],
          draw: [marks],
          setCursor: [
            (u) => {
              const place = u.cursor.idx;
              if (restoring || place === null || place === undefined) return;
              const slot = slotAt[place];
              if (slot !== null && slot !== undefined && slot !== current) read(slot);
            },
          ],
          setScale: [
            (u, key) => {
              if (key === "x") zoomed = [u.scales.x.min, u.scales.x.max];
            },
          ],
        },
      },
      rows,
      chart,
    );
    if (zoomed) plot.setScale("x", { min: zoomed[0], max: zoomed[1] });
    plot.over.addEventListener("dblclick", () => zoom(data.count));
  }

  function zoom(count) {
    const last = slotAt.length - 1;
    const first = count >= data.count ? 0 : placeOf[data.count - count];
    plot.setScale("x", { min: first - 0.5, max: last + 0.5 });
  }

  function point(slot) {
    read(slot);
    const place = placeOf[slot];
    const { min, max } = plot.scales.x;
    if (place < min || place > max) {
      const half = (max - min) / 2;
      plot.setScale("x", { min: place - half, max: place + half });
    }
    requestAnimationFrame(() => {
      restoring = true;
      plot.setCursor({ left: plot.valToPos(place, "x"), top: 10 });
      restoring = false;
    });
  }

  function scale(by) {
    const { min, max } = plot.scales.x;
    const centre = current === null ? max : placeOf[current];
    const half = Math.max(2, ((max - min) * by) / 2);
    const last = slotAt.length - 1;
    plot.setScale("x", { min: Math.max(-0.5, centre - half), max: Math.min(last + 0.5, centre + half) });
  }

  chart.addEventListener("keydown", (event) => {
    const last = data.count - 1;
    const here = current === null ? last : current;
    const jump = event.shiftKey ? 10 : 1;
    const keys = {
      ArrowLeft: () => point(Math.max(0, here - jump)),
      ArrowRight: () => point(Math.min(last, here + jump)),
      Home: () => point(0),
      End: () => point(last),
      Enter: () => (location.href = `../run/${runs[here]}.html`),
      Escape: () => zoom(data.count),
      "+": () => scale(0.5),
      "-": () => scale(2),
    };
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });

  function toggle(text, pressed, sign, change) {
    const button = element("button");
    button.type = "button";
    button.setAttribute("aria-pressed", String(pressed));
    button.append(element("span", sign));
    button.append(text);
    button.addEventListener("click", () => {
      const now = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(now));
      change(now);
      draw();
    });
    return button;
  }

  function group(legend, buttons) {
    const made = element("fieldset");
    made.append(element("legend", "", legend), ...buttons);
    return made;
  }

  const figures = metrics.flatMap((metric, m) =>
    has[m] ? [toggle(metric.name, shown.metric[m], `swatch swatch-${metric.name}`, (on) => (shown.metric[m] = on))] : [],
  );
  const ranges = [[30, "30 runs"], [120, "120 runs"], [data.count, "all"]]
    .filter(([count, text]) => text === "all" || count < data.count)
    .map(([count, text]) => {
      const button = element("button", "", text);
      button.type = "button";
      button.addEventListener("click", () => zoom(count));
      return button;
    });
  controls.append(group("Figures", figures), group("Range", ranges));
  if (data.hosts.length > 1) {
    const hosts = data.hosts.map((name, h) => toggle(name, true, `host host-${Math.min(h, 3)}`, (on) => (shown.host[h] = on)));
    controls.append(group("Hosts", hosts));
  }
  for (const part of [controls, chart, reading, document.getElementById("keys"), document.getElementById("legend")]) part.hidden = false;
  draw();
  read(data.count - 1);
  dark.addEventListener("change", draw);
  new ResizeObserver(() => plot.setSize({ width: chart.clientWidth, height: chart.clientHeight })).observe(chart);
})();
