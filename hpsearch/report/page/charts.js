// What each chart shows: functions from the study's columns and the colours of the moment to Plotly's data and layouts.
"use strict";

const columns = JSON.parse(document.getElementById("columns").textContent);
const upward = columns.goal === "max";
const [COMPLETED, PRUNED, FAILED] = [0, 1, 2]; // what comes after them is not over yet
const trials = columns.number.map((_, place) => place);
const scored = trials.filter((place) => columns.score[place] !== null && columns.status[place] !== FAILED);
const isBest = (place) => columns.number[place] === columns.best;
const bestLast = (places) => [...places].sort((a, b) => isBest(a) - isBest(b)); // so that nothing is drawn over it
const fromWorst = [...scored].sort((a, b) => (upward ? 1 : -1) * (columns.score[a] - columns.score[b]));

const escaped = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
const shown = (number) => (number === null || number === undefined ? "–" : String(Number(number.toPrecision(4))));
const short = (text, most = 14) => (text.length > most ? text.slice(0, most >> 1) + "…" + text.slice((most >> 1) + 1 - most) : text); // both ends
const wobble = (place) => (((place * 2654435761) >>> 0) / 4294967296 - 0.5) * 0.5; // the same at every look

function span(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

// The part of the scores worth looking at: far-off ones stand at the edge, so that they do not flatten the others.
const view = (() => {
  const ordered = fromWorst.map((place) => columns.score[place]);
  if (!ordered.length) return { min: 0, max: 1, cut: 0, of: (score) => score };
  const best = ordered[ordered.length - 1];
  const bad = ordered.length < 12 ? ordered[0] : ordered[Math.floor(ordered.length / 10)];
  const room = Math.abs(best - bad) * 0.06 || Math.abs(best) * 0.02 || 0.5;
  const worst = upward ? bad - room : bad + room;
  const [min, max] = upward ? [worst, best + room] : [best - room, worst];
  const beyond = (score) => (upward ? score < worst : score > worst);
  return { min, max, cut: ordered.filter(beyond).length, beyond, of: (score) => (beyond(score) ? worst : score) };
})();

function value(parameter, place) {
  const given = parameter.values[place];
  if (given === null) return "–";
  return parameter.categories ? parameter.categories[given] : shown(given);
}

function about(place) {
  const head = `<b>trial ${columns.number[place]}</b> ${columns.statuses[columns.status[place]]}`;
  const held = columns.parameters.filter((parameter) => parameter.values[place] !== null);
  const lines = held.slice(0, 14).map((one) => `${escaped(short(one.name, 28))} = ${escaped(short(value(one, place), 28))}`);
  const rest = held.length > 14 ? [`… and ${held.length - 14} more`] : [];
  return [head, `${escaped(columns.metric)} = <b>${shown(columns.score[place])}</b>`, ...lines, ...rest].join("<br>");
}

const hovers = matchMedia("(hover: hover)").matches; // with a mouse a drag zooms; a finger scrolls the page

function base(colours, margin, xaxis, yaxis, more) {
  return {
    paper_bgcolor: colours.back, plot_bgcolor: "transparent", showlegend: false, hovermode: "closest", dragmode: hovers ? "zoom" : false,
    font: { color: colours.soft, family: colours.font, size: 12 },
    hoverlabel: { bgcolor: colours.back, bordercolor: colours.line, align: "left", font: { color: colours.ink, size: 13, family: colours.font } },
    modebar: { bgcolor: "transparent", color: colours.soft, activecolor: colours.ink },
    margin: { l: margin[0], r: margin[1], t: margin[2], b: margin[3] },
    xaxis, yaxis, ...more,
  };
}

function axis(colours, title, more) {
  return {
    title: { text: escaped(title || ""), standoff: 8 }, linecolor: colours.line, gridcolor: colours.line, zeroline: false, ticks: "",
    automargin: true, exponentformat: "power", fixedrange: !hovers, ...more,
  };
}

// Whole numbers only: a tick between two epochs would be rounded to one of them.
const counted = (from, to) => ({ tickformat: "d", ...(to - from < 9 ? { dtick: 1 } : { nticks: 9 }) });

const scoreAxis = (colours, title) => axis(colours, title, { range: [view.min, view.max] });

// An axis ends a little beyond its outermost trials, in logarithms where it is searched so.
const OUTERMOST = 0.06 / 1.12; // where on it the outermost stand
function ends(parameter) {
  const held = parameter.values.filter((one) => one !== null).map((one) => (parameter.log ? Math.log10(one) : one));
  const [least, most] = [held.reduce((a, b) => Math.min(a, b), Infinity), held.reduce((a, b) => Math.max(a, b), -Infinity)];
  const room = (most - least) * 0.06 || Math.abs(most) * 0.1 || 1;
  return [least - room, most + room];
}

function steps(parameter) {
  const [low, high] = ends(parameter);
  if (parameter.log && high - low < 1) { // within a decade the steps are even: 1, 2 and 5 alone may all lie outside
    return parameter.whole ? { dtick: `L${Math.ceil((10 ** high - 10 ** low) / 9)}`, tickformat: "d" } : { nticks: 6, tickformat: "~g" };
  }
  if (parameter.log) return { dtick: high - low > 2.2 ? 1 : "D2", tickformat: "~g" };
  return parameter.whole ? counted(low, high) : { nticks: 6 };
}

function along(colours, parameter) {
  const title = short(parameter.name, 30);
  if (!parameter.categories) {
    return axis(colours, title, { type: parameter.log ? "log" : "linear", range: ends(parameter), ...steps(parameter) });
  }
  const names = parameter.categories;
  return axis(colours, title, {
    range: [-0.5, names.length - 0.5], showgrid: false, tickvals: names.map((_, at) => at),
    ticktext: names.map((name) => escaped(short(name, names.length > 4 ? 7 : 12))), ...(names.length > 6 ? { tickangle: -30 } : {}),
  });
}

const position = (parameter, place) => parameter.values[place] + (parameter.categories ? wobble(place) : 0);
const tint = (colours, place) =>
  isBest(place) ? colours.red : columns.status[place] === PRUNED ? colours.amber : colours.blue;
const size = () => (scored.length > 1500 ? 4 : scored.length > 200 ? 6 : 8);
const HOVER = "%{customdata}<extra></extra>";

function sign(place) {
  if (view.beyond(columns.score[place])) return upward ? "triangle-down" : "triangle-up";
  return columns.status[place] === PRUNED ? "circle-open" : "circle";
}

// Points of trials; `marker` says what is the same for all.
function points(colours, places, x, y, marker) {
  return {
    type: "scatter", mode: "markers", x: places.map(x), y: places.map(y), customdata: places.map(about), hovertemplate: HOVER, cliponaxis: false,
    marker: { size: size(), symbol: places.map(sign), color: places.map((place) => tint(colours, place)), line: { width: places.map((place) => (sign(place).endsWith("open") ? 1.2 : 0)) }, ...marker },
  };
}

const coloured = (colours, marker) => ({
  cmin: view.min, cmax: view.max, colorscale: scale(upward ? colours.ramp : [...colours.ramp].reverse()), ...marker,
});
const scale = (ramp) => ramp.map((colour, at) => [at / (ramp.length - 1), colour]);

function history(colours) {
  let leader = null;
  const lead = [];
  for (const place of trials) {
    const score = columns.score[place];
    if (columns.status[place] === COMPLETED && score !== null && (leader === null || (upward ? score > leader : score < leader))) leader = score;
    if (leader !== null) lead.push([columns.number[place], view.of(leader)]);
  }
  const failed = trials.filter((place) => columns.status[place] === FAILED);
  const last = Math.max(1, columns.number.at(-1));
  return {
    data: [
      { type: "scatter", mode: "lines", x: lead.map(([x]) => x), y: lead.map(([, y]) => y), line: { shape: "hv", color: colours.ink, width: 1.5 }, hoverinfo: "skip" },
      points(colours, bestLast(scored), (place) => columns.number[place], (place) => view.of(columns.score[place])),
      points(colours, failed, (place) => columns.number[place], () => (upward ? view.min : view.max), { symbol: "x-thin-open", size: 8, color: colours.red, line: { width: 1.5, color: colours.red } }),
    ],
    layout: base(colours, [48, 12, 10, 40], axis(colours, "trial", { range: [-0.02 * last - 0.4, 1.02 * last + 0.4], showgrid: false, ...counted(0, last) }), scoreAxis(colours, short(columns.metric, 24))),
  };
}

// Lines in few enough traces to be drawn quickly, and enough of them that many lines look denser than one.
const BUNDLES = 48;
const LETTER = 7; // pixels of an axis's name, on average
function bundles(list) {
  const most = Math.ceil(list.length / BUNDLES);
  return Array.from({ length: Math.ceil(list.length / most) || 0 }, (_, at) => list.slice(at * most, (at + 1) * most));
}

const picks = new Map(); // what was picked along the axes of the parallel coordinates: from and to, as shares, by name

// The axes side by side, each from 0 to 1: where a trial lies on each, and which trials lie in all that was picked.
function parallelAxes(wide) {
  const kept = columns.parameters.slice(0, wide ? 9 : 6);
  const dims = [...kept, { name: columns.metric, score: true, values: columns.score.map((score) => (score === null ? null : view.of(score))) }];
  const bounds = dims.map((one) => (one.score ? [view.min, view.max] : one.categories ? [-0.5, one.categories.length - 0.5] : ends(one)));
  const at = (dim, place) => {
    const given = dims[dim].values[place], [low, high] = bounds[dim];
    return given === null ? null : ((dims[dim].log ? Math.log10(given) : position(dims[dim], place)) - low) / (high - low);
  };
  const picked = dims.map((one, dim) => [dim, picks.get(one.name)]).filter(([, range]) => range);
  const within = (spot, [from, to]) => spot !== null && spot >= from && spot <= to;
  const holds = (place) => picked.every(([dim, range]) => within(at(dim, place), range));
  return { dims, bounds, at, picked, chosen: () => fromWorst.filter(holds), holds };
}

// Three marks of an axis, text and spot: whole numbers where they are, others in digits that tell them from spots close by.
function marked({ log, whole }, low, high) {
  const spots = [OUTERMOST, 0.5, 1 - OUTERMOST].map((share) => low + share * (high - low)), digits = 2 - Math.floor(Math.log10(high - low));
  const number = (spot) => (log ? 10 ** spot : spot);
  if (whole) {
    const numbers = [...new Set(spots.map((spot) => Math.round(number(spot))))];
    return numbers.map((one) => [String(one), log ? Math.log10(one) : one]).filter(([, spot]) => spot >= low);
  }
  const text = (spot) => (log ? number(spot).toPrecision(Math.max(2, digits)) : spot.toFixed(Math.max(0, digits)));
  return spots.map((spot) => [String(Number(text(spot))), spot]);
}

const HEARD = 24000; // points of all lines together, among which Plotly looks for the one that is pointed at

// A trial's line from axis to axis, with points in between: Plotly hears a line only at its points.
function path(spots, pieces) {
  return spots.flatMap((spot, dim) => {
    const next = spots[dim + 1] ?? null, many = spot === null || next === null ? 1 : pieces;
    return Array.from({ length: many }, (_, piece) => [dim + piece / many, piece ? spot + ((next - spot) * piece) / many : spot]);
  });
}

// One line a trial over all axes; trials of like scores are one trace.
function parallel(colours, wide, width) {
  const { dims, bounds, at, picked, holds } = parallelAxes(wide);
  const shade = (place) => {
    const share = (view.of(columns.score[place]) - view.min) / (view.max - view.min || 1);
    return colours.ramp[Math.min(colours.ramp.length - 1, Math.floor((upward ? share : 1 - share) * colours.ramp.length))];
  };
  const faint = fromWorst.length > 1000 ? 0.3 : fromWorst.length > 150 ? 0.5 : 0.85;
  const pieces = Math.min(12, Math.ceil(HEARD / (fromWorst.length * dims.length)));
  const parts = [fromWorst.filter((place) => !holds(place)), fromWorst.filter((place) => holds(place) && !isBest(place))];
  const drawn = [...bundles(parts[0]), ...bundles(parts[1]), fromWorst.filter((place) => isBest(place) && holds(place))].filter((places) => places.length);
  const data = drawn.map((places) => {
    const order = [], across = [], told = [], out = !holds(places[0]), best = !out && isBest(places[0]);
    for (const place of places) {
      const tip = about(place);
      for (const [dim, spot] of path(dims.map((_, dim) => at(dim, place)), pieces)) { order.push(dim); across.push(spot); told.push(tip); }
      order.push(null); across.push(null); told.push("");
    }
    const [x, y] = wide ? [order, across] : [across, order];
    return { type: "scatter", mode: "lines", x, y, customdata: told, hovertemplate: HOVER, opacity: best || (picked.length && !out) ? 1 : faint, line: { color: best ? colours.red : out ? colours.line : shade(places[places.length >> 1]), width: best ? 2.5 : 1.3 }, ...(out ? { hoverinfo: "skip", hovertemplate: null } : {}) };
  });
  const most = Math.floor((width - 70) / dims.length / LETTER), crowded = wide && dims.some((one) => one.name.length > most);
  const title = (one) => escaped(short(one.name, wide ? (crowded ? 2 * most : 14) : 26));
  const titles = dims.map((one, dim) => (crowded && dim % 2 ? "<br>" : "") + title(one)), ticks = [];
  const place = (dim, where) => (wide ? { x: dim, y: where } : { x: where, y: dim });
  dims.forEach((one, dim) => {
    const [low, high] = bounds[dim];
    const marks = one.categories
      ? one.categories.map((name, spot) => [short(name, wide ? 10 : 6), spot])
      : one.whole && !one.log && high - low < 9
        ? Array.from({ length: Math.floor(high) - Math.ceil(low) + 1 }, (_, more) => [String(Math.ceil(low) + more), Math.ceil(low) + more])
        : marked(one, low, high);
    for (const [text, spot] of marks) {
      ticks.push({ ...place(dim, (spot - low) / (high - low)), text: escaped(text), showarrow: false, font: { size: 10, color: colours.ink }, bgcolor: colours.back, opacity: 0.85, xanchor: wide ? "left" : "center", yanchor: wide ? "middle" : "top", xshift: wide ? 3 : 0 });
    }
    if (!wide) ticks.push({ x: 0, y: dim, text: titles[dim], showarrow: false, xanchor: "left", yanchor: "bottom", font: { color: colours.ink } });
  });
  const bare = { showgrid: true, gridcolor: colours.soft, zeroline: false, showticklabels: false, fixedrange: true };
  const over = { ...bare, showgrid: false, range: [-0.02, 1.02] };
  const named = { ...bare, tickvals: dims.map((_, dim) => dim), ticktext: titles, showticklabels: wide, range: wide ? [-0.1, dims.length - 0.5] : [dims.length - 0.6, -0.5], tickangle: 0, automargin: true, tickfont: { color: colours.ink } };
  return { data, layout: base(colours, wide ? [50, 20, 10, crowded ? 48 : 34] : [12, 12, 8, 8], wide ? named : over, wide ? over : named, { annotations: ticks, dragmode: false }) };
}

// Many small charts of every trial would take a browser seconds: these have the best of many, and a part of the rest.
const [FOREMOST, OTHERS] = [300, 900];
const oneIn = Math.max(1, Math.ceil((fromWorst.length - FOREMOST) / OTHERS));
const sampled = fromWorst.filter((place, rank) => rank >= fromWorst.length - FOREMOST || rank % oneIn === 0 || isBest(place));

function slice(colours, wide, parameter) {
  const held = bestLast(sampled.filter((place) => parameter.values[place] !== null));
  return {
    data: [points(colours, held, (place) => position(parameter, place), (place) => view.of(columns.score[place]), { size: size() * 0.85 })],
    layout: base(colours, [44, 8, 8, 40], along(colours, parameter), scoreAxis(colours, "")),
  };
}

function pair(colours) {
  const [first, second] = columns.pair.map((place) => columns.parameters[place]);
  const held = fromWorst.filter((place) => first.values[place] !== null && second.values[place] !== null);
  const marker = coloured(colours, {
    size: size() * 1.6, symbol: "circle", color: held.map((place) => view.of(columns.score[place])), line: { color: colours.back, width: scored.length > 1500 ? 0 : 1 },
    colorbar: { orientation: "h", y: -0.22, yanchor: "top", thickness: 10, len: 0.5, outlinewidth: 0, nticks: 4 },
  });
  return {
    data: [points(colours, held, (place) => position(first, place), (place) => position(second, place), marker)],
    layout: base(colours, [56, 12, 10, 84], along(colours, first), along(colours, second)),
  };
}

function curves(colours, wide, which) {
  const { name, falling, lines } = columns.curves[which];
  const drawn = new Set(fromWorst), values = [], stopped = [];
  const groups = { completed: [], failed: [], pruned: [], open: [], best: [] };
  let epochs = 2;
  for (const place of [...trials.filter((one) => !drawn.has(one)), ...fromWorst]) {
    const line = lines[place] || [];
    const held = line.map((score, epoch) => [epoch + 1, score]).filter(([, score]) => score !== null);
    if (held.length < 2) continue;
    const status = columns.status[place];
    groups[isBest(place) ? "best" : status === PRUNED ? "pruned" : status === FAILED ? "failed" : status === COMPLETED ? "completed" : "open"].push([place, held]);
    if (status === PRUNED) stopped.push([place, held.at(-1)]);
    for (const [, score] of held) values.push(score);
    epochs = Math.max(epochs, held.at(-1)[0]);
  }
  values.sort((a, b) => a - b);
  const at = (share) => values[Math.floor(share * (values.length - 1))];
  let [min, max] = falling ? [at(0), at(0.95)] : [at(0.05), at(1)];
  const room = (max - min) * 0.05 || Math.abs(max) * 0.02 || 0.5;
  [min, max] = [min - room, max + room];
  const cut = values.filter((one) => one < min || one > max).length;
  const said = cut ? `${cut} of the ${values.length} values ${cut === 1 ? "lies" : "lie"} ${falling ? "above" : "below"} the chart, so that the rest is not flattened.` : "";
  const faint = scored.length > 1000 ? 0.15 : scored.length > 100 ? 0.35 : 0.6;
  const tints = Object.entries({ completed: colours.blue, failed: colours.soft, pruned: colours.amber, open: colours.green, best: colours.red });
  const data = tints.flatMap(([kind, colour]) => bundles(groups[kind]).map((bundle) => {
    const x = [], y = [], told = [];
    for (const [place, held] of bundle) {
      const tip = about(place);
      for (const [epoch, score] of held) { x.push(epoch); y.push(score); told.push(tip); }
      x.push(null); y.push(null); told.push("");
    }
    return { type: "scatter", mode: "lines", x, y, customdata: told, hovertemplate: HOVER, opacity: kind === "best" ? 1 : faint, line: { color: colour, width: kind === "best" ? 2.5 : 1.2 } };
  }));
  data.push(points(colours, stopped.map(([place]) => place), (_, one) => stopped[one][1][0], (_, one) => stopped[one][1][1], { symbol: "x-thin-open", size: 6, color: colours.amber, line: { width: 1.2, color: colours.amber } }));
  return { data, said, layout: base(colours, [48, 12, 10, 40], axis(colours, "epoch", { range: [0.9, epochs + 0.1], showgrid: false, ...counted(1, epochs) }), axis(colours, short(name, 24), { range: [min, max] })) };
}

// The places of the labels on an axis of so many pixels: all, or every second, third …, so that each has what it needs.
function labelled(many, length, needed) {
  const step = Math.max(1, Math.ceil((many * needed) / length));
  return Array.from({ length: many }, (_, at) => at).filter((at) => at % step === 0);
}

const LANES = 16; // workers, up to which a chart grows with them
const timelineHeight = () => 76 + 34 * Math.min(LANES, columns.timeline.lanes);
const ROUND_SPANS = [1, 2, 5, 10, 20, 60, 120, 300, 600, 1200, 3600, 7200, 14400, 28800, 43200, 86400]; // seconds

function timeline(colours) {
  const { lanes, rows, outcomes, sessions } = columns.timeline;
  const colour = ([, , , , kind, outcome]) => ({ failed: colours.red, interrupted: colours.amber, lost: colours.amber })[outcomes[outcome]] || (kind ? colours.green : colours.blue);
  const end = rows.reduce((last, row) => Math.max(last, row[2]), 1);
  const tip = (row) => `<b>trial ${row[3]}</b> ${row[4] ? "finals" : "search"}, ${outcomes[row[5]]}<br>from ${span(row[1])} to ${span(row[2])}`;
  const step = ROUND_SPANS.find((one) => end / one <= 6) || Math.ceil(end / 6 / 86400) * 86400;
  const marks = Array.from({ length: Math.floor(end / step) + 1 }, (_, at) => at * step);
  const named = labelled(lanes, 34 * LANES, 17);
  return {
    data: [{
      type: "bar", orientation: "h", base: rows.map((row) => row[1]), x: rows.map((row) => Math.max(end / 2000, row[2] - row[1])), y: rows.map((row) => row[0]), width: 0.7,
      marker: { color: rows.map(colour), line: { color: colours.back, width: rows.length > 600 ? 0 : 1 } }, customdata: rows.map(tip), hovertemplate: HOVER,
    }],
    layout: base(
      colours, [66, 12, 6, 34],
      axis(colours, "", { range: [0, end], showgrid: false, tickvals: marks, ticktext: marks.map(span) }),
      axis(colours, "", { range: [lanes - 0.4, -0.6], showgrid: false, tickvals: named, ticktext: named.map((lane) => `worker ${lane + 1}`), fixedrange: true }),
      { shapes: sessions.map((at) => ({ type: "line", x0: at, x1: at, yref: "paper", y0: 0, y1: 1, line: { color: colours.ink, dash: "dash", width: 1 } })) },
    ),
  };
}

function confusion(colours, wide, width) {
  const { names, cells, totals } = columns.confusion;
  const numbered = names.length <= 15, labels = names.map((name) => escaped(short(name, 10)));
  const letters = names.reduce((most, name) => Math.max(most, Math.min(10, name.length)), 1);
  const named = labelled(names.length, width - 50 - LETTER * letters, names.length > 30 ? 12 : 14);
  const tip = ([column, row, count]) => `<b>${escaped(names[row])}</b> read as <b>${escaped(names[column])}</b><br>${count} of ${totals[row]} (${((100 * count) / totals[row]).toFixed(1)} %)`;
  const layer = (right, ramp, most) => {
    const empty = () => names.map(() => names.map(() => null));
    const z = empty(), told = empty(), text = names.map(() => names.map(() => ""));
    for (const cell of cells.filter(([column, row]) => (column === row) === right)) {
      z[cell[1]][cell[0]] = Math.sqrt(cell[2] / totals[cell[1]]);
      told[cell[1]][cell[0]] = tip(cell);
      text[cell[1]][cell[0]] = cell[2];
    }
    const top = most || z.flat().reduce((most, one) => Math.max(most, one), 0.05);
    return {
      type: "heatmap", z, customdata: told, hovertemplate: HOVER, hoverongaps: false, showscale: false, zmin: 0, zmax: top, colorscale: scale(ramp), xgap: 0.5, ygap: 0.5,
      ...(numbered ? { text, texttemplate: "%{text}", textfont: { size: 12 } } : {}),
    };
  };
  const classes = { tickvals: named, ticktext: named.map((at) => labels[at]), fixedrange: true, showgrid: false, tickfont: { size: names.length > 30 ? 10 : 12 } };
  const long = labels.some((label) => label.length > 2);
  return {
    data: [layer(true, numbered ? colours.pale : colours.ramp, 1), layer(false, colours.reds)],
    layout: base(
      colours, [40, 6, 40, 6],
      axis(colours, "read as", { ...classes, side: "top", range: [-0.5, names.length - 0.5], tickangle: long ? -90 : 0 }),
      axis(colours, "true class", { ...classes, range: [names.length - 0.5, -0.5] }), { dragmode: false },
    ),
  };
}

const charts = { history, parallel, slice, pair, curves, timeline, confusion };
