// Keeps an answer on this device under its request_id until the server has acknowledged it: a lost line, or a closed
// browser, loses nothing. Without script the form is sent as any other.
"use strict";
const told = document.getElementById("draf"), mine = `draf:${told.dataset.subject}:`;
const waiting = () => Object.keys(localStorage).filter(key => key.startsWith(mine)).sort();
const read = key => JSON.parse(localStorage.getItem(key));
const csrf = document.querySelector("input[name=csrf]").value;

function show(words) {
  const count = waiting().length;
  told.hidden = !count;
  told.textContent = count ? (words || told.dataset.wait).replace("{count}", count) : "";
}

// True when the server has it; false when it has said no for good; undefined when nobody answered.
async function send(key) {
  const kept = read(key), body = new URLSearchParams([...kept.fields, ["csrf", csrf]]);
  let answer;
  try {
    answer = await fetch(kept.path, {method: "POST", body, redirect: "manual", headers: {accept: "application/json"}});
  } catch { return {}; }
  if (answer.type === "opaqueredirect") return {words: told.dataset.signIn};
  if (answer.status >= 500 || answer.status === 429) return {};
  if (!answer.ok) return {refused: true};
  const saved = await answer.json();
  localStorage.removeItem(key);
  // What else waits was begun from the same state: only another person's change is a conflict.
  for (const other of waiting()) {
    const one = read(other);
    if (one.evaluation !== kept.evaluation) continue;
    one.fields = one.fields.map(([name, value]) => [name, name === "etag" && value === kept.etag ? saved.etag : value]);
    localStorage.setItem(other, JSON.stringify(one));
  }
  return {next: saved.next};
}

let sending = false;
async function sendAll() {
  if (sending || !waiting().length) return show();
  sending = true;
  let words;
  for (const key of waiting()) {
    const answer = await send(key);
    if (answer.refused) words = told.dataset.refused;
    else if (!answer.next) { words = answer.words; break; }
  }
  sending = false;
  show(words);
}

const form = document.querySelector("form[data-draft]");
if (form) {
  const key = mine + location.pathname;
  const kept = localStorage.getItem(key) && read(key);
  if (kept) for (const [name, value] of kept.fields) {
    const field = [...form.elements].find(one => one.name === name && (one.type !== "radio" || one.value === value));
    if (!field || field.type === "hidden") continue;
    if (field.type === "radio" || field.type === "checkbox") field.checked = true; else field.value = value;
  }
  form.addEventListener("submit", async event => {
    event.preventDefault();
    const fields = [...new FormData(form, event.submitter)].filter(([name]) => name !== "csrf");
    const etag = form.elements.etag.value;
    localStorage.setItem(key, JSON.stringify({path: location.pathname, evaluation: form.dataset.draft, etag, fields}));
    show();
    const answer = await send(key);
    if (answer.next) location.assign(answer.next);
    // The server says why, on a page of its own, to the same request.
    else if (answer.refused) { localStorage.removeItem(key); form.submit(); }
    else show(answer.words);
  });
}
addEventListener("online", sendAll);
setInterval(sendAll, 5000);
sendAll();
