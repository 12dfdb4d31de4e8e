// Times: the server writes UTC; here they become the reader's own, and "in 3 min" stays true while the page is open.
(() => {
  "use strict";
  const DAY = 86_400_000;
  const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });
  const dayAndYear = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric" });
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const minutes = new Intl.DateTimeFormat("en-GB", clock);
  const seconds = new Intl.DateTimeFormat("en-GB", { ...clock, second: "2-digit" });
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

  const midnight = (instant) => new Date(instant.getFullYear(), instant.getMonth(), instant.getDate()).getTime();

  const dayOf = (instant) => {
    const now = new Date();
    const days = Math.round((midnight(instant) - midnight(now)) / DAY);
    if (days >= -1 && days <= 1) return ["Yesterday", "Today", "Tomorrow"][days + 1];
    return (instant.getFullYear() === now.getFullYear() ? day : dayAndYear).format(instant).replace(",", "");
  };

  // Within a sentence, behind "at" or "until": 09:00:00 tomorrow, 09:00:00 on Mon 30 Nov.
  const within = (instant) => {
    const said = dayOf(instant);
    return `${seconds.format(instant)} ${said.includes(" ") ? `on ${said}` : said.toLowerCase()}`;
  };

  // The same words as distance(), lateness() and span() of formatting.py.
  const distance = (millis, style) => {
    const away = Math.abs(millis) / 1000;
    if (style === "due" && millis <= 0 && away < 60) return "due now";
    if (away < 1 || (style === "coming" && millis <= 0)) return "now";
    const text = away < 60 ? `${Math.floor(away)} s`
      : away < 3600 ? `${Math.floor(away / 60)} min`
      : away < 172_800 ? `${Math.floor(away / 3600)} h`
      : `${Math.floor(away / 86_400)} days`;
    return millis > 0 ? `in ${text}` : style === "due" ? `late by ${text}` : `${text} ago`;
  };

  const localise = (root) => {
    for (const time of root.querySelectorAll("time[data-when]")) {
      const instant = new Date(time.dateTime);
      const style = time.dataset.when;
      if (!time.title) time.title = `${instant.toISOString().slice(0, 19).replace("T", " ")} UTC, shown in ${zone}`;
      time.textContent = style === "milli" ? `${seconds.format(instant)}.${String(instant.getMilliseconds()).padStart(3, "0")}`
        : style === "within" ? within(instant)
        : style === "day" ? dayOf(instant) : `${dayOf(instant)}, ${(style === "second" ? seconds : minutes).format(instant)}`;
    }
  };

  // A wall-clock time of another zone stands beside the reader's only where the two differ, and with the day only where that does.
  const hideSame = (root) => {
    for (const place of root.querySelectorAll("[data-wall]")) {
      const here = new Date(place.dataset.at);
      const wall = new Date(place.dataset.wall.slice(0, 19));
      place.hidden = Math.abs(here - wall) < 1000;
      const time = place.querySelector("time");
      if (time && midnight(here) === midnight(wall)) time.textContent = minutes.format(here);
    }
  };

  const refresh = (root) => {
    for (const time of root.querySelectorAll("time[data-relative]")) {
      const text = distance(new Date(time.dateTime) - Date.now(), time.dataset.relative);
      if (time.textContent !== text) time.textContent = text;
    }
  };

  const nameZone = () => {
    if (zone && zone !== "UTC") for (const place of document.querySelectorAll("[data-zone]")) place.textContent = `Times are those of ${zone}.`;
  };

  const both = () => { localise(document); hideSame(document); refresh(document); };
  document.addEventListener("DOMContentLoaded", nameZone);
  document.addEventListener("DOMContentLoaded", both);
  document.addEventListener("htmx:afterSwap", both);
  setInterval(() => { if (!document.hidden) refresh(document); }, 1000);
})();
