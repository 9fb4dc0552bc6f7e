/** The TURN server of the lab, over its simulated network. */
import { describe, expect, it } from 'vitest';
import { createLab, LAB_LOGIN, type LabOptions } from '../../src/lab/topology.ts';
import type { Endpoint } from '../../src/net/address.ts';
import type { Env } from '../../src/net/env.ts';
import { deferred, sleep } from '../../src/net/wait.ts';
import { type Attribute, attribute } from '../../src/stun/attributes.ts';
import { longTermKey } from '../../src/stun/credentials.ts';
import { Deframer } from '../../src/stun/framing.ts';
import { type Decoded, encode, get, METHOD, tryDecode } from '../../src/stun/message.ts';
import { decodeChannelData, encodeChannelData } from '../../src/turn/channel-data.ts';
import { restLogin } from '../../src/turn/rest-login.ts';
import { newId, outcome, text } from './server-wire.ts';

const AT: Endpoint = { address: '40.30.20.10', port: 3478 };

/** A plain client: one request at a time, whatever else comes is kept. */
class Client {
  readonly heard: Uint8Array[] = [];
  readonly #write: (data: Uint8Array) => void;
  readonly close: () => void;
  readonly #login: { readonly username: string; readonly password: string };
  #waiting: ((answer: Decoded) => void) | undefined;
  #nonce: string | undefined;

  private constructor(write: (data: Uint8Array) => void, close: () => void, login: typeof LAB_LOGIN) {
    this.#write = write;
    this.close = close;
    this.#login = login;
  }

  static async udp(env: Env, login: { username: string; password: string } = LAB_LOGIN): Promise<Client> {
    const socket = await env.udp.open({ family: 4 });
    const client = new Client(
      (data) => void socket.send(data, AT),
      () => socket.close(),
      login as typeof LAB_LOGIN,
    );
    socket.listen({ datagram: ({ data }) => client.#hear(data) });
    return client;
  }

  static async tcp(env: Env, port = 3478): Promise<Client> {
    const stream = await env.tcp.connect(
      { ...AT, port },
      port === 3478 ? {} : { tls: { serverName: 'stun.example.net' } },
    );
    const client = new Client(
      (data) => void stream.write(data),
      () => stream.close(),
      LAB_LOGIN,
    );
    void (async () => {
      const deframer = new Deframer({ channels: true });
      for await (const chunk of stream) for (const data of deframer.push(chunk)) client.#hear(data);
    })();
    return client;
  }

  #hear(data: Uint8Array): void {
    const message = tryDecode(data);
    if (message?.class === 'success' || message?.class === 'error') this.#waiting?.(message);
    else this.heard.push(data);
  }

  send(data: Uint8Array): void {
    this.#write(data);
  }

  async ask(method: number, ...attributes: readonly Attribute[]): Promise<Decoded> {
    for (;;) {
      const { promise, resolve } = deferred<Decoded>();
      this.#waiting = resolve;
      const { username, password } = this.#login;
      const login = [attribute('USERNAME', username), attribute('REALM', 'lab'), attribute('NONCE', this.#nonce ?? '')];
      const message = { class: 'request', method, transactionId: newId() } as const;
      this.send(
        this.#nonce === undefined
          ? encode({ ...message, attributes })
          : encode(
              { ...message, attributes: [...attributes, ...login] },
              { key: longTermKey(username, 'lab', password, 'MD5') },
            ),
      );
      const answer = await promise;
      if (this.#nonce !== undefined || outcome(answer) !== 401) return answer;
      this.#nonce = get(answer, 'NONCE') ?? '';
    }
  }

  async allocate(): Promise<Endpoint> {
    const answer = await this.ask(METHOD.allocate, attribute('REQUESTED-TRANSPORT', 17));
    const relay = get(answer, 'XOR-RELAYED-ADDRESS');
    if (!relay) throw new Error(`no relay: ${outcome(answer)}`);
    return relay;
  }

  bind = (number: number, peer: Endpoint): Promise<Decoded> =>
    this.ask(METHOD.channelBind, attribute('CHANNEL-NUMBER', number), attribute('XOR-PEER-ADDRESS', peer));
}

const inLab = (main: (env: Env, b: Env) => Promise<void>, options: LabOptions = {}): Promise<void> => {
  const lab = createLab({ turn: true, nat: 'symmetric', ...options });
  return lab.run((env) => main(env, lab.host('B')));
};

describe.each(['udp', 'tcp', 'tls'] as const)('a client over %s', (transport) => {
  const connect = (env: Env): Promise<Client> =>
    transport === 'udp' ? Client.udp(env) : Client.tcp(env, transport === 'tcp' ? 3478 : 5349);

  it('reaches a peer, and is reached', () =>
    inLab(async (env, b) => {
      const peer = await b.udp.open({ family: 4, address: '50.60.70.80', port: 5000 });
      peer.listen({ datagram: ({ data, from }) => void peer.send(data, from) });
      const client = await connect(env);
      await client.allocate();
      expect(outcome(await client.bind(0x4000, peer.local))).toBe('success');
      client.send(encodeChannelData(0x4000, text('there and back'), transport !== 'udp'));
      await sleep(env.clock, 200);
      expect(client.heard.map((data) => decodeChannelData(data)?.data)).toEqual([text('there and back')]);
      client.close();
      peer.close();
    }));

  it('meets another client by relay alone', () =>
    inLab(async (env) => {
      const [one, two] = [await connect(env), await connect(env)];
      const [at1, at2] = [await one.allocate(), await two.allocate()];
      await one.bind(0x4000, at2);
      one.send(encodeChannelData(0x4000, text('too early'), transport !== 'udp'));
      await sleep(env.clock, 100);
      await two.bind(0x4001, at1);
      one.send(encodeChannelData(0x4000, text('hello'), transport !== 'udp'));
      await sleep(env.clock, 100);
      expect(two.heard.map((data) => decodeChannelData(data))).toEqual([{ number: 0x4001, data: text('hello') }]);
      one.close();
      two.close();
    }));
});

describe('a server in the lab', () => {
  it('frees what a connection held when it ends', () =>
    inLab(
      async (env) => {
        for (let i = 0; i < 3; i++) {
          const client = await Client.tcp(env);
          await client.allocate();
          client.close();
          await sleep(env.clock, 100);
        }
      },
      { turn: { most: 1 } },
    ));

  it('keeps a connection with an allocation, though nothing is said', () =>
    inLab(async (env) => {
      const client = await Client.tcp(env);
      await client.allocate();
      await sleep(env.clock, 500_000);
      expect(outcome(await client.ask(METHOD.refresh))).toBe('success');
      client.close();
    }));

  it('takes time-limited logins, of either secret, until they are over', () =>
    inLab(
      async (env) => {
        const now = Math.floor(env.clock.date().getTime() / 1000);
        const outcomeOf = async (secret: string, expiresAt: number) => {
          const client = await Client.udp(env, restLogin(secret, { expiresAt, name: 'carol' }));
          const answer = await client.ask(METHOD.allocate, attribute('REQUESTED-TRANSPORT', 17));
          client.close();
          return outcome(answer);
        };
        expect(await outcomeOf('new', now + 60)).toBe('success');
        expect(await outcomeOf('old', now + 60)).toBe('success');
        expect(await outcomeOf('other', now + 60)).toBe(401);
        expect(await outcomeOf('new', now - 1)).toBe(401);
      },
      { turn: { secrets: ['new', 'old'] } },
    ));
});
