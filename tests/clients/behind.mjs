// What a service binding leads to: a Worker that asks the endpoint.

export default {
  async fetch(request, env) {
    const { pathname, search } = new URL(request.url);
    const { method, headers } = request;
    const body = method === "POST" ? await request.arrayBuffer() : undefined;
    // What a platform adds on the way in is not passed on.
    const own = ["accept", "authorization", "cache-control", "content-type"].filter((name) => headers.has(name));
    const passed = Object.fromEntries(own.map((name) => [name, headers.get(name)]));
    return fetch(env.BASE_URL + pathname + search, { method, headers: passed, body });
  },
};
