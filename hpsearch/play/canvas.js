// The paper: strokes by mouse, pen or finger, and photographs; runs once, with Gradio's `element`, `props` and `trigger`.
const paper = element.querySelector("canvas"), pen = paper.getContext("2d", { willReadFrequently: true });
const note = element.querySelector(".play-note"), hint = element.querySelector(".play-hint");
const file = element.querySelector("input[type=file]");
const EVERY = 80, LARGEST = 30e6; // milliseconds between two questions; bytes of a photograph, as the server takes them
let strokes = [], drawing = null, photo = false, asked = 0, later = null, turn = 0;

function blank() {
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, paper.width, paper.height);
}

function redraw() {
  blank();
  pen.strokeStyle = pen.fillStyle = "#111";
  pen.lineCap = pen.lineJoin = "round";
  pen.lineWidth = paper.width / 14;
  for (const [first, ...rest] of strokes) {
    pen.beginPath();
    pen.moveTo(first[0], first[1]);
    if (!rest.length) pen.lineTo(first[0], first[1] + 0.01); // a tap is a dot
    let [x, y] = first;
    for (const [nextX, nextY] of rest) { // through the middles, so that corners become round
      pen.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
      [x, y] = [nextX, nextY];
    }
    pen.lineTo(x, y);
    pen.stroke();
  }
  hint.hidden = strokes.length > 0 || photo;
}

function tell(what) {
  props.value = JSON.stringify({ ...what, asked: ++asked });
  trigger("input");
}

function ask(now) {
  [turn, note.textContent] = [turn + 1, ""]; // for a photograph that is still being read it is too late
  if (later && !now) return;
  clearTimeout(later);
  later = setTimeout(() => {
    later = null;
    tell(strokes.length ? { ink: paper.toDataURL("image/png").split(",")[1] } : {});
  }, now ? 0 : EVERY);
}

function spot(event) { // held on the paper, line and all: what its rim cuts off is taken for the desk of a photograph
  const box = paper.getBoundingClientRect(), scale = paper.width / box.width, rim = paper.width / 28 + 1;
  const held = (place) => Math.min(Math.max(place * scale, rim), paper.width - rim);
  return [held(event.clientX - box.left), held(event.clientY - box.top)];
}

function clear() {
  [strokes, drawing, photo, note.textContent] = [[], null, false, ""];
  redraw();
}

paper.addEventListener("pointerdown", (event) => {
  if (drawing !== null || event.button) return;
  if (photo) clear();
  paper.setPointerCapture(event.pointerId);
  drawing = event.pointerId;
  strokes.push([spot(event)]);
  redraw();
  ask();
});
paper.addEventListener("pointermove", (event) => {
  if (drawing !== event.pointerId) return;
  const all = event.getCoalescedEvents?.() ?? [];
  for (const one of all.length ? all : [event]) strokes.at(-1).push(spot(one));
  redraw();
  ask();
});
for (const end of ["pointerup", "pointercancel"])
  paper.addEventListener(end, (event) => {
    if (drawing !== event.pointerId) return;
    drawing = null;
    ask(true);
  });
element.querySelector(".play-undo").addEventListener("click", () => {
  if (photo) clear();
  strokes.pop();
  drawing = null; // what is under way is taken back as a whole
  redraw();
  ask(true);
});
element.querySelector(".play-clear").addEventListener("click", () => {
  clear();
  ask(true);
});

function show(picture, size, boxes) {
  clear();
  photo = true;
  redraw();
  const scale = Math.min(paper.width / size[0], paper.height / size[1]);
  const left = (paper.width - size[0] * scale) / 2, top = (paper.height - size[1] * scale) / 2;
  if (picture) pen.drawImage(picture, left, top, size[0] * scale, size[1] * scale);
  pen.strokeStyle = "#e8590c";
  pen.lineWidth = 2;
  for (const [x0, y0, x1, y1] of boxes)
    pen.strokeRect(left + x0 * scale, top + y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale);
}

async function send(picture) {
  if (picture.size > LARGEST) return void (note.textContent = "This file is too large: at most 30 MB are taken.");
  note.textContent = "Reading …";
  const mine = ++turn, told = (words) => { if (mine === turn) note.textContent = words; };
  try {
    const answer = await fetch("photo", {
      method: "POST", body: picture, headers: { "Content-Type": "application/octet-stream" },
    });
    if (!answer.ok) return told((await answer.text()).trim());
    const { photo: number, size, boxes } = await answer.json();
    const shown = await createImageBitmap(picture).catch(() => null); // the server may read what this browser cannot
    if (mine !== turn) return;
    show(shown, size, boxes);
    tell({ photo: number });
  } catch {
    told("The page's program does not answer: is it still running?");
  }
}

file.addEventListener("change", () => {
  if (file.files[0]) send(file.files[0]);
  file.value = "";
});
element.querySelector(".play-photo").addEventListener("click", () => file.click());
// On all of the page: a browser opens what is dropped beside the paper in place of it, and what was drawn is lost.
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files[0]) send(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files[0]) send(event.clipboardData.files[0]);
});
redraw();
paper.dataset.ready = "";
