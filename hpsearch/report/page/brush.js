// Picks trials by dragging along the axes of the parallel coordinates, with a mouse, a pen or a finger.
"use strict";

const STRIP = 30; // pixels across an axis that hear a drag: as wide as a finger needs
const SLIP = 4; // pixels that a tap may slip; a longer way is a drag
const FOLLOWED = 600; // so many trials are drawn again while the pointer moves; more only when it is let go
const MOST_PICKED = 24; // trials that are named below the chart

function brushes(place, again) {
  const layer = document.createElement("div");
  layer.className = "brushes screen";
  place.element.after(layer);
  const said = document.getElementById("picked");
  let due = 0, marks = [];

  // Only the lines are drawn anew: a new strip would take the pointer away from the one that has it.
  function follow(moving) {
    marks.forEach((mark) => mark());
    if (moving && scored.length > FOLLOWED) return;
    cancelAnimationFrame(due);
    due = requestAnimationFrame(() => { again(); name(); });
  }

  function name() {
    const { dims, chosen } = parallelAxes(place.wide);
    const held = dims.filter((one) => picks.has(one.name));
    said.replaceChildren();
    if (!held.length) return;
    const best = [...chosen()].reverse();
    const named = best.slice(0, MOST_PICKED).map((one) => `${columns.number[one]} (${shown(columns.score[one])})`).join(", ");
    const more = best.length > MOST_PICKED ? ` and ${best.length - MOST_PICKED} more` : "";
    const free = document.createElement("button");
    free.type = "button";
    free.className = "screen";
    free.textContent = "show all";
    free.addEventListener("click", () => { picks.clear(); follow(false); });
    const count = `${best.length} of ${scored.length} trials by ${held.map((one) => one.name).join(" and ")}`;
    said.append(best.length ? `${count}, the best first: ${named}${more} ` : `${count} `, free);
  }

  // Plotly tells only there where its axes lie: `_offset` pixels from the chart's edge, and `l2p` from an axis's start.
  function lay() {
    const { xaxis, yaxis } = place.element._fullLayout;
    const [across, along] = place.wide ? [xaxis, yaxis] : [yaxis, xaxis];
    const pixel = (share) => along._offset + along.l2p(share);
    layer.style.top = `${place.element.offsetTop}px`;
    marks = [];
    layer.replaceChildren(...parallelAxes(place.wide).dims.map((dim, at) => strip(dim, across._offset + across.l2p(at), pixel)));
    name();
  }

  function strip(dim, middle, pixel) {
    const element = document.createElement("div"), band = element.appendChild(document.createElement("i"));
    const [from, to] = [Math.min(pixel(0), pixel(1)), Math.max(pixel(0), pixel(1))];
    element.className = place.wide ? "strip" : "strip lying";
    element.title = `drag to pick trials by ${dim.name}, tap to let go`;
    set(element, middle - STRIP / 2, STRIP, from, to - from);
    marks.push(mark);
    mark();

    function set(box, left, width, top, height) {
      const sides = place.wide ? [left, width, top, height] : [top, height, left, width];
      ["left", "width", "top", "height"].forEach((side, at) => { box.style[side] = `${sides[at]}px`; });
    }
    function mark() {
      const picked = picks.get(dim.name);
      band.hidden = !picked;
      if (!picked) return;
      const ends = picked.map(pixel);
      set(band, STRIP / 2 - 6, 12, Math.min(...ends) - from, Math.abs(ends[1] - ends[0]));
    }
    const where = (event) => {
      const box = layer.getBoundingClientRect();
      return Math.min(to, Math.max(from, place.wide ? event.clientY - box.top : event.clientX - box.left));
    };
    const share = (spot) => (spot - pixel(0)) / (pixel(1) - pixel(0));
    let begun = null;
    element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      element.setPointerCapture(event.pointerId);
      begun = where(event);
    });
    element.addEventListener("pointermove", (event) => {
      if (begun === null || Math.abs(where(event) - begun) < SLIP) return;
      picks.set(dim.name, [share(begun), share(where(event))].sort((a, b) => a - b));
      follow(true);
    });
    element.addEventListener("pointerup", (event) => {
      if (begun === null) return;
      if (Math.abs(where(event) - begun) < SLIP) picks.delete(dim.name);
      begun = null;
      follow(false);
    });
    element.addEventListener("pointercancel", () => { begun = null; follow(false); });
    return element;
  }

  return lay;
}
