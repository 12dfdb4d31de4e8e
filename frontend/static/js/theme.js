// The theme: the reader's choice if they made one, else the system's. Loaded before the first paint, so that none flashes.
(() => {
  "use strict";
  const KEY = "fencepost-theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  const chosen = () => {
    try { return localStorage.getItem(KEY); } catch { return null; }
  };

  const apply = () => {
    const theme = chosen() ?? (system.matches ? "dark" : "light");
    root.dataset.bsTheme = theme;
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.hidden = false;
      button.setAttribute("aria-label", theme === "dark" ? "Switch to the light theme" : "Switch to the dark theme");
    }
    document.dispatchEvent(new CustomEvent("fencepost:theme"));
  };

  apply();
  document.addEventListener("DOMContentLoaded", apply);
  system.addEventListener("change", apply);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    try { localStorage.setItem(KEY, root.dataset.bsTheme === "dark" ? "light" : "dark"); } catch { /* not remembered */ }
    apply();
  });
})();
