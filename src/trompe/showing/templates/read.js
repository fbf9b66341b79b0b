"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const data = JSON.parse(at("data").textContent);
  const PAUSE = 200; // ms between two pictures, so that one is not read into the next
  const picture = at("picture");
  const find = at("find");
  const answers = [];
  let order = [];
  let shown = 0;
  let ready = false;
  let saved = false;

  const shuffled = (items) => {
    const mixed = [...items];
    for (let i = mixed.length - 1; i > 0; i -= 1) {
      const j = Math.floor(Math.random() * (i + 1));
      [mixed[i], mixed[j]] = [mixed[j], mixed[i]];
    }
    return mixed;
  };
  const bytes = [...crypto.getRandomValues(new Uint8Array(8))];
  const rater = `r${bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  const part = (name) => { for (const id of ["start", "ask", "end"]) at(id).hidden = id !== name; };

  // Every person has an order of their own; what is shown twice was first seen in the first half.
  const begin = () => {
    const once = shuffled(data.pictures).map((one) => ({ ...one, repeat: 0 }));
    const again = shuffled(once.slice(0, Math.floor(once.length / 2))).slice(0, data.repeats);
    order = [...once, ...again.map((one) => ({ ...one, repeat: 1 }))];
    part("ask");
    show();
  };

  const show = () => {
    ready = false;
    picture.classList.add("away");
    at("turn").textContent = `Picture ${answers.length + 1} of ${order.length}`;
    at("done").value = answers.length;
    if (find) { find.value = ""; narrow(); find.focus(); }
    picture.src = order[answers.length].source;
    picture.decode().catch(() => {}).then(() => setTimeout(appear, PAUSE));
  };

  const appear = () => {
    picture.classList.remove("away");
    shown = performance.now();
    ready = true;
  };

  const answer = (given) => {
    if (!ready) return;
    const { id, repeat } = order[answers.length];
    answers.push({ id, repeat, given, time: Math.round(performance.now() - shown) });
    if (answers.length < order.length) show(); else finish();
  };

  for (const button of document.querySelectorAll("button[data-answer]")) {
    button.addEventListener("click", () => answer(button.dataset.answer));
  }
  at("begin").addEventListener("click", begin);
  at("again").addEventListener("click", () => location.reload());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (!at("start").hidden) {
      if (event.key === "Enter" && event.target !== at("begin")) begin();
      return;
    }
    if (at("ask").hidden) return;
    if (find) { choose(event); return; }
    const key = event.key.toLowerCase();
    const button = [...document.querySelectorAll("button[data-key]")].find((one) => one.dataset.key === key);
    if (button) answer(button.dataset.answer);
  });

  // Many names: typing narrows the list, arrows move in it, Enter takes what is marked. Nothing is marked beforehand.
  const names = find ? [...at("found").children] : [];
  const visible = () => names.filter((name) => !name.hidden);
  const mark = (one) => {
    for (const name of names) name.setAttribute("aria-selected", String(name === one));
    if (one) { find.setAttribute("aria-activedescendant", one.id); one.scrollIntoView({ block: "nearest" }); }
    else find.removeAttribute("aria-activedescendant");
  };
  const narrow = () => {
    const words = find.value.trim().toLowerCase();
    for (const name of names) name.hidden = !name.dataset.answer.toLowerCase().includes(words);
    const exact = visible().find((name) => name.dataset.answer.toLowerCase() === words);
    mark(words ? exact || visible()[0] : undefined);
    if (!words) at("found").scrollTop = 0;
  };
  const choose = (event) => {
    const open = visible();
    const here = open.findIndex((name) => name.getAttribute("aria-selected") === "true");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") answer(data.none);
    else if (event.key === "Enter" && event.target === find && here >= 0) answer(open[here].dataset.answer);
    else if (step && open.length) mark(open[Math.min(Math.max(here + step, 0), open.length - 1)]);
    else return;
    event.preventDefault();
  };
  if (find) {
    find.addEventListener("input", narrow);
    for (const name of names) name.addEventListener("click", () => answer(name.dataset.answer));
  }

  const unseal = (sealed, name) => {
    const mixed = Uint8Array.from(atob(sealed), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(mixed.map((byte, i) => byte ^ name.charCodeAt(i % name.length))));
  };
  const cell = (text) => `"${String(text).replaceAll('"', '""')}"`;
  const table = () => {
    const plain = at("name").value.replace(/[^\p{L}\p{N} ._-]/gu, "").replace(/^[ ._-]+/, "");
    const rows = answers.map((one) => [rater, plain, data.page, one.id, one.repeat, one.given, one.time]);
    return [data.columns, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
  };

  const element = (tag, text, name = "") => {
    const made = document.createElement(tag);
    made.textContent = text;
    made.className = name;
    return made;
  };
  const figure = (value, words) => {
    const both = document.createElement("div");
    both.append(element("dt", words), element("dd", value));
    return both;
  };
  const count = (items, right) => `${items.filter(right).length} of ${items.length}`;
  const isNone = (one) => one.given === data.none || data.nothing.includes(one.given);

  const finish = () => {
    const told = unseal(data.sealed, data.page);
    const truth = new Map(data.pictures.map((one, i) => [one.id, { source: one.source, what: told[i] }]));
    const first = answers.filter((one) => !one.repeat).map((one) => ({ ...one, ...truth.get(one.id) }));
    const of = (kind) => first.filter((one) => one.what[0] === kind);
    const given = new Map(first.map((one) => [one.id, one.given]));
    const own = (one) => one.given === one.what[1];
    const kept = of("kept");
    at("result").textContent = `You saw the network’s class in ${count(kept, own)} pictures it is certain about.`;
    at("figures").replaceChildren(
      figure(count(kept, (one) => !own(one) && !isNone(one)), "of those you read as another class"),
      figure(count(kept, isNone), "of those you saw nothing in"),
      figure(count(of("real"), own), "real pictures you named rightly"),
      figure(count(of("noise"), isNone), "pictures of noise in which you saw nothing"),
      figure(count(answers.filter((one) => one.repeat), (one) => given.get(one.id) === one.given), "shown twice, answered alike"),
    );
    const enough = (items, right) => items.filter(right).length / items.length >= data.attention;
    const times = answers.map((one) => one.time).sort((a, b) => a - b);
    const hasty = times[Math.floor(times.length / 2)] < data.fastest;
    if (hasty || !enough(of("real"), own) || !enough(of("noise"), isNone)) {
      at("attention").textContent = "Too few real pictures were named rightly, too little noise was called none, or the "
        + "answers came faster than anybody reads: a study counts such answers apart. Nobody is to blame; some data are hard.";
      at("attention").hidden = false;
    }
    list([...kept, ...of("real"), ...of("noise")]);
    at("save").href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
    part("end");
    at("result").focus();
    scrollTo(0, 0);
  };

  const list = (items) => {
    at("all").replaceChildren(...items.map((one) => {
      const [kind, label, method] = one.what;
      const said = { kept: `made to be ${label}`, real: `a real ${label}`, noise: "noise" }[kind];
      const right = { kept: true, real: one.given === label, noise: isNone(one) }[kind];
      const item = document.createElement("li");
      const image = document.createElement("img");
      image.src = one.source;
      image.alt = said;
      const you = `you: ${one.given}, ${(one.time / 1000).toFixed(1)} s`;
      item.append(image, element("span", said), element("span", you, right ? "you" : "you differs"));
      if (method) item.append(element("span", method, "you"));
      return item;
    }));
  };

  at("save").addEventListener("click", () => { saved = true; });
  addEventListener("beforeunload", (event) => { if (answers.length && !saved) event.preventDefault(); });
})();
