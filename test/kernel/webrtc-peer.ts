// One of our WebRTC peers as a process, driven by lines of JSON: {sdp}, {candidate} and {say} in; {description}, {event}, {heard} and {ended} out.
// Arguments: offerer or answerer; active or passive.
import { createInterface } from 'node:readline';
import { createNodeEnv } from '../../src/node/env.ts';
import type { DataChannel } from '../../src/webrtc/channel.ts';
import { WebrtcPeer } from '../../src/webrtc/peer.ts';
import type { PeerOptions } from '../../src/webrtc/peer-api.ts';

const [role, setup] = process.argv.slice(2) as [PeerOptions['role'], PeerOptions['setup']];
const tell = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const peer = new WebrtcPeer(createNodeEnv(), { role, setup, onEvent: ({ event }) => tell({ event }) });
const channels: DataChannel[] = [];
const use = (channel: DataChannel): void => {
  channels.push(channel);
  channel.onMessage = (data) => {
    const { label, id } = channel;
    tell({ heard: typeof data === 'string' ? data : { bytes: data.length }, label, id });
    // What comes goes back, in its own kind.
    channel.send(data);
  };
  channel.onClose = () => tell({ closed: channel.label });
};
peer.onChannel = use;
await peer.gather({ stun: [] }, new AbortController().signal);
if (role === 'offerer') {
  use(peer.open('ours', { ordered: false, maxRetransmits: 3 }));
  tell({ description: peer.description() });
}
createInterface({ input: process.stdin }).on('line', (line) => {
  const { sdp, say, close } = JSON.parse(line) as { sdp?: string; say?: string; close?: string };
  if (sdp !== undefined) {
    peer.meet(sdp);
    if (role === 'answerer') tell({ description: peer.description() });
  }
  if (say !== undefined) channels[0]?.send(say);
  if (close !== undefined) channels.find(({ label }) => label === close)?.close();
});
const { kind } = await peer.ended;
tell({ ended: kind });
process.exit(0);
