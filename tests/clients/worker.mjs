// The calls in a Worker: by `fetch`, or through a service binding. What it answers is the outcomes.

import { outcomes } from "./calls.mjs";
import { LockstepClient } from "./client/index.js";

export default {
  async fetch(request, env, context) {
    const { baseUrl, credential, calls, binding } = await request.json();
    const options = { baseUrl, credential: { apiKey: credential }, waitUntil: context.waitUntil.bind(context) };
    if (binding) {
      options.baseUrl = "http://lockstep";
      options.fetch = (request) => env.LOCKSTEP.fetch(request);
    }
    const client = new LockstepClient(options);
    return Response.json(await outcomes(client, calls, { credential, printed: String }));
  },
};
