// Chromium, driven over its pipe: two RTCPeerConnections of one page that may use their relays alone. Prints what each hears of the other.
// Arguments: the browser, the URI of the TURN server, user name, password.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [browser, urls, username, credential] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), 'nat-tool-chromium-'));
const flags = [
  '--no-sandbox --headless=new --remote-debugging-pipe --no-first-run --disable-background-networking',
  '--disable-component-update --disable-sync --disable-gpu --disable-dev-shm-usage',
].join(' ');
const child = spawn(browser, [...flags.split(' '), `--user-data-dir=${profile}`, 'about:blank'], {
  stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
});
const [, , , commands, events] = child.stdio;
let [serial, rest] = [0, ''];
const waiting = new Map();
events.setEncoding('utf8').on('data', (piece) => {
  const parts = (rest + piece).split('\0');
  rest = parts.pop() ?? '';
  for (const part of parts) {
    const { id, result, error } = JSON.parse(part);
    waiting.get(id)?.(error ? Promise.reject(new Error(error.message)) : result);
  }
});
const call = (method, params = {}, sessionId = undefined) =>
  new Promise((resolve) => {
    waiting.set(++serial, resolve);
    commands.write(`${JSON.stringify({ id: serial, method, params, sessionId })}\0`);
  });

/** Runs in the page. */
async function page(iceServers) {
  const config = { iceServers, iceTransportPolicy: 'relay' };
  const [one, two] = [new RTCPeerConnection(config), new RTCPeerConnection(config)];
  const candidates = [];
  const errors = [];
  for (const [from, to] of [
    [one, two],
    [two, one],
  ]) {
    from.onicecandidateerror = ({ errorCode, errorText }) => errors.push(`${errorCode} ${errorText}`);
    from.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) candidates.push(`${candidate.type} ${candidate.address}`);
      to.addIceCandidate(candidate);
    };
  }
  const channel = one.createDataChannel('data');
  const heard = Promise.all([
    new Promise((resolve) => {
      two.ondatachannel = ({ channel: other }) => {
        other.onmessage = ({ data }) => {
          other.send('from two');
          resolve(data);
        };
      };
    }),
    new Promise((resolve) => {
      channel.onmessage = ({ data }) => resolve(data);
    }),
  ]);
  channel.onopen = () => channel.send('from one');
  await one.setLocalDescription(await one.createOffer());
  await two.setRemoteDescription(one.localDescription);
  await two.setLocalDescription(await two.createAnswer());
  await one.setRemoteDescription(two.localDescription);
  const late = new Promise((resolve) => setTimeout(() => resolve('nothing'), 20_000));
  return JSON.stringify({ heard: await Promise.race([heard, late]), candidates, errors });
}

try {
  const { targetInfos } = await call('Target.getTargets');
  const { targetId } = targetInfos.find(({ type }) => type === 'page');
  const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true });
  const expression = `(${page})(${JSON.stringify([{ urls, username, credential }])})`;
  const { result, exceptionDetails } = await call('Runtime.evaluate', { expression, awaitPromise: true }, sessionId);
  console.log(result?.value ?? JSON.stringify(exceptionDetails));
} finally {
  child.kill('SIGKILL');
  child.once('close', () => {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    process.exit(0);
  });
}
