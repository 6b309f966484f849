"use strict";
// Offsets count code points, and a string of JavaScript consists of UTF-16 units. The text content of
// the note is exactly its text, so an offset is the number of code points before a place.

const SEARCH_DELAY = 150;
const TIME_LIMIT = 120_000; // Milliseconds. A model may code the next note meanwhile.
const DECISIONS = ["accept", "reject", "defer", "insufficient", "change"];
const find = (id) => document.getElementById(id);
const note = () => find("note");
const entries = () => [...document.querySelectorAll("li[data-key]")];

let current = null; // Key of the chosen code.
let chosen = null; // The chosen words of the note: {start, end, quote, range}.
let waiting = Promise.resolve(); // Actions are sent one after the other.
let pending = 0; // Number of actions that are not answered.

function make(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function length(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

// Selected words

function readSelection() {
  const selection = getSelection();
  const pane = note();
  if (!pane || !selection.rangeCount) return;
  const range = selection.getRangeAt(0).cloneRange();
  const inside = range.intersectsNode(pane);
  // A caret elsewhere, as in a field, keeps the chosen words. Words elsewhere do not.
  if (range.collapsed && !inside) return;
  if (!inside) {
    choose(null);
    return;
  }
  if (!pane.contains(range.startContainer)) range.setStart(pane, 0);
  if (!pane.contains(range.endContainer)) range.setEnd(pane, pane.childNodes.length);
  if (range.collapsed || !range.toString()) {
    choose(null);
    return;
  }
  const before = document.createRange();
  before.selectNodeContents(pane);
  before.setEnd(range.startContainer, range.startOffset);
  const start = length(before.toString());
  const quote = range.toString();
  choose({start, end: start + length(quote), quote, range});
}

function choose(selected) {
  chosen = selected;
  if (CSS.highlights) {
    if (chosen) CSS.highlights.set("chosen", new Highlight(chosen.range));
    else CSS.highlights.delete("chosen");
  }
  const status = find("chosen");
  if (status) {
    status.textContent = chosen ? `Selected words: ${chosen.start}–${chosen.end}` : "";
  }
}

function reselect() {
  // The text was replaced by one with other marks.
  const points = [...note().textContent];
  const before = points.slice(0, chosen.start).join("").length;
  getSelection().setBaseAndExtent(...place(before), ...place(before + chosen.quote.length));
  readSelection();
}

// Selecting words with the keyboard: a word is a run of letters and digits, or one other sign.

const words = {text: null, starts: [], ends: [], anchor: -1, focus: -1};

function readWords() {
  const text = note().textContent;
  if (words.text === text) return;
  Object.assign(words, {text, starts: [], ends: [], anchor: -1, focus: -1});
  for (const match of text.matchAll(/[\p{L}\p{N}\p{M}]+|[^\s\p{L}\p{N}\p{M}]/gu)) {
    words.starts.push(match.index);
    words.ends.push(match.index + match[0].length);
  }
}

function place(offset) {
  const walker = document.createTreeWalker(note(), NodeFilter.SHOW_TEXT);
  let before = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (offset <= before + node.data.length) return [node, offset - before];
    before += node.data.length;
  }
  return [note(), note().childNodes.length];
}

function moveWord(step, extend) {
  readWords();
  const last = words.starts.length - 1;
  if (last < 0) return;
  const focus = words.focus < 0 ? 0 : Math.min(last, Math.max(0, words.focus + step));
  words.focus = focus;
  if (!extend || words.anchor < 0) words.anchor = focus;
  const first = Math.min(words.anchor, focus);
  const final = Math.max(words.anchor, focus);
  getSelection().setBaseAndExtent(...place(words.starts[first]), ...place(words.ends[final]));
  readSelection();
  getSelection().focusNode.parentElement.scrollIntoView({block: "nearest"});
}

// The chosen code and its evidence

function chooseEntry(key, scroll) {
  current = key;
  for (const item of entries()) item.classList.toggle("current", item.dataset.key === key);
  const marks = document.querySelectorAll("mark");
  for (const mark of marks) mark.classList.toggle("on", mark.dataset.keys.split(" ").includes(key));
  if (scroll === "note") document.querySelector("mark.on")?.scrollIntoView({block: "center"});
  if (scroll) find(key)?.scrollIntoView({block: "nearest"});
}

function step(distance) {
  const keys = entries().map((item) => item.dataset.key);
  if (!keys.length) return;
  const place = keys.indexOf(current);
  const next = place < 0 ? 0 : Math.min(keys.length - 1, Math.max(0, place + distance));
  chooseEntry(keys[next], "note");
  find(keys[next]).focus({preventScroll: true});
}

function nextUndecided(after) {
  const items = entries();
  const place = items.findIndex((item) => item.dataset.key === after);
  const order = [...items.slice(place + 1), ...items.slice(0, place + 1)];
  return order.find((item) => item.dataset.verdict === "undecided")?.dataset.key;
}

function chooseMark(mark) {
  const keys = mark.dataset.keys.split(" ");
  const place = keys.indexOf(current);
  chooseEntry(keys[(place + 1) % keys.length], "code");
  mark.classList.add("on");
}

function stepMark(distance) {
  const marks = [...document.querySelectorAll("mark")];
  if (!marks.length) return;
  const place = marks.indexOf(document.activeElement);
  const mark = marks.at(place < 0 ? 0 : (place + distance) % marks.length);
  mark.focus();
  mark.scrollIntoView({block: "nearest"});
}

// Sending actions. They are sent one after the other, and a key is only read when the action before it is
// answered: it then means what the page shows.

function say(problem) {
  const alert = document.querySelector("[role=alert]");
  alert?.replaceChildren(make("p", {className: "problem", id: "problem"}, problem));
}

function enqueue(task) {
  const address = location.pathname;
  pending += 1;
  waiting = waiting.then(() => (location.pathname === address ? task() : null)).catch(() => {
    say("The page failed, and the last action may not be saved. Reload the page.");
  }).finally(() => {
    pending -= 1;
  });
  return waiting;
}

function fieldsOf(form, button) {
  const fields = new URLSearchParams(new FormData(form, button));
  if (chosen) {
    for (const name of ["start", "end", "quote"]) fields.set(name, chosen[name]);
  }
  return fields;
}

const typedFields = () => document.querySelectorAll("input[id]:not([type=hidden])");

function typedText(sent) {
  // What was typed into fields, by their ids, without the fields that were sent.
  const typed = new Map();
  for (const field of typedFields()) {
    const isSent = sent.get(field.name) === field.value && sent.has(field.name);
    if (field.value !== field.defaultValue && !isSent) typed.set(field.id, field.value);
  }
  return typed;
}

function restore(typed) {
  for (const field of typedFields()) {
    const value = typed.get(field.id);
    if (value === undefined) continue;
    field.value = value;
    const details = field.closest("details");
    if (details) details.open = true;
  }
}

async function post(address, fields) {
  const before = {current, codes: find("codes").scrollTop, focus: document.activeElement, chosen};
  const focused = document.activeElement?.closest("li[data-key]")?.dataset.key;
  const name = document.activeElement?.matches("button") ? document.activeElement.value : null;
  const field = document.activeElement?.matches("input") ? document.activeElement.id : null;
  const keys = entries().map((item) => item.dataset.key);
  if (fields.get("key")) before.current = fields.get("key");
  fields.set("seen", find("main").dataset.seen);
  document.body.setAttribute("aria-busy", "true");
  let response;
  let text;
  try {
    response = await fetch(address, {
      method: "POST", body: fields, credentials: "same-origin", cache: "no-store",
      signal: AbortSignal.timeout(TIME_LIMIT),
    });
    text = await response.text();
  } catch {
    say("The server did not answer, and the action may not be saved. Start it again, and reload the page.");
    return;
  } finally {
    document.body.removeAttribute("aria-busy");
  }
  if (response.status === 401) {
    location.reload();
    return;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  const type = response.headers.get("Content-Type") ?? "";
  if (!type.startsWith("text/html") || !page.querySelector("header")) {
    say(`${response.status}: the action was not saved. Reload the page.`);
    return;
  }
  const isOther = new URL(response.url).pathname !== location.pathname;
  const moved = isOther || !page.getElementById("codes");
  const typed = moved ? new Map() : typedText(response.ok ? fields : new Map());
  const now = document.activeElement;
  const caret = now?.matches("input:not([type=hidden])") ? [now.selectionStart, now.selectionEnd] : null;
  replace(page, moved);
  if (moved) {
    if (isOther) history.pushState(null, "", response.url);
    document.title = page.title;
    scrollTo(0, 0);
    current = null;
    choose(null);
    begin();
    (find(current) ?? find("main")).focus({preventScroll: true});
    return;
  }
  restore(typed);
  const action = fields.get("action");
  const decided = response.ok && DECISIONS.includes(action);
  // Words that were selected during the answer stay selected.
  if (response.ok && chosen === before.chosen) {
    if (/^(evidence|move|add)/.test(action)) getSelection().removeAllRanges();
    choose(null);
  } else if (chosen) {
    reselect();
  }
  find("codes").scrollTop = before.codes;
  // The field in which the reviewer types keeps the focus, so that letters are no decisions.
  const typing = now !== before.focus || !response.ok ? now?.id || field : null;
  if (typing && find(typing)?.matches("input, #note")) {
    chooseEntry(before.current, null);
    find(typing).focus({preventScroll: true});
    if (caret && find(typing).matches("input")) find(typing).setSelectionRange(...caret);
    return;
  }
  const added = entries().map((item) => item.dataset.key).find((item) => !keys.includes(item));
  const key = added ?? ((decided && nextUndecided(before.current)) || before.current);
  chooseEntry(key, added ? "code" : decided ? "note" : null);
  const button = name && find(focused)?.querySelector(`button[value="${CSS.escape(name)}"]`);
  const target = decided || added ? find(key) : button;
  (target || find(focused) || find("codes")).focus({preventScroll: true});
}

function replace(page, moved) {
  const [old, made] = [find("main"), page.getElementById("main")];
  const [text, madeText] = [note(), page.getElementById("note")];
  // The text is kept if its marks are the same: it may be long, and the browser has laid it out.
  const isSame = text && madeText && text.dataset.version === madeText.dataset.version;
  if (!moved && isSame) madeText.replaceWith(text);
  const problem = page.getElementById("problem");
  problem?.remove();
  document.querySelector("header").replaceWith(page.querySelector("header"));
  old.replaceWith(made);
  // Screen readers announce what is added to an alert, and not an alert that is added.
  if (problem) say(problem.textContent);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.act === undefined) return;
  event.preventDefault();
  const fields = fieldsOf(form, event.submitter);
  const address = form.getAttribute("action"); // `form.action` would be the buttons of this name.
  enqueue(() => post(address, fields));
});

function press(action) {
  const isOfNote = ["undo", "done", "reopen"].includes(action);
  const scope = isOfNote ? document.querySelector(".bar") : find(current);
  if (!scope) {
    say("Choose a code first: j and k choose the next and the previous one.");
    return null;
  }
  const button = scope.querySelector(`button[value="${action}"]`);
  return button && post(button.form.getAttribute("action"), fieldsOf(button.form, button));
}

function openField(name) {
  const item = find(current);
  const field = item?.querySelector(`input[name="${name}"]`);
  if (!field) return;
  item.querySelector("details").open = true;
  field.focus();
}

// Searching for codes: the combobox pattern of ARIA 1.2.

function searchField(field) {
  const list = make("ul", {id: `${field.id}-list`, hidden: true});
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Codes");
  field.after(list);
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-expanded", "false");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", list.id);
  let timer = null;
  let active = -1;
  let asked = 0;

  function close() {
    asked += 1;
    clearTimeout(timer);
    list.hidden = true;
    active = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }

  function activate(index) {
    const options = [...list.children];
    active = (index + options.length) % options.length;
    options.forEach((option, n) => option.setAttribute("aria-selected", String(n === active)));
    field.setAttribute("aria-activedescendant", options[active].id);
    options[active].scrollIntoView({block: "nearest"});
  }

  function take(option) {
    field.value = option.dataset.code;
    close();
    describe(field);
  }

  async function search() {
    const number = ++asked;
    const text = field.value.trim();
    if (!text) return close();
    const query = new URLSearchParams({q: text, limit: "12"});
    const response = await fetch(`/codes?${query}`, {cache: "no-store"}).catch(() => null);
    if (number !== asked) return;
    const hits = response?.ok ? await response.json() : [];
    list.replaceChildren(...hits.map((hit, n) => {
      const option = make("li", {id: `${list.id}-${n}`},
        make("span", {className: "code"}, hit.code), ` ${hit.description}`,
        ...(hit.status === "valid" ? [] : [" ", make("span", {className: "flag"}, hit.status)]));
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.dataset.code = hit.code;
      option.addEventListener("mousedown", (event) => event.preventDefault());
      option.addEventListener("click", () => take(option));
      return option;
    }));
    active = -1;
    list.hidden = !hits.length;
    field.setAttribute("aria-expanded", String(hits.length > 0));
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, SEARCH_DELAY);
  });
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown") activate(active + 1);
    else if (event.key === "ArrowUp") activate(active - 1);
    else if (event.key === "Enter" && active >= 0) take(list.children[active]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

async function describe(field) {
  const about = find(`${field.id}-about`);
  const asked = field.value;
  const address = `/codes/${encodeURIComponent(asked)}`;
  const response = await fetch(address, {cache: "no-store"}).catch(() => null);
  if (field.value !== asked) return;
  if (!response?.ok) return about.replaceChildren();
  const code = await response.json();
  const section = (title, lines) => (lines.length
    ? [make("h4", {}, title), make("ul", {}, ...lines.map((line) => make("li", {}, line)))] : []);
  const named = (list) => list.map((other) => {
    const button = make("button", {type: "button"}, other.code);
    button.addEventListener("click", () => {
      field.value = other.code;
      describe(field);
      field.focus();
    });
    return make("span", {}, button, ` ${other.description}`);
  });
  const texts = (list) => list.map((item) => `${item.text} (${item.code})`);
  about.replaceChildren(
    make("p", {}, make("span", {className: "code"}, code.code), ` ${code.description} `,
      make("span", {className: code.billable ? "quiet" : "flag"},
        code.billable ? "billable" : `${code.status}: not billable`)),
    ...section("Inclusion terms", [...code.synonyms, ...code.includes]),
    ...section("Excludes1", texts(code.excludes1)),
    ...section("Excludes2", texts(code.excludes2)),
    ...section("Code first", texts(code.code_first)),
    ...section("Use additional code", texts(code.use_additional_code)),
    ...section("Below it", named(code.children)),
    ...section("Siblings", named(code.siblings)),
  );
}

document.addEventListener("focusin", (event) => {
  const field = event.target;
  if (field.dataset?.search !== undefined && field.getAttribute("role") !== "combobox") {
    searchField(field);
  }
  const item = field.closest?.("li[data-key]");
  if (item && item.dataset.key !== current) chooseEntry(item.dataset.key, null);
});

// Mouse and keyboard

document.addEventListener("selectionchange", () => readSelection());

document.addEventListener("click", (event) => {
  const mark = event.target.closest("mark");
  if (mark && getSelection().isCollapsed) chooseMark(mark);
  const item = event.target.closest("li[data-key]");
  if (item && !event.target.closest("button, input, summary, a")) {
    chooseEntry(item.dataset.key, "note");
  }
});

const KEYS = {
  j: () => step(1), k: () => step(-1), a: () => press("accept"), x: () => press("reject"),
  i: () => press("insufficient"), d: () => press("defer"), e: () => press("evidence"),
  p: () => press("principal"), K: () => press("up"), J: () => press("down"),
  u: () => press("undo"), Backspace: () => press("undo"),
  f: () => press(document.querySelector('.bar button[value="done"]') ? "done" : "reopen"),
  c: () => openField("code"), r: () => openField("reason"), n: () => find("search-add")?.focus(),
  w: () => note().focus(), "[": () => stepMark(-1), "]": () => stepMark(1),
  "?": () => {
    find("help").open = !find("help").open;
    if (find("help").open) find("help").scrollIntoView({block: "nearest"});
  },
};

const MOVES = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10, PageDown: 100, PageUp: -100,
  Home: -Infinity, End: Infinity};

document.addEventListener("keydown", (event) => {
  if (!note() || event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target;
  if (event.key === "Escape") {
    getSelection().removeAllRanges();
    choose(null);
    if (target.matches("input, textarea, select")) target.blur();
    return;
  }
  if (target.matches("input, textarea, select")) return;
  if (target === note() && event.key in MOVES) {
    moveWord(MOVES[event.key], event.shiftKey);
    event.preventDefault();
    return;
  }
  if (target.matches("mark") && event.key === "Enter") {
    chooseMark(target);
    event.preventDefault();
    return;
  }
  if (document.body.dataset.keys !== "on" || !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  // A key that is held would decide on codes that nobody has read.
  if (event.repeat && !"jk[]".includes(event.key)) return;
  const [key, chosenBefore, isBusy] = [event.key, current, pending > 0];
  enqueue(() => {
    if (isBusy && "axidp".includes(key) && current !== chosenBefore) {
      say(`The key ${key} was pressed before the last decision was saved, and did nothing.`);
      return null;
    }
    return KEYS[key]();
  });
});

addEventListener("popstate", () => location.reload());

function begin() {
  const first = entries().find((item) => item.dataset.verdict === "undecided") ?? entries()[0];
  if (first) chooseEntry(first.dataset.key, null);
}

begin();
