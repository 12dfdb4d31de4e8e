// The schedule form: comforts only. Everything here works without it, with one more press of a button.
(() => {
  "use strict";
  const form = document.querySelector("[data-editor]");
  if (!form) return;
  const field = (name) => form.elements.namedItem(name);
  const preview = () => document.getElementById("when").dispatchEvent(new CustomEvent("fencepost:preview"));

  // A new schedule begins in the reader's own zone.
  if (form.hasAttribute("data-fresh") && field("timezone").value === "UTC") {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone && zone !== "UTC") {
      field("timezone").value = zone;
      window.addEventListener("load", preview);
    }
  }

  for (const list of form.querySelectorAll("[data-examples]")) list.hidden = false;
  form.addEventListener("click", (event) => {
    const example = event.target.closest("[data-expression]");
    if (!example) return;
    field("expression").value = example.dataset.expression;
    field("expression").focus();
    preview();
  });

  // The HTML shows in its frame while it is typed.
  const show = form.querySelector("[data-show-html]");
  let waiting = 0;
  const showSoon = (delay) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (field("html").value.trim()) show.click(); }, delay);
  };
  field("html").addEventListener("input", () => showSoon(600));
  form.addEventListener("toggle", (event) => {
    if (event.target.open && event.target.contains(field("html"))) showSoon(0);
  }, true);
  if (field("html").closest("details").open) window.addEventListener("load", () => showSoon(0));

  // Leaving with something typed asks first.
  let dirty = Boolean(document.getElementById("troubles") || document.getElementById("conflict"));
  form.addEventListener("input", () => { dirty = true; });
  form.addEventListener("submit", (event) => {
    if (event.submitter !== show) dirty = false;
  });
  window.addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });
})();
