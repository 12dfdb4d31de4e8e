// Times in the reader's own zone, and new mail without a reload. Without this file the pages work all the same.
"use strict";

function showTimes(root) {
  const today = new Date().toDateString();
  for (const time of root.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
    if ("long" in time.dataset) time.textContent = at.toLocaleString([], { dateStyle: "full", timeStyle: "long" });
    else if (at.toDateString() === today) time.textContent = at.toLocaleTimeString([], clock);
    else time.textContent = at.toLocaleDateString([], { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  }
}

// Rows are only added, above the others: what has the focus keeps it.
async function look(list) {
  const address = new URL(list.dataset.live, location.href);
  address.searchParams.set("after", list.dataset.newest);
  const answer = await fetch(address);
  if (!answer.ok) return;
  const news = await answer.json();
  if (news.reload) return location.reload();
  const summary = document.getElementById("summary");
  if (!summary.contains(document.activeElement)) summary.innerHTML = news.summary;
  if (!news.count) return;
  list.dataset.newest = news.newest;
  list.insertAdjacentHTML("afterbegin", news.rows);
  showTimes(list);
  document.getElementById("empty")?.remove();
  document.getElementById("news").textContent = news.count === 1 ? "1 new mail" : `${news.count} new mails`;
}

async function watch(list) {
  for (;;) {
    await new Promise((wake) => setTimeout(wake, 1500));
    if (document.hidden) continue;
    try { await look(list); } catch { /* the simulator is being restarted: the next look will tell */ }
  }
}

showTimes(document);
const list = document.getElementById("rows");
if (list?.dataset.live) watch(list);
