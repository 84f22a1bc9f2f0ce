// Tables: signs of columns and rows out of sight, export as CSV and LaTeX, and tooltips by touch and keyboard.
for (const box of all(".scroll")) {
  const table = box.querySelector("table"), sign = make("button", {class: "more", hidden: ""});
  box.before(sign);
  const look = () => {
    const {right, bottom} = box.getBoundingClientRect();
    const columns = [...(table.tHead || table).rows[0].cells].filter(cell => cell.getBoundingClientRect().right > right + 2).length;
    const rows = [...(table.tBodies[0] || table).rows].filter(row => row.getBoundingClientRect().bottom > bottom + 2).length;
    const hidden = [columns && `${columns} more column${columns > 1 ? "s" : ""} →`, rows && `${rows} more row${rows > 1 ? "s" : ""} ↓`];
    sign.textContent = hidden.filter(Boolean).join(" · ");
    sign.hidden = !sign.textContent;
  };
  sign.addEventListener("click", () => {
    const wide = box.scrollWidth - box.clientWidth - box.scrollLeft > 2;
    box.scrollBy(wide ? {left: box.clientWidth * .6} : {top: box.clientHeight * .8});
  });
  box.addEventListener("scroll", look, {passive: true});
  new ResizeObserver(look).observe(box); // also when a fold or a tab opens
}

// what a spreadsheet would run as a formula is led by an apostrophe
const cell = value => {
  const text = value === null ? "" : typeof value === "string" && /^\s*[=+\-@]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const LATEX = {"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"};
const latex = value => {
  if (value === null) return "--";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : value.toFixed(3);
  return value.replace(/[\\~^]|[&%$#_{}]/g, sign => LATEX[sign] || `\\${sign}`);
};
const FORMATS = {
  CSV: ({columns, rows}) => ["csv", [columns, ...rows].map(row => row.map(cell).join(",") + "\r\n").join("")],
  LaTeX: ({columns, rows}) => {
    const kinds = columns.map((_, i) => rows.some(row => typeof row[i] === "string") ? "l" : "r").join("");
    const line = row => `${row.map(latex).join(" & ")} \\\\`;
    return ["tex", [`% \\usepackage{booktabs}`, `\\begin{tabular}{${kinds}}`, "\\toprule", line(columns), "\\midrule",
      ...rows.map(line), "\\bottomrule", "\\end{tabular}", ""].join("\n")];
  },
};
for (const place of all(".export")) {
  const table = JSON.parse(place.querySelector("script").textContent);
  place.append("The numbers in full: ");
  for (const [name, write] of Object.entries(FORMATS)) {
    const button = make("button", {}, name);
    button.addEventListener("click", () => {
      const [ending, text] = write(table);
      make("a", {download: `${place.dataset.name}.${ending}`, href: "data:text/plain;charset=utf-8," + encodeURIComponent(text)}).click();
    });
    place.append(button);
  }
}

// A tooltip needs a mouse: its text is also shown where a finger touches, or the keyboard stops.
const tip = document.querySelector(".tip");
function showText(text, {left, top, bottom, width}) {
  tip.replaceChildren(...text.split("\n").flatMap((line, i) => i ? [make("br"), line] : [line]));
  tip.hidden = false;
  const size = tip.getBoundingClientRect(), x = left + width / 2 - size.width / 2, y = top - size.height - 10;
  tip.style.left = `${Math.max(6, Math.min(innerWidth - size.width - 6, x))}px`;
  tip.style.top = `${y < 50 ? bottom + 10 : y}px`;
}
const titleOf = node => node.getAttribute("title") || (node.querySelector(":scope > title") || {}).textContent;
for (const node of all("abbr[title]")) {
  node.tabIndex = 0;
  node.addEventListener("focus", () => showText(titleOf(node), node.getBoundingClientRect()));
  node.addEventListener("blur", () => { tip.hidden = true; });
}
document.addEventListener("click", event => {
  if (event.target.closest("svg.map, a, summary")) return;
  const node = event.target.closest("[title], svg *");
  const text = node && titleOf(node);
  tip.hidden = true;
  if (text) showText(text, node.getBoundingClientRect());
});
addEventListener("scroll", () => { if (!tip.hidden && !document.querySelector("svg.map:hover")) tip.hidden = true; }, {passive: true});
document.addEventListener("keydown", event => { if (event.key === "Escape") tip.hidden = true; });
