// An issuer of signed tokens on a port of loopback: oauth2-mock-server, by other hands than ours.
// A client says in its request for a token whom it is for (`aud`), who it is (`sub`), how long it lives (`lifetime`, in
// seconds, which may be negative), and more claims as JSON (`claims`).
import { OAuth2Server } from 'oauth2-mock-server';

const port = Number(process.argv[2]);
const server = new OAuth2Server();
await server.issuer.keys.generate('RS256');
server.issuer.url = `http://127.0.0.1:${port}`;
server.service.on('beforeTokenSigning', (token, request) => {
  const { aud, sub, lifetime, claims } = request.body;
  const now = Math.floor(Date.now() / 1000);
  Object.assign(token.payload, { sub, aud, iat: now, exp: now + Number(lifetime ?? 600) }, JSON.parse(claims ?? '{}'));
});
await server.start(port, '127.0.0.1');
