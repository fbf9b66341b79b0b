"use strict";
(() => {
  const tiles = document.getElementById("tiles");
  const hide = document.getElementById("hide");
  for (const part of document.querySelectorAll(".scripted")) part.hidden = false;

  // Class order by default; the surest or the cheapest first only where the reader asks for it.
  const orders = {
    class: (a, b) => a.dataset.class - b.dataset.class,
    odds: (a, b) => b.dataset.odds - a.dataset.odds,
    cost: (a, b) => a.dataset.cost - b.dataset.cost,
  };
  const inOrder = [...tiles.children];
  for (const choice of document.getElementsByName("order")) {
    choice.addEventListener("change", () => tiles.append(...[...inOrder].sort(orders[choice.value])));
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "h" || event.key === "H") hide.checked = !hide.checked;
    if (event.key !== "Escape") return;
    const open = tiles.querySelector("details[open]");
    if (!open) return;
    open.open = false;
    open.querySelector("summary").focus();
  });
})();
