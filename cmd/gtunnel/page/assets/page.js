"use strict";
// Keeps the page up to date: the server sends the parts that have changed as
// HTML, in which all that anybody else said is escaped.

const live = document.getElementById("live");
const pause = document.getElementById("pause");
let source = null;
let retry = 0;
let paused = false;

// Makes the children of an element those of another, and leaves alone what is
// the same, so that focus, selection and what is unfolded stay.
function become(element, wanted) {
  const have = Array.from(element.childNodes);
  const want = Array.from(wanted.childNodes);
  want.forEach((fresh, i) => {
    const old = have[i];
    if (!old) {
      element.append(document.importNode(fresh, true));
    } else if (old.nodeName !== fresh.nodeName) {
      old.replaceWith(document.importNode(fresh, true));
    } else if (old.nodeType === Node.TEXT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
    } else if (old.nodeType === Node.ELEMENT_NODE) {
      copyAttributes(old, fresh);
      become(old, fresh);
    }
  });
  have.slice(want.length).forEach((old) => old.remove());
}

function copyAttributes(old, fresh) {
  for (const { name, value } of Array.from(fresh.attributes)) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of Array.from(old.attributes)) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
}

function say(text, state) {
  if (live.textContent !== text) live.textContent = text;
  document.body.dataset.live = state;
}

function connect() {
  if (source || paused || document.hidden) return;
  clearTimeout(retry);
  source = new EventSource("events");
  source.onmessage = (message) => {
    const update = JSON.parse(message.data);
    document.title = update.title;
    for (const [id, html] of Object.entries(update.parts)) {
      const wanted = document.createElement("template");
      wanted.innerHTML = html;
      become(document.getElementById(id), wanted.content);
    }
    say("Live", "on");
  };
  source.onerror = () => {
    const since = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    if (document.body.dataset.live !== "lost") {
      say(`Connection lost at ${since}: this is the state of then`, "lost");
      document.title = `Connection lost: ${document.title}`;
    }
    if (source.readyState === EventSource.CLOSED) { // refused: the browser does not try again
      disconnect();
      retry = setTimeout(connect, 15000);
    }
  };
}

function disconnect() {
  clearTimeout(retry);
  if (source) source.close();
  source = null;
}

pause.hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = paused ? "Resume" : "Pause";
  if (paused) {
    disconnect();
    say("Paused", "paused");
  } else {
    connect();
  }
});
document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
window.addEventListener("pagehide", disconnect);
window.addEventListener("pageshow", connect);
connect();
