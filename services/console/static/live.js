// Replaces the board with each fragment that comes; without script the page is what it was when it was loaded.
"use strict";
const board = document.getElementById("papan"), mark = document.getElementById("hidup");
const trusted = window.trustedTypes ? trustedTypes.createPolicy("papan", {createHTML: text => text}) : {createHTML: text => text};
const events = new EventSource(board.dataset.live);
events.onopen = () => { mark.hidden = false; };
events.onerror = () => { mark.hidden = true; };
const stops = () => [...board.querySelectorAll("a, summary, button, input")];
let shown = "";
events.onmessage = event => {
  if (event.data === shown) { return; }
  shown = event.data;
  const open = [...board.querySelectorAll("details")].map(one => one.open);
  const place = stops().indexOf(document.activeElement);
  board.innerHTML = trusted.createHTML(event.data);
  board.querySelectorAll("details").forEach((one, at) => { one.open = open[at] || false; });
  // Whoever works by keyboard stays where they were.
  if (place >= 0) { stops()[place]?.focus({preventScroll: true}); }
};
