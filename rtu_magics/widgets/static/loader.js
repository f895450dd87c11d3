// Gets the renderer from the one model that holds it: a notebook keeps the state of every widget,
// and with the renderer in each of them every mirror would add half a megabyte to it.

const renderers = (globalThis.__rtu_magics_renderers ??= new Map());

const unpack = async (packed) => {
  const bytes = Uint8Array.from(atob(packed), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const code = await new Response(stream).text();
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  try {
    return (await import(/* webpackIgnore: true */ url)).default;
  } finally {
    URL.revokeObjectURL(url);
  }
};

const rendererOf = async (model) => {
  const digest = model.get("renderer_digest");
  if (!renderers.has(digest)) {
    const holder = await model.widget_manager.get_model(model.get("renderer_id"));
    if (!renderers.has(digest)) renderers.set(digest, unpack(holder.get("packed")));
  }
  const found = await renderers.get(digest);
  return typeof found === "function" ? found() : found;
};

export default () => {
  let renderer = null;
  // Without the holder there is nothing to show: the still picture beside the view stays.
  const of = (model) => (renderer ??= rendererOf(model).catch(() => ({})));
  return {
    initialize: async (context) => (await of(context.model)).initialize?.(context),
    render: async (context) => (await of(context.model)).render?.(context),
  };
};
