/** The commands, in the order of the help. Each is loaded only when it is needed. */
import type { Command } from './command.ts';

export type CommandList = Readonly<Record<string, () => Promise<Command>>>;

const load = (module: Promise<{ readonly default: Command }>): Promise<Command> => module.then((each) => each.default);

export const COMMANDS: CommandList = {
  detect: () => load(import('./detect/detect.ts')),
  stun: () => load(import('./stun/stun.ts')),
  path: () => load(import('./path/path.ts')),
  lifetime: () => load(import('./lifetime/lifetime.ts')),
  'public-ip': () => load(import('./public-ip/public-ip.ts')),
  listen: () => load(import('./listen/listen.ts')),
  punch: () => load(import('./punch/punch.ts')),
  send: () => load(import('./send/send.ts')),
  connect: () => load(import('./connect/connect.ts')),
  map: () => load(import('./map/map.ts')),
  pair: () => load(import('./pair.ts')),
  turn: () => load(import('./turn/turn.ts')),
  webrtc: () => load(import('./webrtc/webrtc.ts')),
  serve: () => load(import('./serve/serve.ts')),
  lab: () => load(import('./lab/lab.ts')),
};

/** Names that people try, and the words that they stand for here. */
export const OTHER_NAMES: Readonly<Record<string, string>> = {
  'udp listen': 'listen',
  'udp punch': 'punch',
  'udp send': 'send',
  'stun query': 'stun',
  'nat-type': 'detect',
  ip: 'public-ip',
  netcheck: 'detect',
  version: '--version',
};
