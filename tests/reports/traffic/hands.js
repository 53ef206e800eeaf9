// What a person does: places are px of the picture, buttons are found by their words.
const seen = (x, y) => {
  const picture = document.getElementById("picture"), box = picture.getBoundingClientRect();
  const size = picture.viewBox.baseVal;
  const clientX = Math.round(box.left + x / size.width * box.width);
  const clientY = Math.round(box.top + y / size.height * box.height);
  return {clientX, clientY, bubbles: true, cancelable: true};
};
const send = (type, at) => document.elementFromPoint(at.clientX, at.clientY).dispatchEvent(new PointerEvent(type, at));
const click = (...places) => places.forEach(([x, y]) => {
  const at = seen(x, y);
  for (const type of ["pointerdown", "pointerup", "click"]) send(type, at);
});
const pull = (from, to) => {
  send("pointerdown", seen(...from));
  send("pointermove", seen(...to));
  send("pointerup", seen(...to));
};
const key = (target, key, more = {}) => target.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true, ...more}));
const press = (words) => [...document.querySelectorAll("button")].find((each) => each.textContent === words).click();
const take = (kind) => document.querySelector(`input[name=tool][value=${kind}]`).click();
const field = (words) => [...document.querySelectorAll("label")].find((each) => each.textContent === words).querySelector("input");
const fill = (words, text) => {
  const input = field(words);
  input.focus();
  input.value = text;
  input.dispatchEvent(new Event("input", {bubbles: true}));
  input.dispatchEvent(new Event("change", {bubbles: true}));
};
const pick = (name) => [...document.querySelectorAll(".head")].find((each) => each.firstChild.textContent === name).click();
let file = null;
window.Blob = class extends Blob {  // reading a blob takes a time that the browser does not wait for
  constructor(parts, options) {
    super(parts, options);
    file = parts.join("");
  }
};
URL.createObjectURL = () => "about:blank";
HTMLAnchorElement.prototype.click = () => {};  // a browser that saves a file does not end
const save = () => {
  file = null;
  document.getElementById("save").click();
  return file;
};
const problems = () => [...document.querySelectorAll("#problem-list li")].map((each) => each.textContent);
const wipe = () => {
  take("select");
  shapes = [];
  show();
};
