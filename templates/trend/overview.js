"use strict";
(() => {
  const table = document.getElementById("benchmarks");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const search = document.getElementById("search");
  const order = document.getElementById("order");
  const boxes = [...document.querySelectorAll("#tools input[type=checkbox]")];
  const shown = document.getElementById("shown");
  const nothing = document.getElementById("nothing");
  const place = new Map(rows.map((row, i) => [row, i]));
  const orders = {
    worst: (a, b) => place.get(a) - place.get(b),
    name: (a, b) => a.dataset.name.localeCompare(b.dataset.name),
    level: (a, b) => Number(b.dataset.level) - Number(a.dataset.level),
  };

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const states = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let count = 0;
    for (const row of rows) {
      const name = row.dataset.name.toLowerCase();
      const fits = states.has(row.dataset.state) && words.every((word) => name.includes(word));
      row.hidden = !fits;
      if (fits) count += 1;
    }
    shown.textContent = count === rows.length ? `${count} benchmarks` : `${count} of ${rows.length} benchmarks`;
    nothing.hidden = count > 0;
    const query = search.value ? `#q=${encodeURIComponent(search.value)}` : " ";
    try {
      history.replaceState(null, "", query === " " ? location.pathname : query);
    } catch {
      // Some browsers do not allow it for files; the filter works without.
    }
  }

  function sort() {
    body.append(...rows.slice().sort(orders[order.value]));
  }

  search.addEventListener("input", filter);
  boxes.forEach((box) => box.addEventListener("change", filter));
  order.addEventListener("change", sort);
  document.getElementById("reset").addEventListener("click", () => {
    search.value = "";
    boxes.forEach((box) => (box.checked = true));
    filter();
    search.focus();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (event.key === "/" && !typing) {
      event.preventDefault();
      search.focus();
    }
  });
  const asked = location.hash.match(/^#q=(.*)$/);
  if (asked) {
    try {
      search.value = decodeURIComponent(asked[1]);
    } catch {
      search.value = "";
    }
  }
  document.getElementById("tools").hidden = false;
  filter();
})();
