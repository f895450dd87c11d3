// The strip of the status: one mark for each cell. Hand-written, nothing to build.
//
// Messages in: {t:"all", cells:[[id, mark, seconds?]…]}, {t:"splice", at, gone, cells},
// {t:"set", cells:{id:[mark, seconds?]}}. Out: {a:"hello"}.

const WORDS = new Map([
  ["idle", "not run"],
  ["text", "text"],
  ["queued", "queued"],
  ["running", "running"],
  ["asking", "waits for input"],
  ["done", "done"],
  ["changed", "changed since it ran"],
  ["failed", "failed"],
  ["skipped", "ended before it began"],
]);
const HELLO = [150, 1500, 5000, 15000]; // ms; a busy kernel answers once it is free

export default () => {
  const views = new Set();
  let cells = []; // {id, mark, since}
  let known = false;
  let fileId = "";
  let timers = [];
  let clock = null;

  const cell = ([id, mark, seconds]) => ({
    id,
    mark,
    since: seconds === undefined ? null : performance.now() - seconds * 1000,
  });

  const take = (message) => {
    if (message.t === "all") {
      cells = message.cells.map(cell);
      known = true;
      views.forEach((view) => view.all());
    } else if (!known) {
      return;
    } else if (message.t === "splice") {
      cells.splice(message.at, message.gone, ...message.cells.map(cell));
      views.forEach((view) => view.splice(message.at, message.gone, message.cells.length));
    } else if (message.t === "set") {
      const index = new Map(cells.map((one, i) => [one.id, i]));
      for (const [id, told] of Object.entries(message.cells)) {
        const i = index.get(id);
        if (i === undefined) continue;
        cells[i] = cell([id, ...told]);
        views.forEach((view) => view.paint(i));
      }
    }
    tick();
  };

  // Elapsed time needs no message: it is counted here while something runs.
  const tick = () => {
    const running = cells.some((one) => one.since !== null) && views.size > 0;
    if (running && clock === null) clock = setInterval(() => views.forEach((view) => view.time()), 1000);
    if (!running && clock !== null) {
      clearInterval(clock);
      clock = null;
    }
    views.forEach((view) => view.time());
  };

  // Once every view has heard of it.
  const liveChanged = () => setTimeout(() => views.forEach((view) => view.ended()), 0);

  const describe = (one, i) => {
    const seconds = one.since === null ? "" : `, ${Math.round((performance.now() - one.since) / 1000)} s`;
    return `Cell ${i + 1}: ${WORDS.get(one.mark) ?? one.mark}${seconds}`;
  };

  const mount = (el) => {
    const root = document.createElement("div");
    root.className = "rtu-strip";
    const list = document.createElement("div");
    list.className = "rtu-strip-marks";
    list.setAttribute("role", "toolbar");
    list.setAttribute("aria-label", "Cells of the remote notebook; Enter goes to one in its mirror");
    const words = document.createElement("div");
    words.className = "rtu-strip-words";
    words.setAttribute("role", "status");
    const gone = document.createElement("div");
    gone.className = "rtu-strip-gone";
    gone.setAttribute("role", "status");
    const legend = document.createElement("details");
    legend.className = "rtu-strip-legend";
    const summary = document.createElement("summary");
    summary.textContent = "What the marks mean";
    const kinds = document.createElement("ul");
    for (const [kind, word] of WORDS) {
      const item = document.createElement("li");
      const sample = document.createElement("span");
      sample.className = "rtu-sample";
      sample.dataset.mark = kind;
      sample.setAttribute("aria-hidden", "true");
      item.append(sample, word);
      kinds.append(item);
    }
    legend.append(summary, kinds);
    root.append(list, words, legend, gone);
    el.append(root);
    let current = 0;

    const paint = (i) => {
      const mark = list.children[i];
      if (!mark) return;
      const one = cells[i];
      mark.dataset.mark = one.mark;
      mark.dataset.cellId = one.id;
      mark.title = describe(one, i);
      mark.setAttribute("aria-label", mark.title);
    };
    const make = () => {
      const mark = document.createElement("button");
      mark.type = "button";
      mark.className = "rtu-mark";
      mark.tabIndex = -1;
      return mark;
    };
    const focusable = () => {
      current = Math.max(0, Math.min(current, list.children.length - 1));
      for (const mark of list.querySelectorAll('[tabindex="0"]')) mark.tabIndex = -1;
      if (list.children[current]) list.children[current].tabIndex = 0;
    };
    const view = {
      // ipywidgets marks what has lost its kernel.
      ended() {
        const ended = Boolean(root.closest(".jupyter-widgets-disconnected"));
        gone.textContent = ended ? "Not live any more: the kernel of this notebook has ended. Connect again to see it go on." : "";
      },
      all() {
        list.replaceChildren(...cells.map(make));
        cells.forEach((_, i) => paint(i));
        focusable();
      },
      splice(at, gone, added) {
        for (let n = 0; n < gone; n++) list.children[at]?.remove();
        const before = list.children[at] ?? null;
        for (let n = 0; n < added; n++) list.insertBefore(make(), before);
        for (let i = at; i < cells.length; i++) paint(i); // numbers behind it moved
        focusable();
      },
      paint,
      time() {
        const count = new Map();
        cells.forEach((one, i) => {
          count.set(one.mark, (count.get(one.mark) ?? 0) + 1);
          if (one.since !== null) paint(i);
        });
        const running = cells.findIndex((one) => one.since !== null);
        const parts = [`${cells.length} ${cells.length === 1 ? "cell" : "cells"}`];
        for (const mark of ["queued", "done", "changed", "failed", "skipped"]) if (count.has(mark)) parts.push(`${count.get(mark)} ${WORDS.get(mark)}`);
        if (running >= 0) parts.push(describe(cells[running], running).toLowerCase());
        const text = known ? parts.join(" · ") : "…";
        if (words.textContent !== text) words.textContent = text;
      },
    };

    list.addEventListener("click", (event) => {
      const mark = event.target.closest(".rtu-mark");
      if (!mark) return;
      current = [...list.children].indexOf(mark);
      focusable();
      const detail = { file_id: fileId, cell_id: mark.dataset.cellId };
      window.dispatchEvent(new CustomEvent("rtu-magics:jump", { detail }));
    });
    list.addEventListener("keydown", (event) => {
      const last = list.children.length - 1;
      const to = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: last }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      current = Math.max(0, Math.min(to, last));
      focusable();
      list.children[current]?.focus();
    });
    views.add(view);
    view.all();
    view.time();
    return () => {
      views.delete(view);
      root.remove();
      tick();
    };
  };

  return {
    initialize({ model }) {
      fileId = model.get("file_id");
      model.on("msg:custom", take);
      model.on("comm_live_update", liveChanged);
      timers = HELLO.map((delay) => setTimeout(() => known || model.send({ a: "hello" }), delay));
      return () => {
        timers.forEach(clearTimeout);
        model.off("msg:custom", take);
        model.off("comm_live_update", liveChanged);
        if (clock !== null) clearInterval(clock);
      };
    },
    render({ el }) {
      const end = mount(el);
      tick();
      return end;
    },
  };
};
