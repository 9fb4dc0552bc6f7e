/** Our WebRTC peer and Chromium's, in every role: who offers, who is client in DTLS. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Chromium, type Tab } from './chromium.ts';
import { type Host, Internet } from './internet.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';

/** Runs in the page: a connection that gathers all before it tells, and keeps what it hears. */
const PAGE = `
  globalThis.heard = [];
  globalThis.pc = new RTCPeerConnection();
  globalThis.keep = (channel) => {
    globalThis.channel = channel;
    channel.binaryType = 'arraybuffer';
    channel.onmessage = ({ data }) => heard.push(typeof data === 'string' ? data : data.byteLength);
    channel.onclose = () => heard.push('closed');
  };
  pc.ondatachannel = ({ channel }) => keep(channel);
  globalThis.gathered = new Promise((resolve) => {
    pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && resolve();
  });`;
const STATS = `(async () => {
  const { dtlsRole, tlsVersion, dtlsCipher } = [...(await pc.getStats()).values()].find(({ type }) => type === 'transport');
  return { dtlsRole, tlsVersion, dtlsCipher };
})()`;

describeKernel('our WebRTC stack and Chromium', ['chromium'], () => {
  let internet: Internet;
  let host: Host;
  let browser: Chromium;
  let directory: string;
  const open: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'nat-tool-webrtc-'));
    buildSync({
      entryPoints: [fileURLToPath(new URL('webrtc-peer.ts', import.meta.url))],
      outfile: join(directory, 'peer.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
    });
    internet = await Internet.create();
    host = await internet.host('h', ['40.30.20.10']);
    browser = await Chromium.start(host);
  });
  afterEach(async () => {
    for (const end of open.splice(0).reverse()) await end();
  });
  afterAll(async () => {
    await browser?.close();
    internet?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  function ours(...words: readonly string[]): Running {
    const made = host.start(['node', join(directory, 'peer.mjs'), ...words]);
    open.push(() => made.stop());
    return made;
  }
  async function page(): Promise<Tab> {
    const tab = await browser.open('about:blank');
    open.push(() => tab.close());
    await tab.evaluate(`(() => { ${PAGE} })()`);
    return tab;
  }
  const described = async (peer: Running): Promise<string> => {
    const [line] = await peer.until(/^\{"description".*$/m);
    return JSON.stringify((JSON.parse(line) as { description: string }).description);
  };
  const tell = (peer: Running, line: object): void => peer.write(`${JSON.stringify(line)}\n`);

  async function browserOffers(peer: Running, tab: Tab): Promise<void> {
    const sdp = await tab.evaluate<string>(`(async () => {
      keep(pc.createDataChannel('theirs'));
      await pc.setLocalDescription(await pc.createOffer());
      await gathered;
      return pc.localDescription.sdp;
    })()`);
    tell(peer, { sdp });
    await tab.evaluate(`pc.setRemoteDescription({ type: 'answer', sdp: ${await described(peer)} })`);
    await tab.until("channel.readyState === 'open'");
  }

  it.each([
    ['active', 'server'],
    ['passive', 'client'],
  ])('answers %s: Chromium is DTLS %s', async (setup, dtlsRole) => {
    const [peer, tab] = [ours('answerer', setup), await page()];
    await browserOffers(peer, tab);
    expect(await tab.evaluate(STATS)).toEqual({
      dtlsRole,
      tlsVersion: 'FEFD',
      dtlsCipher: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
    });
    // Text, bytes, and nothing of either kind; more than one packet; all come back as they went.
    await tab.evaluate(
      `for (const each of ['text', '', new Uint8Array(3), new Uint8Array(), 'x'.repeat(100000)]) channel.send(each)`,
    );
    await tab.until('heard.length === 5');
    expect(await tab.evaluate<unknown[]>('heard')).toEqual(['text', '', 3, 0, 'x'.repeat(100_000)]);
  });

  it('offers: Chromium answers, and takes a channel that is neither ordered nor reliable', async () => {
    const [peer, tab] = [ours('offerer', 'active'), await page()];
    const sdp = await tab.evaluate<string>(`(async () => {
      await pc.setRemoteDescription({ type: 'offer', sdp: ${await described(peer)} });
      await pc.setLocalDescription(await pc.createAnswer());
      await gathered;
      return pc.localDescription.sdp;
    })()`);
    tell(peer, { sdp });
    await tab.until("globalThis.channel?.readyState === 'open'");
    expect(await tab.evaluate('[channel.label, channel.ordered, channel.maxRetransmits]')).toEqual(['ours', false, 3]);
    tell(peer, { say: 'hello' });
    await tab.until("heard.includes('hello')");
    await tab.evaluate("channel.send('back')");
    await peer.until(/"heard":"back"/);
  });

  it('closes one channel from either side, and hears the page go', async () => {
    const [peer, tab] = [ours('answerer', 'active'), await page()];
    await browserOffers(peer, tab);
    await tab.evaluate('channel.close()');
    await peer.until(/"closed":"theirs"/);
    await tab.evaluate(
      `(() => { keep(pc.createDataChannel('second')); channel.onopen = () => channel.send('again'); })()`,
    );
    await peer.until(/"heard":"again"/);
    tell(peer, { close: 'second' });
    await tab.until("heard.at(-1) === 'closed'");
    await tab.evaluate('pc.close()');
    await peer.until(/"ended":"closed-by-peer"/);
  });

  it('refuses a browser whose certificate is not the one that its offer names', async () => {
    const [peer, tab] = [ours('answerer', 'active'), await page()];
    const sdp = await tab.evaluate<string>(`(async () => {
      keep(pc.createDataChannel('theirs'));
      await pc.setLocalDescription(await pc.createOffer());
      await gathered;
      return pc.localDescription.sdp;
    })()`);
    tell(peer, { sdp: sdp.replace(/(fingerprint:sha-256 )[0-9A-F]{2}:[0-9A-F]{2}/, '$100:00') });
    await tab.evaluate(`pc.setRemoteDescription({ type: 'answer', sdp: ${await described(peer)} })`);
    await peer.until(/"ended":"dtls-failed"/);
    await tab.until("pc.connectionState === 'failed'");
  });
});
