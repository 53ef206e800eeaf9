"use strict";
// What is drawn, without the page around it: reading and writing sites, and what is wrong with them.

const KINDS = {
  lines: {title: "line", least: 2, closed: false},
  zones: {title: "zone", least: 3, closed: true},
  ignore: {title: "ignored zone", least: 3, closed: true},
  ground: {title: "ground point", least: 1, closed: false},
};
// The same limits as the program that reads the file.
const LEAST_GROUND_POINTS = 4, LONGEST_NAME = 64, OFF_IMAGE = 0.05, LEAST_SHARE = 1e-3, MOST_COMPARED = 12;

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

// A string of JSON without control characters is one of YAML.
const quoted = JSON.stringify;

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

function crossesItself(points, closed) {
  const n = points.length, sides = closed ? n : n - 1, at = (i) => points[i % n];
  for (let i = 0; i < sides; i++) {
    const [a, b, c] = [at(i), at(i + 1), at(i + 2)];
    const ahead = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1]);
    if ((closed || i + 2 < n) && turn(a, b, c) === 0 && ahead < 0) return true;
    for (let k = i + 2; k < sides; k++) {
      const areNeighbours = closed && (k + 1) % n === i;
      if (!areNeighbours && touches(at(i), at(i + 1), at(k), at(k + 1))) return true;
    }
  }
  return false;
}

// Extent of points across their main direction, as a share of the extent along it.
function across(points) {
  const mean = [0, 1].map((k) => points.reduce((sum, point) => sum + point[k], 0) / points.length);
  const sum = (k, j) => points.reduce((all, point) => all + (point[k] - mean[k]) * (point[j] - mean[j]), 0);
  const middle = (sum(0, 0) + sum(1, 1)) / 2, spread = Math.hypot((sum(0, 0) - sum(1, 1)) / 2, sum(0, 1));
  return middle + spread > 0 ? Math.sqrt(Math.max(middle - spread, 0) / (middle + spread)) : 0;
}

function onOneLine(points) {
  return across(points) < LEAST_SHARE;
}

// A camera sees the ground from one side, so it mirrors all triangles or none.
function turnsDiffer(onPicture, onGround) {
  const signs = new Set(), n = Math.min(onPicture.length, MOST_COMPARED);
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) for (let k = j + 1; k < n; k++) {
    const [px, metres] = [onPicture, onGround].map((points) => [points[i], points[j], points[k]]);
    if (across(px) > 0.1 && across(metres) > 0.1) signs.add(turn(...px) > 0 === turn(...metres) > 0);
  }
  return signs.size > 1;
}

function groundProblem(ground) {
  const sides = {picture: ground.map((each) => each.points[0]), ground: ground.map((each) => each.metres)};
  for (const [side, points] of Object.entries(sides)) {
    const twice = points.findIndex((point, i) => points.slice(0, i).some((other) => same(point, other)));
    if (twice >= 0) return `Ground point ${twice + 1} is at the same place on the ${side} as one before: move or delete it`;
    const without = points.map((_, i) => points.filter((_, k) => k !== i));
    if (onOneLine(points) || without.some(onOneLine)) {
      return `All ground points but one lie in one line on the ${side}: add points beside it`;
    }
  }
  return turnsDiffer(sides.picture, sides.ground)
    ? "The ground points are not in the same order on the picture and on the ground: correct their metres" : "";
}

function nameProblem(name, what) {
  if (!name) return `has ${what} without a name`;
  if (/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\ufffe\uffff]/u.test(name)) return `has ${what} with control characters: rename it`;
  return [...name].length > LONGEST_NAME ? `has ${what} with more than ${LONGEST_NAME} characters` : "";
}

function shapeProblem(shape, image) {
  const {title, least, closed} = KINDS[shape.kind];
  const {points} = shape;
  if (points.length < least) return `has ${points.length} of the ${least} points that a ${title} needs`;
  const margin = OFF_IMAGE * Math.max(image.width, image.height);
  const isOn = ([x, y]) => x >= -margin && y >= -margin && x <= image.width + margin && y <= image.height + margin;
  const outside = points.findIndex((point) => !isOn(point));
  if (outside >= 0) return `point ${outside + 1} lies off the picture`;
  const ways = closed ? points : points.slice(1);
  const twice = ways.findIndex((point, i) => same(point, points[closed ? (i + 1) % points.length : i]));
  if (twice >= 0 && points.length > 1) return `has the same point twice in a row`;
  if (shape.kind !== "ground" && crossesItself(points, closed)) return "crosses itself: move its points";
  if (closed && onOneLine(points)) return "has no area: move its points";
  const extent = Math.max(...[0, 1].map((k) => Math.max(...points.map((p) => p[k])) - Math.min(...points.map((p) => p[k]))));
  if (shape.kind !== "ground" && extent < 1) return "is smaller than 1 px";
  if (shape.kind === "ground" && !(shape.metres && shape.metres.every(Number.isFinite))) {
    return "has no place in metres: fill in x and y";
  }
  if (["lines", "zones"].includes(shape.kind) && shape.name === "unknown") {
    return "rename it: tables use this name where no line or zone is known";
  }
  if (shape.kind === "lines") {
    const problem = nameProblem(shape.forward, "a direction") || nameProblem(shape.backward, "a direction");
    if (problem) return problem;
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
    const badName = nameProblem(shape.name, "a name").replace("a name without a name", "no name");
    if (badName) found.push([shape, badName]);
    else if (names.has(shape.name)) found.push([shape, "has the name of another one: rename it"]);
    names.add(shape.name);
  }
  const ground = shapes.filter((shape) => shape.kind === "ground");
  if (ground.length && ground.length < LEAST_GROUND_POINTS) {
    found.push([null, `Speeds need ${LEAST_GROUND_POINTS} ground points, found ${ground.length}: add some, or delete them all`]);
  } else if (ground.length && !ground.some((shape) => shapeProblem(shape, image))) {
    const problem = groundProblem(ground);
    if (problem) found.push([null, problem]);
  }
  return found;
}
