// Pointers, keys, the list and the buttons.

picture.addEventListener("click", (event) => {
  if (tool !== "select") return addPoint(at(event));
  if (event.target === find("still") && selected) {
    selected = null;
    show();
  }
});

picture.addEventListener("pointerdown", (event) => {
  if (tool !== "select" || event.button) return;
  const {shape, point, after} = event.target.dataset, start = at(event), before = copy(shapes);
  // A finger on a shape that is not selected may be about to scroll.
  const holds = event.pointerType !== "touch" || shape === undefined || selected === shapes[Number(shape)];
  if (shape !== undefined) {
    selected = shapes[Number(shape)];
    drag = {before, start, holds, places: selected.points.map((_, i) => i), from: copy(selected.points)};
  } else if (point !== undefined) {
    drag = {before, start, holds, places: [Number(point)], from: copy(selected.points)};
  } else if (after !== undefined) {
    const place = Number(after) + 1;
    selected.points.splice(place, 0, start);
    drag = {before, start, holds, places: [place], from: copy(selected.points), moved: true};
  } else return;
  event.preventDefault();
  // Nothing is drawn anew yet: a finger whose target is gone would scroll. Later ones go to the picture.
  if (event.isTrusted) picture.setPointerCapture(event.pointerId);
});

picture.addEventListener("touchstart", (event) => {
  if (drag && drag.holds) event.preventDefault();
}, {passive: false});

window.addEventListener("pointermove", (event) => {
  if (event.target === picture || picture.contains(event.target)) find("where").textContent = at(event).join(", ");
  if (!drag) return;
  const now = at(event), by = [now[0] - drag.start[0], now[1] - drag.start[1]];
  if (!drag.moved && Math.hypot(...by) < 3 * unit()) return;
  drag.moved = true;
  for (const i of drag.places) selected.points[i] = onPicture([drag.from[i][0] + by[0], drag.from[i][1] + by[1]]);
  drawPicture();
});

for (const end of ["pointerup", "pointercancel"]) {
  window.addEventListener(end, () => {
    if (drag && drag.moved) remember(drag.before);
    if (drag) show();
    drag = null;
  });
}

picture.addEventListener("dblclick", finish);

picture.addEventListener("keydown", (event) => {
  const moves = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  const move = moves[event.key], {point} = event.target.dataset;
  if (move && point !== undefined) {
    const by = event.shiftKey ? KEY_STEP_PX : 1, place = Number(point), [x, y] = selected.points[place];
    remember();
    selected.points[place] = onPicture([x + by * move[0], y + by * move[1]]);
    drawPicture();
    drawList();
  } else if (move && tool !== "select") {
    const by = event.shiftKey ? 1 : KEY_STEP_PX;
    cross = onPicture([cross[0] + by * move[0], cross[1] + by * move[1]]);
    crossShown = true;
    find("where").textContent = cross.join(", ");
    drawPicture();
  } else if (event.key === "Enter" && tool !== "select") addPoint(cross);
  else if (event.key === "Delete" && point !== undefined) removePoint(selected, Number(point));
  else return;
  event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input:not([type=radio])");
  if (event.key === "Escape") {
    choose("select");
    selected = null;
    show();
  } else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !isTyping) {
    event.preventDefault();
    if (event.shiftKey) step(undone, history, "Redone");
    else undo();
  }
});

// ---- list ------------------------------------------------------------------------------------

function field(words, value, change, attributes = {}) {
  const element = document.createElement("label"), input = document.createElement("input");
  let before = copy(shapes);
  element.append(words, input);
  Object.assign(input, {value: value === null ? "" : value, autocomplete: "off", ...attributes});
  input.addEventListener("focus", () => { before = copy(shapes); });
  input.addEventListener("input", () => {
    change(input.type === "number" ? (input.value === "" ? null : Number(input.value)) : input.value.trim());
    nameHeads();
    drawPicture();
  });
  // The list is not drawn anew here: a button that was just pressed would be gone before its click.
  input.addEventListener("change", () => { remember(before); check(); });
  return element;
}

function button(words, act, about = words) {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = words;
  if (about !== words) element.setAttribute("aria-label", about);
  element.addEventListener("click", act);
  return element;
}

function pointFields(shape) {
  const rows = document.createElement("details"), summary = document.createElement("summary");
  summary.textContent = "Points";
  rows.append(summary);
  rows.open = pointFields.open;
  rows.addEventListener("toggle", () => { pointFields.open = rows.open; });
  shape.points.forEach((point, i) => {
    const row = document.createElement("div");
    row.className = "row";
    for (const k of [0, 1]) {
      row.append(field(`${i + 1} ${"xy"[k]}`, point[k], (value) => { if (value !== null) point[k] = value; }, {type: "number", step: "any"}));
    }
    row.append(button("✕", () => removePoint(shape, i), `Remove point ${i + 1}`));
    rows.append(row);
  });
  return rows;
}

function fields(shape) {
  const form = document.createElement("div");
  form.className = "fields";
  if (shape.kind === "ground") {
    shape.metres.forEach((value, k) => {
      form.append(field(`${"xy"[k]} in metres`, value, (found) => { shape.metres[k] = found; }, {type: "number", step: "any", id: `${"xy"[k]}-m`}));
    });
  } else form.append(field("Name", shape.name, (found) => { shape.name = found; }, {id: "name"}));
  if (shape.kind === "lines") {
    form.append(field("With the arrow (forward)", shape.forward, (found) => { shape.forward = found; }));
    form.append(field("Against it (backward)", shape.backward, (found) => { shape.backward = found; }));
    form.append(button("Turn the arrow", () => { remember(); shape.points.reverse(); show(); }));
  }
  if (shape.kind !== "ground") form.append(pointFields(shape));
  form.append(button("Delete", () => remove(shape)));
  return form;
}

function nameHeads() {
  shapes.forEach((shape, place) => {
    const [name, kind] = find(`shape-${place}`).children, isGround = shape.kind === "ground";
    name.textContent = isGround ? titleOf(shape) : shape.name || "(no name)";
    kind.textContent = isGround ? shape.points[0].join(", ") : KINDS[shape.kind].title;
  });
}

function drawList() {
  const focused = document.activeElement ? document.activeElement.id : "";
  const items = shapes.map((shape, place) => {
    const item = document.createElement("li"), head = document.createElement("button");
    head.type = "button";
    head.id = `shape-${place}`;
    head.className = `head ${shape.kind}`;
    head.setAttribute("aria-expanded", String(shape === selected));
    head.append(document.createElement("span"), document.createElement("small"));
    head.addEventListener("click", () => {
      choose("select");
      selected = shape === selected ? null : shape;
      show();
    });
    item.append(head);
    if (shape === selected) item.append(fields(shape));
    return item;
  });
  find("list").replaceChildren(...items);
  nameHeads();
  find("empty").hidden = shapes.length > 0;
  if (focused && find(focused)) find(focused).focus({preventScroll: true});
}

function check() {
  const found = problemsOf(shapes, image).map(([shape, text]) => {
    const item = document.createElement("li");
    item.textContent = shape ? `${titleOf(shape)}: ${text}` : text;
    return item;
  });
  find("problem-list").replaceChildren(...found);
  find("problems").hidden = !found.length;
  const text = yamlOf(shapes, image);
  yaml.textContent = found.length ? "" : text;
  find("undo").disabled = !history.length && !draft.length;
  find("redo").disabled = !undone.length;
  find("done").disabled = tool === "select" || draft.length < KINDS[tool].least;
  find("save").classList.toggle("changed", text !== saved);
  return !found.length;
}

function show() {
  drawList();
  drawPicture();
}

// ---- buttons ---------------------------------------------------------------------------------

async function copyText(text, words) {
  try {
    await navigator.clipboard.writeText(text);
    say(words);
  } catch {
    say("The browser does not allow copying: select the text and copy it");
  }
}

function save() {
  if (!check()) {
    say("Not saved: solve the problems first");
    find("problems").scrollIntoView({block: "nearest"});
    return find("problems").focus();
  }
  saved = yamlOf(shapes, image);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([saved], {type: "text/yaml"}));
  link.download = "site.yml";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  say("site.yml was saved where the browser puts downloads");
  find("next").classList.add("now");
  check();
}

document.querySelectorAll("input[name=tool]").forEach((each) => each.addEventListener("change", () => {
  choose(each.value);
  say(each.value === "select" ? "" : `Click the points of the ${KINDS[each.value].title} on the picture`);
  show();
}));
find("done").addEventListener("click", finish);
find("undo").addEventListener("click", undo);
find("redo").addEventListener("click", () => step(undone, history, "Redone"));
find("save").addEventListener("click", save);
find("copy").addEventListener("click", () => copyText(find("command").textContent, "Command copied"));
find("copy-yaml").addEventListener("click", () => copyText(yaml.textContent, "Content of site.yml copied"));
for (const [id, by] of [["closer", 2], ["farther", 0.5]]) {
  find(id).addEventListener("click", () => {
    zoom = Math.min(Math.max(zoom * by, 1), 8);
    picture.style.width = `${100 * zoom}%`;
    find("farther").disabled = zoom === 1;
    find("closer").disabled = zoom === 8;
    show();
  });
}
window.addEventListener("resize", drawPicture);
window.addEventListener("beforeunload", (event) => {
  if (yamlOf(shapes, image) !== saved || draft.length) event.preventDefault();
});
show();
