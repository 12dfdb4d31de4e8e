// Showing what is typed into a field for a secret, and copying one. Without scripts the buttons stay hidden.
(() => {
  "use strict";

  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-reveal], [data-copy]")) button.hidden = false;
  });

  const copy = async (field) => {
    try {
      await navigator.clipboard.writeText(field.value);
      return true;
    } catch {
      // Over plain HTTP there is no clipboard for pages; what is selected can be copied all the same.
      field.select();
      return document.execCommand("copy");
    }
  };

  document.addEventListener("click", async (event) => {
    const reveal = event.target.closest("[data-reveal]");
    if (reveal) {
      const field = document.getElementById(reveal.dataset.reveal);
      const shown = field.type === "password";
      field.type = shown ? "text" : "password";
      reveal.setAttribute("aria-pressed", String(shown));
    }
    const copier = event.target.closest("[data-copy]");
    if (copier) {
      const done = await copy(document.getElementById(copier.dataset.copy));
      const label = copier.querySelector("[data-copied]");
      if (done) label.textContent = label.dataset.copied;
      document.querySelector("[data-copy-news]").textContent = done ? "The secret is on the clipboard." : "It could not be copied; it is selected.";
    }
  });
})();
