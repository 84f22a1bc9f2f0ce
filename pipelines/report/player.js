// One audio element for the page: a clip's excerpt is a base64 MP3 in its own script block, read when it is asked for.
const bar = document.querySelector(".bar"), audio = bar.querySelector("audio"), progress = bar.querySelector(".progress i");
let playing = null; // {dataset, clip}

// view: {target, embedding} the listener was looking at, so that the bar speaks of them first
function play(dataset, clip, view = {}, at = 0) {
  dataset = Number(dataset);
  const same = playing && playing.dataset === dataset && playing.clip === clip;
  playing = {dataset, clip};
  const {clips, page} = data[dataset], {title, href, sound} = clips[clip];
  bar.hidden = false;
  document.body.classList.add("listening");
  bar.querySelector(".title").textContent = title;
  describe(dataset, clip, view);
  const whole = bar.querySelector(".whole");
  href ? whole.href = href : whole.removeAttribute("href");
  whole.textContent = page ? "hear it in the study" : sound >= 0 ? "whole clip" : href ? "no excerpt: open the file" : "no excerpt on this page";
  whole.hidden = sound >= 0 && (!href || Boolean(page));
  bar.querySelector(".play").disabled = sound < 0;
  document.dispatchEvent(new CustomEvent("clip", {detail: playing}));
  if (sound < 0) {
    audio.pause();
    audio.removeAttribute("src");
    return;
  }
  if (!same || !audio.getAttribute("src")) audio.src = "data:audio/mpeg;base64," + document.getElementById(`sound-${dataset}-${sound}`).textContent;
  const start = () => { if (Number.isFinite(audio.duration)) audio.currentTime = at * audio.duration; };
  if (at && audio.readyState < 1) audio.addEventListener("loadedmetadata", start, {once: true});
  else start();
  audio.play().catch(() => {}); // another clip was chosen meanwhile, or the browser cannot: the button stays at play
}

function describe(dataset, clip, view) {
  const {targets, name} = data[dataset];
  const own = targets.filter(target => target.actual[clip] >= 0);
  bar.querySelector(".about").textContent =
    [name, ...own.map(target => `${words(target.name)}: ${target.classes[target.actual[clip]]}`)].join(" · ");
  const target = own.find(one => one.name === view.target) || own[0];
  const chips = target ? Object.entries(target.matched).map(([embedding, places]) => {
    const right = places[clip] === target.actual[clip], main = embedding === view.embedding;
    const text = `${right ? "✓" : "✗"} ${embedding} → ${target.classes[places[clip]]}`;
    const chip = make("span", {class: `${right ? "right" : "wrong"}${main ? " main" : ""}`, title: `${words(target.name)}: the class its cluster was matched to, by ${embedding}`}, text);
    return [main ? 0 : 1, chip];
  }) : [];
  bar.querySelector(".placed").replaceChildren(...chips.sort((a, b) => a[0] - b[0]).map(pair => pair[1]));
}

const toggle = () => { if (audio.getAttribute("src")) audio.paused ? audio.play().catch(() => {}) : audio.pause(); };
const isPlaying = card => playing && Number(card.dataset.dataset) === playing.dataset && Number(card.dataset.clip) === playing.clip;
bar.querySelector(".play").addEventListener("click", toggle);
bar.querySelector(".close").addEventListener("click", stop);
document.addEventListener("keydown", event => { if (event.key === "Escape" && !bar.hidden) stop(); });

function stop() {
  audio.pause();
  bar.hidden = true;
  playing = null;
  document.body.classList.remove("listening");
  document.dispatchEvent(new CustomEvent("clip", {detail: null}));
  refresh();
}

function refresh() {
  const sounding = !audio.paused && !audio.ended;
  bar.querySelector(".play").textContent = sounding ? "❚❚" : "▶";
  for (const card of all(".card")) {
    const here = isPlaying(card);
    card.classList.toggle("playing", Boolean(here));
    card.querySelector(".play").textContent = here && sounding ? "❚❚" : "▶";
  }
}

function follow() {
  const share = audio.duration ? audio.currentTime / audio.duration : 0;
  progress.style.width = `${100 * share}%`;
  all(".card.playing .head").forEach(head => { head.style.left = `${100 * share}%`; });
  if (!audio.paused) requestAnimationFrame(follow);
}
for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, () => { refresh(); follow(); });

for (const card of all(".card")) {
  const {dataset, clip} = card.dataset;
  card.querySelector(".play").addEventListener("click", () => isPlaying(card) ? toggle() : play(dataset, Number(clip)));
  for (const plot of all(".plot", card)) {
    plot.addEventListener("click", event => {
      const box = plot.getBoundingClientRect();
      play(dataset, Number(clip), {}, (event.clientX - box.left) / box.width);
    });
  }
}

for (const list of all(".near")) {
  const {dataset, embedding} = list.dataset;
  for (const button of all("button", list)) button.addEventListener("click", () => play(dataset, Number(button.dataset.clip), {embedding}));
  document.addEventListener("clip", ({detail}) => {
    for (const button of all("button", list)) {
      button.classList.toggle("now", Boolean(detail) && detail.dataset === Number(dataset) && detail.clip === Number(button.dataset.clip));
    }
  });
}

for (const button of all(".hear")) button.addEventListener("click", () => play(0, Number(button.dataset.clip)));
