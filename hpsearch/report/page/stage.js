// Brings the charts onto the page: each when it comes into sight, again when colours or widths change, all before print.
"use strict";

const PRINT_WIDTH = 680;
const BUTTONS = { parallel: ["toImage"], confusion: ["toImage"], slice: [] }; // axes that stand still need no others; slices are many
const places = [];
let printing = false;

function colours() {
  const style = getComputedStyle(document.documentElement);
  const named = (name) => style.getPropertyValue(`--${name}`).trim();
  const listed = (name) => named(name).split(/\s+/);
  return {
    ...Object.fromEntries(["ink", "soft", "line", "back", "blue", "green", "amber", "red"].map((name) => [name, named(name)])),
    ramp: listed("ramp"), reds: listed("reds"), pale: listed("pale"), font: getComputedStyle(document.body).fontFamily,
  };
}

function config(kind) {
  const buttons = BUTTONS[kind] || ["zoom2d", "pan2d", "resetScale2d", "toImage"];
  return { displaylogo: false, displayModeBar: hovers && buttons.length ? "hover" : false, modeBarButtons: [buttons] };
}

function draw(place, moved = true) {
  const width = printing ? Math.min(PRINT_WIDTH, place.print || PRINT_WIDTH) : place.element.clientWidth;
  if (!width) return;
  place.wide = width >= 560;
  if (place.grow) place.element.style.height = `${place.grow(place.wide, width)}px`;
  const { data, layout, said } = charts[place.kind](colours(), place.wide, place.what(width));
  Plotly.react(place.element, data, { ...layout, width, height: place.element.clientHeight }, config(place.kind));
  if (place.note) place.note.textContent = said;
  place.chart = true;
  place.width = width;
  if (place.lay && moved) place.lay();
}

const redraw = () => places.filter((place) => place.chart).forEach((place) => draw(place));

const inSight = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    const place = places.find(({ element }) => element === target);
    if (isIntersecting && !place.chart) draw(place);
  }
}, { rootMargin: "600px" });

const widths = new ResizeObserver((entries) => {
  if (printing) return;
  for (const { target } of entries) {
    const place = places.find(({ element }) => element === target);
    if (place.chart && target.clientWidth && target.clientWidth !== place.width) draw(place);
  }
});

function add(element, kind, more) {
  const place = { element, kind, what: () => undefined, ...more };
  places.push(place);
  inSight.observe(element);
  widths.observe(element);
  return place;
}

const beyond = document.getElementById("beyond");
if (beyond && view.cut) {
  beyond.textContent = `${view.cut} far-off ${view.cut === 1 ? "score stands as a triangle" : "scores stand as triangles"} at the edge of the charts, so that the rest is not flattened.`;
}

for (const element of document.querySelectorAll("[data-chart]")) {
  const kind = element.dataset.chart;
  if (kind === "slices") {
    const thinned = document.getElementById("thinned");
    if (thinned && oneIn > 1) thinned.textContent = `Drawn are the ${FOREMOST} best trials and one in ${oneIn} of the others.`;
    for (const parameter of columns.parameters.slice(0, 16)) {
      const child = element.appendChild(document.createElement("div"));
      add(child, "slice", { what: () => parameter, print: 330 });
    }
  } else if (kind === "parallel") {
    const rows = (wide) => Math.min(columns.parameters.length, wide ? 9 : 6) + 1;
    const place = add(element, kind, { grow: (wide) => (wide ? 400 : 64 * rows(wide) + 30), what: (width) => width });
    place.lay = brushes(place, () => draw(place, false));
  } else if (kind === "timeline") {
    add(element, kind, { grow: timelineHeight });
  } else if (kind === "confusion") {
    add(element, kind, { grow: (_, width) => width, what: (width) => width });
  } else if (kind === "curves") {
    let which = 0;
    const place = add(element, kind, { what: () => which, note: document.getElementById("cut") });
    const choice = document.getElementById("metric");
    choice.hidden = columns.curves.length < 2;
    columns.curves.forEach(({ name }, at) => choice.add(new Option(name, at)));
    choice.addEventListener("change", () => { which = Number(choice.value); draw(place); });
  } else {
    add(element, kind);
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

function forPrint(now) {
  printing = now;
  document.documentElement.classList.toggle("printing", now);
  (now ? places : places.filter((place) => place.chart)).forEach((place) => draw(place));
}
addEventListener("beforeprint", () => forPrint(true));
addEventListener("afterprint", () => forPrint(false));
document.documentElement.classList.add("drawn");
