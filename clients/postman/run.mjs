// Starts Millrace with an empty data directory and a generated password, publishes a message that consumers cannot decode, and runs the
// collection with newman. It fails unless every request of the collection was sent. Then it runs the TypeScript example.
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import newman from 'newman';

const root = fileURLToPath(new URL('../..', import.meta.url));
const natsPassword = randomUUID();
const rejectAfter = (ms, what) => new Promise((_, reject) => setTimeout(() => reject(new Error(`timed out after ${ms / 1000} s: ${what}`)), ms).unref());

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

// start starts the server and reads its URL and the admin password from the output.
async function start(data, nats) {
  const server = spawn(join(root, '.build/millrace'), [], {
    env: {
      PATH: process.env.PATH, MILLRACE_HTTP_ADDR: '127.0.0.1:0', MILLRACE_DATA_DIR: data, MILLRACE_EMBEDDED_NATS_ADDR: nats,
      MILLRACE_EMBEDDED_NATS_PASSWORD: natsPassword, MILLRACE_LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const started = new Promise((resolve, reject) => {
    server.on('exit', (code) => reject(new Error(`the server exited with ${code}`)));
    server.stdout.on('data', (chunk) => {
      output += chunk;
      const url = /API +(http:\S+)/.exec(output)?.[1], password = /^ *password +(\S+)$/m.exec(output)?.[1];
      if (url && password) resolve({ server, url, password });
    });
  });
  return Promise.race([started, rejectAfter(60_000, 'start of the server')]);
}

// eventually waits until the condition is true, for at most 20 s. An exception counts as false.
async function eventually(what, condition) {
  for (let i = 0; i < 200; i++) {
    if (await condition().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`timed out after 20 s: ${what}`);
}

// publish publishes a message with NATS's text protocol, so that no client library is needed.
function publish(address, subject, headers, payload) {
  const [host, port] = address.split(':');
  const head = 'NATS/1.0\r\n' + Object.entries(headers).map(([k, v]) => `${k}: ${v}\r\n`).join('') + '\r\n';
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port: Number(port) });
    socket.on('error', reject).on('data', (chunk) => {
      const line = String(chunk);
      if (line.startsWith('INFO')) {
        socket.write(`CONNECT {"verbose":false,"headers":true,"user":"millrace","pass":"${natsPassword}"}\r\n` +
          `HPUB ${subject} ${head.length} ${head.length + payload.length}\r\n${head}${payload}\r\nPING\r\n`);
      } else if (line.includes('PONG')) socket.end(() => resolve());
      else if (line.includes('-ERR')) reject(new Error(line));
    });
  });
}

// runCollection runs the collection and returns newman's summary.
function runCollection(url, password) {
  const environment = ['base_url', url, 'admin_email', 'admin@localhost', 'admin_password', password, 'admin_next_password', 'the wheel turns slowly'];
  const values = [];
  for (let i = 0; i < environment.length; i += 2) values.push({ key: environment[i], value: environment[i + 1], enabled: true });
  return new Promise((resolve, reject) => {
    newman.run({
      collection: join(root, 'docs/api/millrace.postman_collection.json'), environment: { values }, reporters: ['cli'],
      reporter: { cli: { noSuccessAssertions: true, noBanner: true } }, timeoutRequest: 20_000,
    }, (err, summary) => (err ? reject(err) : resolve(summary)));
  });
}

// check throws an error unless all requests were sent and all assertions passed.
function check(summary) {
  const sent = new Set(summary.run.executions.map((e) => e.item.name));
  const notSent = [];
  summary.collection.forEachItem((item) => sent.has(item.name) || notSent.push(item.name));
  if (notSent.length) throw new Error(`not sent: ${notSent.join(', ')}`);
  for (const name of ['Get a poison message', 'Requeue a poison message']) {
    const got = summary.run.executions.find((e) => e.item.name === name).response.code;
    if (got !== 200) throw new Error(`${name}: status ${got} instead of 200`);
  }
  if (summary.run.failures.length || summary.run.error) throw new Error(`${summary.run.failures.length} assertions failed`);
}

const data = mkdtempSync(join(root, '.build/newman.'));
let server;
try {
  const nats = `127.0.0.1:${await freePort()}`;
  const started = await start(data, nats);
  server = started.server;
  await eventually('readiness', async () => (await (await fetch(started.url + '/readyz')).json()).status === 'ready');
  const id = randomUUID(), key = randomUUID();
  await publish(nats, 'events.user.created.v1', {
    'ce-specversion': '1.0', 'ce-id': id, 'ce-type': 'user.created.v1', 'ce-source': '/millrace/user', 'ce-subject': key,
    'ce-partitionkey': key, 'ce-sequence': '00000000000000000001', 'ce-time': new Date().toISOString(),
  }, 'not JSON');
  await eventually('poison message', async () => /outcome="poisoned"[^\n]* [1-9]/.test(await (await fetch(started.url + '/metrics')).text()));
  check(await runCollection(started.url, started.password));
  const example = spawnSync(process.execPath, [join(root, 'clients/typescript/dist/example.js')], {
    env: { PATH: process.env.PATH, MILLRACE_URL: started.url }, stdio: 'inherit',
  });
  if (example.status !== 0) throw new Error('the TypeScript example failed');
} catch (err) {
  console.error(err.message);
  process.exitCode = 1;
} finally {
  if (server && server.exitCode === null) {
    const exited = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGTERM');
    await Promise.race([exited, rejectAfter(15_000, 'exit of the server')]).catch(() => server.kill('SIGKILL'));
  }
  rmSync(data, { recursive: true, force: true });
}
