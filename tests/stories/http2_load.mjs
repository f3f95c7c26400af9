// 200 requests a second over HTTP/2, by Node's own client, to the first server that takes them.
//
// argv: { servers: [url], ca: PEM, path, headers }. A line is printed for every 100 answers; when standard input ends,
// the last requests are waited for and a summary is printed. A request that a server has refused unread (GOAWAY, a closed
// port) is sent again elsewhere, as HTTP/2 says; one that was taken and not answered is lost.

import http2 from 'node:http2';

const { servers, ca, path, headers } = JSON.parse(process.argv[2]);
const said = { answered: 0, again: 0, lost: [], certificates: [] };
let first = 0;
let session = null;
let open = 0;

function connect() {
  const made = http2.connect(servers[first], { ca });
  made.on('error', (error) => {
    // A server that stops closes its port, and what was being opened with it.
    if (!['ECONNREFUSED', 'ECONNRESET'].includes(error.code)) {
      console.error(error);
      process.exit(1);
    }
    first = servers.length - 1;
  });
  made.on('connect', () => {
    made.isOpen = true;
    const { fingerprint256 } = made.socket.getPeerCertificate();
    if (!said.certificates.includes(fingerprint256)) said.certificates.push(fingerprint256);
  });
  for (const event of ['goaway', 'close']) made.on(event, () => { if (session === made) session = null; });
  return made;
}

// New connections all the time: only they see a new certificate.
setInterval(() => {
  const old = session;
  session = null;
  old?.close();
}, 250).unref();

function again() {
  said.again += 1;
  setTimeout(send, 5);
}

function send() {
  if (!session || session.closed || session.destroyed) session = connect();
  const on = session;
  let status = null;
  const request = on.request({ ':path': path, ...headers });
  request.on('response', (head) => { status = head[':status']; });
  request.on('error', () => {});
  request.on('close', () => {
    const refused = request.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM;
    if (status === 200) {
      open -= 1;
      said.answered += 1;
      if (said.answered % 100 === 0) console.log(JSON.stringify({ answered: said.answered }));
    } else if (status === null && (refused || !on.isOpen)) {
      again();
    } else {
      open -= 1;
      said.lost.push({ status, code: request.rstCode });
    }
  });
  request.resume();
}

const beat = setInterval(() => { open += 1; send(); }, 5);
process.stdin.resume();
process.stdin.on('end', () => {
  clearInterval(beat);
  const wait = setInterval(() => {
    if (open > 0) return;
    clearInterval(wait);
    console.log(JSON.stringify(said));
    process.exit(0);
  }, 10);
});
