// What a reader has opened stays open when the region around it refreshes itself.
(() => {
  "use strict";
  document.addEventListener("DOMContentLoaded", () => {
    const callbacks = window.Idiomorph?.defaults?.callbacks;
    if (!callbacks) return;
    callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.tagName === "DETAILS");
  });
})();
