/** A simulated network with a TURN server R at 70.60.50.40:3478, and what tests do there. */
import { Lab, type LabOptions } from '../../src/lab/topology.ts';
import type { Env } from '../../src/net/env.ts';
import { openRelay, type RelayOptions } from '../../src/turn/open.ts';
import type { RelaySocket } from '../../src/turn/relay-socket.ts';
import { parseTurnServer } from '../../src/turn/uri.ts';
import { LOGIN, ScriptedTurn } from './scripted-turn.ts';

export const SERVER = { address: '70.60.50.40', port: 3478 };
export const NAME = parseTurnServer('turn:turn.example.net');

export interface TurnWorld {
  readonly lab: Lab;
  readonly turn: ScriptedTurn;
}

export function turnWorld(options: LabOptions = {}): TurnWorld {
  const turn = new ScriptedTurn();
  const lab = new Lab({ ...options, names: { 'turn.example.net': [SERVER.address] } });
  lab.addHost('R', [SERVER.address]);
  lab.serve('R', (env) => turn.start(env, SERVER));
  return { lab, turn };
}

export const open = (env: Env, signal: AbortSignal, options: RelayOptions = {}): Promise<RelaySocket> =>
  openRelay(env, NAME, { credentials: LOGIN, ...options }, signal);
