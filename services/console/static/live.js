// Replaces the board with each fragment that comes; without script the page is what it was when it was loaded.
"use strict";
const board = document.getElementById("papan"), mark = document.getElementById("hidup");
const trusted = window.trustedTypes ? trustedTypes.createPolicy("papan", {createHTML: text => text}) : {createHTML: text => text};
const events = new EventSource(board.dataset.live);
events.onopen = () => { mark.hidden = false; };
events.onerror = () => { mark.hidden = true; };
events.onmessage = event => {
  const open = [...board.querySelectorAll("details")].map(one => one.open);
  board.innerHTML = trusted.createHTML(event.data);
  board.querySelectorAll("details").forEach((one, place) => { one.open = open[place] || false; });
};
