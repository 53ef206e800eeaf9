// The page around the model: drawing with mouse, fingers or keys; a list of what was drawn; saving.

const content = JSON.parse(document.getElementById("content").textContent);
const image = content.image;
const find = (id) => document.getElementById(id);
const picture = find("picture"), yaml = find("yaml");
const HIT_PX = 12, ARROW_PX = 34, KEY_STEP_PX = 10, NARROW_PX = 600;
let shapes = shapesOf(content.site), selected = null, draft = [], tool = "select";
let undone = [], history = [], saved = yamlOf(shapes, image), drag = null, zoom = 1;
let cross = [Math.round(image.width / 2), Math.round(image.height / 2)], crossShown = false;

const copy = (value) => JSON.parse(JSON.stringify(value));
const titleOf = (shape) => `${KINDS[shape.kind].title} ${shape.name || numberOf(shape)}`;
const numberOf = (shape) => shapes.filter((each) => each.kind === shape.kind).indexOf(shape) + 1;
const say = (text) => { find("status").textContent = text; };
// Pixels of the sensor per pixel of the screen.
const unit = () => image.width / Math.max(1, picture.getBoundingClientRect().width);

// ---- changes ---------------------------------------------------------------------------------

function remember(before = copy(shapes)) {
  history.push(before);
  undone = [];
}

function step(from, to, words) {
  if (!from.length) return;
  to.push(copy(shapes));
  shapes = from.pop();
  selected = null;
  say(words);
  show();
}

function undo() {
  if (draft.length) {
    draft.pop();
    say("Last point removed");
    drawPicture();
  } else step(history, undone, "Undone");
}

function freeName(kind) {
  const names = new Set(shapes.map((shape) => shape.name));
  for (let number = 1; ; number++) {
    const name = `${KINDS[kind].title} ${number}`;
    if (!names.has(name)) return name;
  }
}

function finish() {
  if (tool === "select") return;
  const {title, least} = KINDS[tool];
  if (draft.length < least) {
    say(`A ${title} needs ${least} points, found ${draft.length}`);
    return;
  }
  remember();
  const shape = {kind: tool, name: tool === "ground" ? "" : freeName(tool), points: draft};
  if (tool === "lines") Object.assign(shape, {forward: "forward", backward: "backward"});
  if (tool === "ground") shape.metres = [null, null];
  shapes.push(shape);
  draft = [];
  selected = shape;
  if (tool !== "ground") choose("select");
  say(tool === "ground" ? "Ground point added: fill in its place in metres" : `${title} added: give it a name`);
  show();
  const field = find(tool === "ground" ? "x-m" : "name");
  if (field) field.focus({preventScroll: tool === "ground"});
  if (field && field.select) field.select();
}

function addPoint(point) {
  const near = (other) => Math.hypot(point[0] - other[0], point[1] - other[1]) <= HIT_PX * unit() / 2;
  const {closed, least} = KINDS[tool];
  if (draft.length >= least && (near(draft[draft.length - 1]) || (closed && near(draft[0])))) return finish();
  if (draft.length && same(point, draft[draft.length - 1])) return;
  draft.push(point);
  if (tool === "ground") return finish();
  say(`Point ${draft.length} at ${point.join(", ")}`);
  drawPicture();
}

function remove(shape) {
  remember();
  shapes = shapes.filter((each) => each !== shape);
  selected = null;
  say(`${titleOf(shape)} deleted`);
  show();
}

function removePoint(shape, place) {
  if (shape.points.length <= KINDS[shape.kind].least) return say(`${titleOf(shape)} has no point to spare`);
  remember();
  shape.points.splice(place, 1);
  show();
}

function choose(kind) {
  tool = kind;
  draft = [];
  document.querySelector(`input[name=tool][value=${kind}]`).checked = true;
  if (kind !== "select") selected = null;
}

// ---- picture ---------------------------------------------------------------------------------

function make(name, attributes, parent = picture) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

const letterPx = () => (picture.getBoundingClientRect().width < NARROW_PX ? 11 : 14);
const lettersLong = (text) => 0.66 * text.length;  // a little more than most texts need, in heights of letters

// A text within the picture; in the middle, it is centred on the place.
function label(text, [x, y], kind, anchor = "start") {
  const size = letterPx() * unit(), long = size * lettersLong(text), isCentred = anchor === "middle";
  const [before, after] = isCentred ? [long / 2, long / 2] : [0, long], base = y + (isCentred ? size / 3 : 0);
  const at = {x: Math.max(Math.min(x, image.width - after), before), y: Math.min(Math.max(base, size), image.height - 4)};
  make("text", {...at, class: `label ${kind}`, "font-size": size, "stroke-width": size / 4, "text-anchor": anchor}).textContent = text;
}

function arrow({points, forward, backward}) {
  const i = Math.floor((points.length - 1) / 2), [a, b] = [points[i], points[i + 1]];
  if (!b) return;
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1, by = unit();
  const right = [-(b[1] - a[1]) / length, (b[0] - a[0]) / length], along = [right[1], -right[0]];
  const at = (across, beside) => [0, 1].map((k) => (a[k] + b[k]) / 2 + by * (across * right[k] + beside * along[k]));
  const path = [at(0, 0), at(ARROW_PX, 0), at(ARROW_PX - 10, 6), at(ARROW_PX, 0), at(ARROW_PX - 10, -6)];
  make("polyline", {points: path.join(" "), class: "shape lines"});
  const half = (text) => letterPx() * (Math.abs(right[0]) * lettersLong(text) + Math.abs(right[1])) / 2;
  label(forward, at(ARROW_PX + 6 + half(forward), 0), "lines", "middle");
  label(backward, at(-8 - half(backward), 0), "lines", "middle");
}

// A quarter along a line, where ends of other lines are rarely met; the first corner of a zone.
function namePlace({kind, points}) {
  if (kind !== "lines") return points[0];
  const lengths = points.slice(1).map((point, i) => Math.hypot(point[0] - points[i][0], point[1] - points[i][1]));
  let left = lengths.reduce((sum, length) => sum + length, 0) / 4;
  const i = Math.max(0, lengths.findIndex((length) => left <= length || ((left -= length), false)));
  const share = lengths[i] ? left / lengths[i] : 0;
  return [0, 1].map((k) => points[i][k] + share * (points[i + 1][k] - points[i][k]));
}

function drawShape(shape) {
  const {kind, points} = shape, {closed} = KINDS[kind], place = shapes.indexOf(shape);
  const isSelected = shape === selected;
  if (kind === "ground") {
    const radius = 5 * unit();
    make("circle", {cx: points[0][0], cy: points[0][1], r: radius, class: `shape ground${isSelected ? " selected" : ""}`});
    make("circle", {cx: points[0][0], cy: points[0][1], r: HIT_PX * unit(), class: "hit", "data-shape": place});
    const metres = shape.metres.every(Number.isFinite) ? `${shape.metres.join(", ")} m` : "? m";
    return label(metres, [points[0][0] + 2 * radius, points[0][1] - radius], "ground");
  }
  const name = closed ? "polygon" : "polyline";
  make(name, {points: points.join(" "), class: `shape ${kind}${isSelected ? " selected" : ""}`});
  make(name, {points: points.join(" "), class: `hit${closed ? " closed" : ""}`, "stroke-width": 2 * HIT_PX * unit(), "data-shape": place});
  if (kind === "lines") arrow(shape);
  const [x, y] = namePlace(shape);
  label(shape.name, [x + 8 * unit(), y - 8 * unit()], kind);
}

function drawHandles(shape) {
  const {points, kind} = shape, {closed} = KINDS[kind], by = unit();
  if (kind !== "ground") {
    for (let i = 0; i < points.length - (closed ? 0 : 1); i++) {
      const [a, b] = [points[i], points[(i + 1) % points.length]];
      const where = {cx: (a[0] + b[0]) / 2, cy: (a[1] + b[1]) / 2};
      make("circle", {...where, r: 4 * by, class: "between"});
      make("circle", {...where, r: HIT_PX * by, class: "hit handle", "data-after": i});
    }
  }
  points.forEach(([x, y], i) => {
    make("circle", {cx: x, cy: y, r: 6 * by, class: "corner"});
    make("circle", {cx: x, cy: y, r: HIT_PX * by, class: "hit handle", "data-point": i, tabindex: 0, role: "button",
      "aria-label": `Point ${i + 1} of ${titleOf(shape)} at ${x}, ${y}: arrow keys move it, Delete removes it`});
  });
}

function drawPicture() {
  const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.point : undefined;
  while (picture.lastChild !== find("still")) picture.lastChild.remove();
  picture.classList.toggle("drawing", tool !== "select");
  shapes.forEach(drawShape);
  if (selected) drawHandles(selected);
  if (draft.length) {
    make("polyline", {points: draft.join(" "), class: "shape draft"});
    for (const [x, y] of draft) make("circle", {cx: x, cy: y, r: 5 * unit(), class: "corner"});
  }
  if (crossShown && tool !== "select") {
    const [x, y] = cross, arm = 12 * unit();
    make("path", {d: `M${x - arm} ${y}H${x + arm}M${x} ${y - arm}V${y + arm}`, class: "cross"});
  }
  if (focused !== undefined) {
    const handle = picture.querySelector(`[data-point="${focused}"]`);
    if (handle) handle.focus({preventScroll: true});
  }
  check();
}

function at(event) {
  const box = picture.getBoundingClientRect();
  const scaled = [(event.clientX - box.left) / box.width * image.width, (event.clientY - box.top) / box.height * image.height];
  return onPicture(scaled);
}

function onPicture([x, y]) {
  return [Math.min(Math.max(Math.round(x), 0), image.width - 1), Math.min(Math.max(Math.round(y), 0), image.height - 1)];
}
