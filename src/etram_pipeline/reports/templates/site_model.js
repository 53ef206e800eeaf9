"use strict";
// What is drawn, without the page around it: reading and writing sites, and what is wrong with them.

const KINDS = {
  lines: {title: "line", least: 2, closed: false},
  zones: {title: "zone", least: 3, closed: true},
  ignore: {title: "ignored zone", least: 3, closed: true},
  ground: {title: "ground point", least: 1, closed: false},
};
const LEAST_GROUND_POINTS = 4;

function shapesOf(site) {
  const shapes = [];
  for (const [name, line] of Object.entries(site.lines)) {
    shapes.push({kind: "lines", name, points: line.points, forward: line.forward, backward: line.backward});
  }
  for (const kind of ["zones", "ignore"]) {
    for (const [name, zone] of Object.entries(site[kind])) shapes.push({kind, name, points: zone.polygon});
  }
  const ground = site.ground || {points_px: [], points_m: []};
  ground.points_px.forEach((point, i) => {
    shapes.push({kind: "ground", name: "", points: [point], metres: ground.points_m[i]});
  });
  return shapes;
}

// A string of JSON is one of YAML, but for characters that YAML refuses or takes for a new line.
function quoted(text) {
  const escaped = (character) => "\\u" + character.charCodeAt(0).toString(16).padStart(4, "0");
  return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g, escaped);
}

function pointsText(points) {
  return "[" + points.map((point) => `[${point.join(", ")}]`).join(", ") + "]";
}

function yamlOf(shapes, image) {
  const of = (kind) => shapes.filter((shape) => shape.kind === kind);
  const rows = ["version: 1", `image: {width: ${image.width}, height: ${image.height}}`];
  const add = (kind, content) => {
    if (!of(kind).length) return;
    rows.push(`${kind}:`);
    for (const shape of of(kind)) rows.push(`  ${quoted(shape.name)}: {${content(shape)}}`);
  };
  add("lines", (line) => `points: ${pointsText(line.points)}, ` +
    `forward: ${quoted(line.forward)}, backward: ${quoted(line.backward)}`);
  add("zones", (zone) => `polygon: ${pointsText(zone.points)}`);
  add("ignore", (zone) => `polygon: ${pointsText(zone.points)}`);
  const ground = of("ground");
  if (ground.length) {
    rows.push("ground:", `  points_px: ${pointsText(ground.map((each) => each.points[0]))}`,
      `  points_m: ${pointsText(ground.map((each) => each.metres))}`);
  }
  return rows.join("\n") + "\n";
}

// Twice the area of a triangle: positive where c lies to the right of the way from a to b.
function turn(a, b, c) {
  return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

function same(a, b) {
  return a[0] === b[0] && a[1] === b[1];
}

function touches(a, b, c, d) {
  const inBox = (p, q, r) => Math.min(p[0], q[0]) <= r[0] && r[0] <= Math.max(p[0], q[0]) &&
    Math.min(p[1], q[1]) <= r[1] && r[1] <= Math.max(p[1], q[1]);
  const [s, t, u, v] = [turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b)].map(Math.sign);
  if (s !== t && u !== v) return true;
  return (s === 0 && inBox(a, b, c)) || (t === 0 && inBox(a, b, d)) ||
    (u === 0 && inBox(c, d, a)) || (v === 0 && inBox(c, d, b));
}

function crossesItself(polygon) {
  const n = polygon.length, at = (i) => polygon[i % n];
  for (let i = 0; i < n; i++) {
    for (let k = i + 2; k < n; k++) {
      const areNeighbours = (k + 1) % n === i;
      if (!areNeighbours && touches(at(i), at(i + 1), at(k), at(k + 1))) return true;
    }
  }
  return false;
}

function area(polygon) {
  return Math.abs(polygon.reduce((sum, p, i) => sum + turn([0, 0], p, polygon[(i + 1) % polygon.length]), 0)) / 2;
}

// Four points place a plane only if no line holds all of them but one.
function nearlyInOneLine(points) {
  const off = (a, b, c) => Math.abs(turn(a, b, c)) > 1e-3 * Math.hypot(b[0] - a[0], b[1] - a[1]) ** 2;
  return points.some((a, i) => points.some((b, k) => k > i && (same(a, b) ||
    points.filter((c, j) => j !== i && j !== k && off(a, b, c)).length <= 1)));
}

function shapeProblem(shape, image) {
  const {title, least, closed} = KINDS[shape.kind];
  const {points} = shape;
  if (points.length < least) return `has ${points.length} of the ${least} points that a ${title} needs`;
  const outside = points.findIndex(([x, y]) => !(x >= 0 && y >= 0 && x < image.width && y < image.height));
  if (outside >= 0) return `point ${outside + 1} lies off the picture`;
  const ways = closed ? points : points.slice(1);
  const twice = ways.findIndex((point, i) => same(point, points[closed ? (i + 1) % points.length : i]));
  if (twice >= 0 && points.length > 1) return `has the same point twice in a row`;
  if (closed && crossesItself(points)) return "crosses itself: move its points";
  if (closed && area(points) === 0) return "has no area: move its points";
  if (shape.kind === "ground" && !(shape.metres && shape.metres.every(Number.isFinite))) {
    return "has no place in metres: fill in x and y";
  }
  if (shape.kind === "lines") {
    if (!shape.forward || !shape.backward) return "has a direction without a name";
    if (shape.forward === shape.backward) return `both directions are called “${shape.forward}”`;
  }
  return "";
}

// Pairs of a shape, or null, and what is wrong.
function problemsOf(shapes, image) {
  const found = [], names = new Set();
  for (const shape of shapes) {
    const problem = shapeProblem(shape, image);
    if (problem) found.push([shape, problem]);
    if (shape.kind === "ground") continue;
    const key = `${shape.kind} ${shape.name}`;
    if (!shape.name) found.push([shape, "has no name"]);
    else if (names.has(key)) found.push([shape, "has the name of another one: rename it"]);
    names.add(key);
  }
  const ground = shapes.filter((shape) => shape.kind === "ground");
  if (ground.length && ground.length < LEAST_GROUND_POINTS) {
    found.push([null, `Speeds need ${LEAST_GROUND_POINTS} ground points, found ${ground.length}: add some, or delete them all`]);
  } else if (ground.length && !ground.some((shape) => shapeProblem(shape, image))) {
    for (const [of, points] of [["picture", ground.map((each) => each.points[0])], ["ground", ground.map((each) => each.metres)]]) {
      if (nearlyInOneLine(points)) found.push([null, `The ground points lie in one line on the ${of}, or nearly: add one beside it`]);
    }
  }
  return found;
}
