// Maps of embeddings: one SVG each, points placed in pixels; nearest point to a pointer or an arrow key, Enter or a click plays.
const SHAPES = [ // a colour stands for eight classes; beyond eight the shape tells
  "M-1,0a1,1 0 1,0 2,0a1,1 0 1,0 -2,0", "M-.88,-.88h1.76v1.76h-1.76z", "M0,-1.15L1.1,.8H-1.1z", "M0,-1.25L1.25,0 0,1.25 -1.25,0z",
  "M-.4,-1.1h.8v.7h.7v.8h-.7v.7h-.8v-.7h-.7v-.8h.7z",
];
const look = c => [c < 0 ? "c-1" : `c${c % 8}`, SHAPES[c < 0 ? 0 : Math.floor(c / 8) % SHAPES.length]];
const isNow = (number, i) => playing && playing.dataset === number && playing.clip === i;

for (const box of all(".maps")) build(box);

function build(box) {
  const number = Number(box.dataset.dataset), set = data[number], only = box.dataset.only;
  const names = [...new Set(set.maps.flatMap(method => Object.keys(method.places)))];
  const state = {
    method: set.maps[0], target: set.targets.find(one => one.name === box.dataset.target) || set.targets[0],
    embedding: only || (names.length > 1 && innerWidth > 700 ? "" : names[0]), lit: -1,
  };
  const grid = make("div", {class: "grid"}), legend = make("div", {class: "legend"}), controls = make("div", {class: "controls"});
  const redraw = () => draw(grid, legend, set, number, names, state);
  if (!only) {
    if (names.length > 1) controls.append(choice("embedding", [["", "all"], ...names.map(name => [name, name])], state.embedding, value => { state.embedding = value; redraw(); }));
    if (set.targets.length > 1) controls.append(choice("colour", set.targets.map(one => [one, words(one.name)]), state.target, value => { state.target = value; state.lit = -1; redraw(); }));
  }
  if (set.maps.length > 1) controls.append(choice("map", set.maps.map(one => [one, one.title]), state.method, value => { state.method = value; redraw(); }));
  box.append(controls, grid, legend);
  redraw();
  new ResizeObserver(() => all("svg.map", grid).forEach(place)).observe(grid);
}

function draw(grid, legend, set, number, names, state) {
  const {target, method} = state;
  const shown = names.filter(name => method.places[name] && (!state.embedding || name === state.embedding));
  grid.classList.toggle("one", shown.length === 1);
  grid.dataset.n = shown.length;
  // maps that stay keep their points, which then walk to their new places
  const kept = Object.fromEntries(all("figure", grid).map(figure => [figure.dataset.embedding, figure]));
  grid.replaceChildren(...shown.map(name => {
    const figure = kept[name] || newMap(set, number, name, state);
    figure.querySelector(".score").textContent = target && target.accuracy[name] ? `matched accuracy ${target.accuracy[name]}` : "";
    const svg = figure.querySelector("svg");
    svg.places = method.places[name];
    svg.setAttribute("aria-label", `${method.title} of ${name}, ${set.name}: arrow keys walk from clip to clip, Enter plays`);
    svg.points.forEach((point, i) => {
      const c = target ? target.actual[i] : -1, [colour, shape] = look(c), given = target && target.matched[name] ? target.matched[name][i] : c;
      point.setAttribute("class", `point ${colour}${given === c || given < 0 ? "" : " miss"}${isNow(number, i) ? " now" : ""}${state.lit === c ? " lit" : ""}`);
      point.setAttribute("d", shape);
    });
    svg.classList.toggle("dim", state.lit >= 0);
    return figure;
  }));
  all("svg.map", grid).forEach(place);
  legend.replaceChildren(...(target ? target.classes.map((name, c) => {
    const [colour, shape] = look(c);
    const icon = make("svg", {viewBox: "-1.6 -1.6 3.2 3.2", "aria-hidden": "true"}, make("path", {class: `point ${colour}`, d: shape}));
    const button = make("button", {"aria-pressed": state.lit === c, title: "show only these"}, icon, name);
    button.addEventListener("click", () => { state.lit = state.lit === c ? -1 : c; draw(grid, legend, set, number, names, state); });
    return button;
  }) : []));
}

function newMap(set, number, name, state) {
  const svg = make("svg", {class: "map", tabindex: "0", role: "application"});
  svg.points = set.clips.map(() => make("path"));
  svg.cursor = make("circle", {class: "cursor", r: 0});
  svg.dataset.dataset = number;
  svg.plays = set.page ? i => set.clips[i].sound >= 0 : null; // of a page that plays a few, these are drawn larger
  svg.append(make("g", {}, ...svg.points), svg.cursor);
  svg.at = -1;
  svg.pixels = [];
  const point = i => { svg.at = i; showTip(svg, i, set, name, state); };
  const chosen = () => { if (svg.at >= 0) play(number, svg.at, {target: state.target && state.target.name, embedding: name}); };
  svg.addEventListener("pointermove", event => { if (event.pointerType !== "touch") point(nearest(svg, event, 22)); });
  svg.addEventListener("pointerleave", () => point(-1));
  svg.addEventListener("blur", () => point(-1));
  svg.addEventListener("click", event => {
    const i = nearest(svg, event, 30);
    if (event.pointerType === "touch") svg.at = i; // the finger hides it, and the player says the same
    else point(i);
    chosen();
  });
  svg.addEventListener("keydown", event => {
    const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    if (way) point(neighbour(svg, way));
    else if (event.key === "Enter" || event.key === " ") chosen();
    else return;
    event.preventDefault();
  });
  const figure = make("figure", {"data-embedding": name}, make("figcaption", {}, make("b", {}, name), make("span", {class: "quiet score"})), svg);
  return figure;
}

// points in pixels: the map fills its box, both axes by the same factor
function place(svg) {
  const {width, height} = svg.getBoundingClientRect(), {places, points} = svg, margin = 18;
  if (!width || !places) return;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const xs = places.filter((v, i) => v !== null && i % 2 === 0), ys = places.filter((v, i) => v !== null && i % 2 === 1);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const scale = Math.min((width - 2 * margin) / (right - left || 1), (height - 2 * margin) / (bottom - top || 1));
  const radius = Math.max(2.6, Math.min(6.5, 1.1 * Math.sqrt(width * height / (points.length * 40))));
  svg.pixels = points.map((point, i) => {
    if (places[2 * i] === null) { point.style.display = "none"; return null; }
    const x = width / 2 + (places[2 * i] - (left + right) / 2) * scale, y = height / 2 + (places[2 * i + 1] - (top + bottom) / 2) * scale;
    point.style.transform = `translate(${x}px, ${y}px) scale(${radius * (svg.plays ? svg.plays(i) ? 1.45 : .75 : 1)})`;
    return [x, y];
  });
  svg.radius = radius;
}

function nearest(svg, event, reach) {
  const box = svg.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  return least(svg, pixel => { const d = Math.hypot(pixel[0] - x, pixel[1] - y); return d < reach ? d : Infinity; });
}

function neighbour(svg, [dx, dy]) {
  const from = svg.at < 0 ? null : svg.pixels[svg.at];
  if (!from) return least(svg, pixel => dx * pixel[0] + dy * pixel[1]); // from the far side
  const found = least(svg, pixel => {
    const along = (pixel[0] - from[0]) * dx + (pixel[1] - from[1]) * dy, across = Math.abs((pixel[0] - from[0]) * dy) + Math.abs((pixel[1] - from[1]) * dx);
    return along > 0.5 ? along + 2.5 * across : Infinity;
  });
  return found < 0 ? svg.at : found;
}

function least(svg, cost) {
  let best = -1, low = Infinity;
  svg.pixels.forEach((pixel, i) => { const c = pixel ? cost(pixel) : Infinity; if (c < low) [best, low] = [i, c]; });
  return best;
}

function showTip(svg, i, set, name, {target}) {
  tip.hidden = i < 0;
  svg.cursor.setAttribute("r", i < 0 ? 0 : svg.radius + 4);
  if (i < 0) return;
  const [x, y] = svg.pixels[i], box = svg.getBoundingClientRect();
  svg.cursor.setAttribute("cx", x);
  svg.cursor.setAttribute("cy", y);
  const own = target ? target.actual[i] : -1, given = target && target.matched[name] ? target.matched[name][i] : -1;
  const about = own < 0 ? "" : given === own ? target.classes[own] : `${target.classes[own]}, in the cluster of ${target.classes[given]}`;
  tip.replaceChildren(set.clips[i].title, make("small", {}, about));
  const size = tip.getBoundingClientRect(), left = box.left + x - size.width / 2, top = box.top + y - size.height - 14;
  tip.style.left = `${Math.max(6, Math.min(innerWidth - size.width - 6, left))}px`;
  tip.style.top = `${top < 50 ? box.top + y + 16 : top}px`;
}

document.addEventListener("clip", ({detail}) => {
  for (const svg of all("svg.map")) {
    svg.points.forEach((point, i) => point.classList.toggle("now", Boolean(detail) && detail.dataset === Number(svg.dataset.dataset) && detail.clip === i));
  }
  refresh();
});

const opened = clipAsked();
if (opened !== undefined && data[0] && data[0].clips[opened]) play(0, Number(opened));
