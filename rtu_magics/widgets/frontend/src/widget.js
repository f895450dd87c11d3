// The mirror as an anywidget: one store for all views of a widget, the comm as the way in and out.

import { history } from "./history.js";
import { MirrorStore, mount } from "./renderer/mirror.js";

export { MirrorStore, mount };

const HELLO = [150, 1_500, 5_000, 15_000]; // ms; a busy kernel answers once it is free

const mirror = () => {
  const store = new MirrorStore();
  let model = null;
  let timers = [];
  let following = null;

  const act = (action) => model?.send(action);

  // Ask for a snapshot until one comes. The kernel sends one unasked to a new widget.
  const hello = (delays = HELLO) => {
    timers.forEach(clearTimeout);
    timers = delays.map((delay) => setTimeout(() => store.seq === null && act({ a: "hello" }), delay));
  };

  const take = (message) => {
    if (message.t === "follow") following = message.user;
    if (!store.receive(message)) hello([0, ...HELLO]);
  };

  // Long messages come in pieces: servers drop what is too much at once.
  const pieces = new Map();
  const receive = (message) => {
    store.setAlive(true);
    if (message?.t !== "piece") {
      if (message?.t) take(message);
      return;
    }
    const { key, i, n, s } = message;
    const known = i === 0 ? [] : pieces.get(key);
    if (!known || known.length !== i) {
      pieces.delete(key); // its beginning went by
      return;
    }
    known.push(s);
    pieces.set(key, known);
    if (known.length < n) return;
    pieces.delete(key);
    take(JSON.parse(known.join("")));
  };

  // The front end says that something happened to the connection, several times for one restart; the
  // model itself knows what: whether there is still a kernel behind it.
  const liveChanged = async () => {
    let alive = false;
    try {
      alive = (await model.widget_manager.get_model(model.get("own_id"))).comm_live !== false;
    } catch {
      // not even a model any more
    }
    if (alive === store.alive) return;
    store.setAlive(alive);
    if (alive) hello([0, ...HELLO]);
  };

  return {
    initialize(context) {
      model = context.model;
      model.on("msg:custom", receive);
      model.on("comm_live_update", liveChanged);
      hello();
      return () => {
        timers.forEach(clearTimeout);
        model.off("msg:custom", receive);
        model.off("comm_live_update", liveChanged);
        model = null;
      };
    },
    render({ model: shown, el }) {
      const view = mount(el, store, { act, height: shown.get("height") || undefined });
      if (following) view.follow(following);
      return () => view.destroy();
    },
  };
};

export default () => {
  let kind = null;
  return {
    initialize(context) {
      kind = context.model.get("kind") === "history" ? history() : mirror();
      return kind.initialize(context);
    },
    render: (context) => kind.render(context),
  };
};
