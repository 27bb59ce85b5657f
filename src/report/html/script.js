"use strict";
// The changes are one line of JSON each, so that a search needs no parsing and only the shown ones are parsed:
// [kind, id, name, {field: [[current, wanted, key], …], …}]; [] stands for what is absent.
// Foreign text becomes text nodes alone: the policy of the page forbids to make elements of text.
(() => {
  const PAGE = 100;
  const LONGEST_LIST = 200;
  const LONGEST_TEXT = 1000;
  const CONTEXT = 60;
  const MARKS = { create: "+", update: "~", rename: ">", offboard: "-" };
  const ROLES = { table: "table", thead: "rowgroup", tbody: "rowgroup", tr: "row", td: "cell" };

  const data = document.getElementById("data");
  if (!data) return;
  const find = document.getElementById("find");
  const [query, kind, field] = ["query", "kind", "field"].map((name) => find.elements[name]);
  const found = document.getElementById("found");
  const table = document.getElementById("table");
  const buttons = [...document.querySelectorAll("[data-page]")];
  const lines = data.textContent.split("\n").slice(1, -1);
  let lowered = null;
  let matches = lines.map((_, number) => number);
  let page = 0;

  const number = (count) => count.toLocaleString("en");
  const last = () => Math.max(0, Math.ceil(matches.length / PAGE) - 1);

  function element(tag, className, ...children) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (ROLES[tag]) made.setAttribute("role", ROLES[tag]);
    made.append(...children);
    return made;
  }

  function search() {
    // As it stands in a line.
    const quoted = (term) => JSON.stringify(term).slice(1, -1).replaceAll("<", "\\u003c");
    const terms = query.value.toLowerCase().split(/\s+/).filter(Boolean).map(quoted);
    const start = kind.value && `["${kind.value}",`;
    const member = field.value && `"${field.value}":[`;
    if (terms.length) lowered ??= data.textContent.toLowerCase().split("\n").slice(1, -1);
    matches = [];
    for (let at = 0; at < lines.length; at++) {
      if (start && !lines[at].startsWith(start)) continue;
      if (member && !lines[at].includes(member)) continue;
      if (terms.every((term) => lowered[at].includes(term))) matches.push(at);
    }
    page = 0;
    show();
  }

  function show() {
    page = Math.min(Math.max(page, 0), last());
    const from = page * PAGE;
    const shown = matches.slice(from, from + PAGE);
    const heads = ["Customer", "Field", "Current in Explo", "Wanted"].map((text) => {
      const head = element("th", "", text);
      head.scope = "col";
      head.setAttribute("role", "columnheader");
      return head;
    });
    const changes = shown.map((at) => change(JSON.parse(lines[at].replace(/,$/, ""))));
    table.replaceChildren(element("thead", "", element("tr", "", ...heads)), ...changes);
    table.hidden = !shown.length;
    const all = matches.length === lines.length ? "changes" : `matching changes, of ${number(lines.length)}`;
    found.textContent = shown.length
      ? `${number(from + 1)} to ${number(from + shown.length)} of ${number(matches.length)} ${all}`
      : "No change matches.";
    for (const button of buttons) {
      button.disabled = target(button) === page;
      button.parentElement.hidden = !last();
    }
    remember();
  }

  function target(button) {
    const targets = { first: 0, previous: page - 1, next: page + 1, last: last() };
    return Math.min(Math.max(targets[button.dataset.page], 0), last());
  }

  function change([kind, id, name, fields]) {
    const entries = Object.entries(fields);
    const label = element("span", `kind ${kind}`, `${MARKS[kind] ?? ""} ${kind}`);
    const who = element("th", "", label, " ", element("bdi", "id", id));
    const given = typeof name === "string" ? name : kind === "create" && fields.name?.[0]?.[1];
    if (given) who.append(element("div", "name", element("bdi", "", given)));
    who.setAttribute("role", "rowheader");
    who.scope = "rowgroup";
    if (!entries.some(([, parts]) => parts.length)) {
      const names = element("td", "masked", entries.map(([field]) => field).join(", "));
      names.colSpan = 3;
      return element("tbody", "", element("tr", "", who, names));
    }
    who.rowSpan = entries.length;
    const rows = entries.map(([field, parts], at) => {
      const [current, wanted] = sides(parts);
      const cells = [element("td", "field", field), element("td", "", current), element("td", "", wanted)];
      return element("tr", "", ...(at ? [] : [who]), ...cells);
    });
    return element("tbody", "", ...rows);
  }

  /** Both sides of a field: what differs comes first and is marked. */
  function sides(parts) {
    const has = (side) => typeof side === "string";
    const isList = parts.length !== 1 || parts[0].length > 2;
    const ordered = [...parts].sort((a, b) => (a[0] === a[1]) - (b[0] === b[1]));
    return [0, 1].map((side) => {
      const own = ordered.filter((part) => has(part[side]));
      if (!own.length) return element("span", "none", "nothing");
      const items = own.slice(0, LONGEST_LIST).map((part) => {
        const value = marked(part[side], part[1 - side], side ? "ins" : "del");
        return part.length > 2 ? [element("bdi", "key", part[2]), ": ", value] : [value];
      });
      if (!isList) return items[0][0];
      const more = own.length - items.length;
      const rest = more ? [element("li", "none", `… and ${number(more)} more`)] : [];
      return element("ul", "values", ...items.map((item) => element("li", "", ...item)), ...rest);
    });
  }

  /** A value, with the part marked in which it differs from the other side. */
  function marked(own, other, tag) {
    if (!own) return element("span", "none", "empty text");
    if (own === other) return element("bdi", "same", cut(own));
    if (typeof other !== "string") return element(tag, "", element("bdi", "", cut(own)));
    const [a, b] = [words(own), words(other)];
    let start = 0;
    let end = 0;
    while (start < Math.min(a.length, b.length) && a[start] === b[start]) start++;
    while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++;
    const middle = a.slice(start, a.length - end).join("");
    const before = a.slice(Math.max(0, start - CONTEXT), start).join("");
    const after = a.slice(a.length - end, a.length - end + CONTEXT).join("");
    const value = element("bdi", "", start > CONTEXT ? "…" : "", before);
    if (middle) value.append(element(tag, "", cut(middle)));
    value.append(after, end > CONTEXT ? "…" : "");
    return value;
  }

  /** Words and what is between them, of any language; the characters of a long text. */
  function words(text) {
    if (text.length > 10000 || !Intl.Segmenter) return Array.from(text);
    const words = new Intl.Segmenter("en", { granularity: "word" });
    return Array.from(words.segment(text), ({ segment }) => segment);
  }

  function cut(text) {
    if (text.length <= LONGEST_TEXT) return text;
    return `${text.slice(0, LONGEST_TEXT)}… (${number(text.length)} characters)`;
  }

  /** The address holds the search, so that a link leads to it and reloading keeps it. */
  function remember() {
    const state = new URLSearchParams();
    for (const input of [query, kind, field]) if (input.value) state.set(input.name, input.value);
    if (page) state.set("page", page + 1);
    const hash = state.size ? `#${state}` : "";
    if (hash || isState(location.hash)) history.replaceState(null, "", hash || "#changes");
  }

  function isState(hash) {
    return /^#(query|kind|field|page)=/.test(hash);
  }

  function recall() {
    if (!isState(location.hash)) return false;
    const state = new URLSearchParams(location.hash.slice(1));
    for (const input of [query, kind, field]) input.value = state.get(input.name) ?? "";
    const asked = Number(state.get("page")) || 1;
    search();
    page = asked - 1;
    show();
    document.getElementById("changes").scrollIntoView();
    return true;
  }

  let waiting = 0;
  query.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 100);
  });
  find.addEventListener("change", search);
  find.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  for (const button of buttons) {
    button.addEventListener("click", () => {
      page = target(button);
      show();
      document.getElementById("changes").scrollIntoView();
    });
  }
  addEventListener("hashchange", recall);
  document.getElementById("live").hidden = false;
  if (!recall()) show();
})();
