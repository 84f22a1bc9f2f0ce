// The page's small habits: helpers, tabs of classes, fold-outs that open when linked to, and the menu's place.
const data = JSON.parse(document.getElementById("data").textContent);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const SVG = "http://www.w3.org/2000/svg";

const words = name => name.replaceAll("_", " ");

// make("button", {class: "x"}, "text or nodes"); text goes in as text, never as HTML: names are other people's
function make(tag, attributes = {}, ...inside) {
  const svg = ["svg", "path", "circle", "g"].includes(tag);
  const node = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...inside);
  return node;
}

// A row of buttons of which one is pressed. options: [value, text] pairs.
function choice(label, options, chosen, change) {
  const box = make("div", {class: "choice", role: "group", "aria-label": label}, make("span", {}, label));
  for (const [value, text] of options) {
    const button = make("button", {"aria-pressed": value === chosen}, text);
    button.addEventListener("click", () => {
      all("button", box).forEach(other => other.setAttribute("aria-pressed", other === button));
      change(value);
    });
    box.append(button);
  }
  return box;
}

for (const tabs of all(".tabs")) {
  const panes = all(":scope > .pane", tabs);
  if (panes.length < 2) continue;
  const show = name => panes.forEach(pane => { pane.hidden = pane.dataset.tab !== name; });
  panes.forEach(pane => pane.querySelector("h4").remove());
  tabs.prepend(choice(tabs.dataset.label || "classes of", panes.map(pane => [pane.dataset.tab, tabs.dataset.label ? pane.dataset.tab : words(pane.dataset.tab)]), panes[0].dataset.tab, show));
  show(panes[0].dataset.tab);
}

function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  if (target) target.scrollIntoView();
}
const clipAsked = () => (location.hash.match(/^#clip-(\d+)$/) || [])[1]; // the front page links to a clip of this page
window.addEventListener("hashchange", unfold);
if (location.hash) unfold();

const links = all('nav a[href^="#"]'), places = links.map(link => document.querySelector(link.getAttribute("href")));
window.addEventListener("scroll", () => {
  const past = places.filter(place => place && place.getBoundingClientRect().top < innerHeight / 3).length;
  links.forEach((link, i) => link.classList.toggle("here", i === past - 1));
}, {passive: true});

// what a cell of a confusion matrix says, in the line below it: a finger sees no title
for (const figure of all(".says")) {
  const line = figure.querySelector("output");
  figure.addEventListener("pointerover", event => {
    const cell = event.target.closest("td[title]");
    if (cell) line.textContent = cell.title;
  });
}

// the clips behind a number of a confusion matrix
for (const table of all(".matrix")) {
  const {dataset, target, embedding} = table.dataset;
  table.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (!button) return;
    const [own, given] = button.dataset.cell.split(",").map(Number);
    const found = data[dataset].targets.find(one => one.name === target);
    const numbers = found.actual.flatMap((c, i) => c === own && found.matched[embedding][i] === given ? [i] : []);
    const box = table.closest(".pane").querySelector(".cell-clips");
    all(".matrix button").forEach(other => other.setAttribute("aria-pressed", other === button));
    box.hidden = false;
    box.replaceChildren(
      make("div", {}, make("b", {}, found.classes[own]), ` in the cluster matched to `, make("b", {}, found.classes[given]), `, by ${embedding}:`),
      clipButtons(dataset, numbers, target, embedding),
    );
  });
}

function clipButtons(dataset, numbers, target, embedding) {
  const list = make("div", {class: "clips"});
  for (const i of numbers) {
    const button = make("button", {}, data[dataset].clips[i].title);
    button.addEventListener("click", () => play(dataset, i, {target, embedding}));
    list.append(button);
  }
  return list;
}

// every scored clip by class: the way to the sound without a map; filled when opened
for (const place of all(".clip-list")) {
  const {dataset} = place.dataset, {clips, targets} = data[dataset];
  const fold = make("details", {}, make("summary", {}, `All ${clips.length} scored clips, by name`));
  fold.addEventListener("toggle", () => {
    if (fold.childElementCount > 1) return;
    const target = targets[0], groups = target ? target.classes : [""];
    groups.forEach((name, c) => {
      const numbers = clips.flatMap((_, i) => !target || target.actual[i] === c ? [i] : []);
      fold.append(make("h4", {}, name), clipButtons(dataset, numbers, target && target.name, ""));
    });
  });
  place.append(fold);
}
