// Small things that pages share: dialogs, ticking many rows, addresses without empty parameters, notices said once.
(() => {
  "use strict";

  // A link with data-dialog opens the question here, so it is a button; without scripts it leads to the question's own page.
  const markOpeners = () => {
    for (const opener of document.querySelectorAll("a[data-dialog]")) {
      if (!document.getElementById(opener.dataset.dialog)) continue;
      opener.setAttribute("role", "button");
      opener.setAttribute("aria-haspopup", "dialog");
    }
  };
  document.addEventListener("DOMContentLoaded", markOpeners);
  document.addEventListener("htmx:afterSettle", markOpeners);
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || !event.target.matches("a[data-dialog][role]")) return;
    event.preventDefault();
    event.target.click();
  });
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("a[data-dialog]");
    const dialog = opener && document.getElementById(opener.dataset.dialog);
    if (dialog?.showModal && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      dialog.showModal();
    }
    const closer = event.target.closest("[data-close]");
    if (closer?.closest("dialog")) {
      event.preventDefault();
      closer.closest("dialog").close();
    }
    if (event.target instanceof HTMLDialogElement) event.target.close();
  });

  // A form that was sent is not sent again by a second click.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || !event.target.matches("form[data-once]") || event.submitter?.hasAttribute("formtarget")) return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  // A time that is asked for is in the reader's own zone to begin with.
  document.addEventListener("DOMContentLoaded", () => {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    for (const field of document.querySelectorAll("[data-own-zone]")) if (zone && field.value === "UTC") field.value = zone;
  });

  const showTicked = () => {
    const bar = document.querySelector("[data-bulk]");
    if (!bar) return;
    const boxes = [...document.querySelectorAll("[data-tick]")];
    const ticked = boxes.filter((box) => box.checked).length;
    const all = bar.querySelector("[data-tick-all]");
    all.checked = ticked > 0 && ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
    bar.querySelector("[data-ticked]").textContent = ticked ? `${ticked} selected` : "Select all on this page";
    bar.classList.toggle("bulk-active", ticked > 0);
    for (const button of bar.querySelectorAll("button")) button.disabled = ticked === 0;
  };
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-tick-all]")) {
      for (const box of document.querySelectorAll("[data-tick]")) box.checked = event.target.checked;
    }
    showTicked();
  });
  document.addEventListener("htmx:afterSwap", showTicked);
  window.addEventListener("pageshow", showTicked);

  // What was typed into a search before the scripts were there has been heard by nobody: it is asked for now.
  document.addEventListener("DOMContentLoaded", () => {
    for (const field of document.querySelectorAll("form[data-filters] input[type=search]")) if (field.value !== field.defaultValue) field.form.requestSubmit();
  });

  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb !== "get" || !event.detail.elt.matches("form[data-filters]")) return;
    const parameters = event.detail.parameters;
    for (const name of [...Object.keys(parameters)]) if (parameters[name] === "") delete parameters[name];
  });

  // What is asked for and refused takes the place of what was there: old rows below new filters would be a lie. Where no answer
  // comes at all, the browser says so itself, at the address that was asked for.
  const isFilter = (event) => Boolean(event.detail.requestConfig?.elt?.matches("form[data-filters]"));
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (isFilter(event) && event.detail.xhr.status >= 400) event.detail.shouldSwap = true;
  });
  // Somebody who follows a link breaks off what is asked for, too, and is to arrive there.
  let leaving = false;
  window.addEventListener("beforeunload", () => {
    leaving = true;
    setTimeout(() => { leaving = false; }, 1000);
  });
  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, (event) => { if (isFilter(event) && !leaving) event.detail.requestConfig.elt.submit(); });
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (!document.querySelector("[data-notice]")) return;
    const address = new URL(location.href);
    for (const name of ["done", "count", "refused", "in_flight", "leaving", "occurrence", "overtaken"]) address.searchParams.delete(name);
    history.replaceState(null, "", address);
  });
})();
