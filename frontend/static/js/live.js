// Regions that refresh themselves: each has hx-trigger="refresh" and data-poll-seconds. One button stops them all, a hidden
// tab rests, and when answers fail to come the button says since when.
(() => {
  "use strict";
  const KEY = "fencepost-live";
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const due = new WeakMap();
  let stalledSince = null;

  const isLive = () => {
    try { return sessionStorage.getItem(KEY) !== "off"; } catch { return true; }
  };

  const show = () => {
    for (const button of document.querySelectorAll("[data-live]")) {
      const live = isLive();
      button.hidden = !document.querySelector("[data-poll-seconds]");
      button.setAttribute("aria-pressed", String(live));
      button.classList.toggle("live-stalled", live && stalledSince !== null);
      const text = !live ? "Stopped" : stalledSince ? `No answer since ${clock.format(stalledSince)}` : "Live";
      const place = button.querySelector("[data-live-text]");
      if (place.textContent !== text) place.textContent = text;
      button.title = live ? "This page refreshes itself. Press to stop it." : "This page stands still. Press to let it refresh itself.";
    }
  };

  const tick = () => {
    if (document.hidden || !isLive()) return;
    const now = Date.now();
    for (const region of document.querySelectorAll("[data-poll-seconds]")) {
      if ((due.get(region) ?? 0) > now) continue;
      if (due.has(region)) window.htmx.trigger(region, "refresh");
      due.set(region, now + Number(region.dataset.pollSeconds) * 1000);
    }
  };

  document.addEventListener("DOMContentLoaded", () => { show(); tick(); setInterval(tick, 250); });
  document.addEventListener("visibilitychange", tick);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-live]")) return;
    try { sessionStorage.setItem(KEY, isLive() ? "off" : "on"); } catch { /* not remembered */ }
    show();
  });

  const isPolled = (event) => event.detail.elt?.matches?.("[data-poll-seconds]");
  const stalled = (event) => {
    if (!isPolled(event)) return;
    stalledSince ??= new Date();
    show();
  };
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) document.addEventListener(name, stalled);
  document.addEventListener("htmx:afterSwap", (event) => {
    if (!isPolled(event)) return;
    stalledSince = null;
    show();
  });
})();
